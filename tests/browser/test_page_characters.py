"""The list of who is known, the links to it and from it, and names found while they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from crowded_model import CROWD, MAL_ID, NAMED
from drawings import LABELS
from playwright.sync_api import Browser, Page, expect
from steps import LOCALES, PHONE, OpenPage, cards, open_example, place

from scripts.local_site import Server

KNOWN = len(LABELS) + len(NAMED) + CROWD
LIST_PAGES = ("/characters", "/characters?q=miku", "/characters/the-crowd", "/character/hatsune_miku")

TYPED = {
    "Miku Hatsune": "Hatsune Miku",
    "凱露": "Karyl",
    "みく": "Hatsune Miku",
    "kailu": "Karyl",
    "project_sekai/miku": "Hatsune Miku",
    "しぐれ": "Shigure",
    "ribbonaka": "Aka Ribbon",
}


@pytest.fixture(scope="module")
def crowded(crowded_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("crowded_site"), model=crowded_models) as server:
        yield server


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("searchbox").press("Enter")


def test_from_the_first_page_to_a_character(open_page: OpenPage, crowded: Server) -> None:
    page = open_page(at=crowded)
    page.get_by_role("link", name=f"Kyara knows {KNOWN} characters of 5 works.").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Characters")
    search(page, "kailu")
    expect(page).to_have_url(re.compile(r"/characters\?q=kailu$"))
    page.get_by_role("link", name="Karyl", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Karyl")
    expect(page.locator("dl")).to_contain_text("キャル")
    page.get_by_role("link", name="日本語").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("キャル")
    expect(page).to_have_url(f"{crowded.url}/character/princess_connect_redive/kyaru")
    page.get_by_role("link", name="Princess Connect! Re:Dive").click()
    expect(page).to_have_url(f"{crowded.url}/characters/princess-connect-re-dive")


def test_the_list_needs_no_script(browser: Browser, crowded: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{crowded.url}/characters")
    search(page, "初音 ミク")
    page.get_by_role("link", name="Hatsune Miku", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hatsune Miku")
    link = page.get_by_role("link", name="Hatsune Miku at MyAnimeList, in a new tab")
    expect(link).to_have_attribute("href", "https://myanimelist.net/character/7156")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    page.goto(f"{crowded.url}/characters/the-crowd")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Page 2 of 3")).to_be_visible()
    context.close()


@pytest.mark.parametrize("language", LOCALES)
def test_the_list_fits_a_phone(browser: Browser, crowded: Server, language: str) -> None:
    context = browser.new_context(
        locale=LOCALES[language],
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
    )
    page = context.new_page()
    for path in LIST_PAGES:
        page.goto(crowded.url + path)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0, path
        expect(page.locator("h1")).to_have_count(1)
        for link in page.locator("main a:visible").all():
            x, _, width, _ = place(link)
            assert x >= 0
            assert x + width <= 360.5
    context.close()


def test_names_of_answers_lead_to_their_pages(open_page: OpenPage, crowded: Server) -> None:
    page = open_page(at=crowded)
    open_example(page)
    links = cards(page).first.locator(".answer-name a")
    numbers = {f"https://myanimelist.net/character/{MAL_ID + place}" for place in range(len(LABELS))}
    wanted = ("href", "rel", "target")
    found = [tuple(link.get_attribute(name) for name in wanted) for link in links.all()]
    assert found
    for href, rel, target in found:
        assert href in numbers
        assert (rel, target) == ("noopener noreferrer", "_blank")


def test_a_name_is_found_as_it_is_typed(open_page: OpenPage, crowded: Server) -> None:
    page = open_page(at=crowded)
    open_example(page)
    cards(page).first.locator(".card-wrong").click()
    field = page.get_by_role("combobox")
    for typed, name in TYPED.items():
        field.fill(typed)
        expect(page.locator("#report-options .option-name").first).to_have_text(name)
        field.press("ArrowDown")
        field.press("Enter")
        expect(field).to_have_value(name)
        field.fill("")


def test_the_list_fits_the_phones_first_page(open_page: OpenPage, crowded: Server) -> None:
    page = open_page(at=crowded, **PHONE)
    link = page.get_by_role("link", name=re.compile("Kyara knows"))
    x, _, width, _ = place(link)
    assert x >= 0
    assert x + width <= PHONE["width"]
