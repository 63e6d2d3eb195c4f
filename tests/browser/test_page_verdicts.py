"""How sure an answer is, on cards, boxes and in the forms: known, probable or unknown."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from steps import LOCALES, OpenPage, boxes, cards, open_example

from kyara.recognition.answers import Verdict
from scripts.local_site import Server

VerdictServer = Callable[[Verdict], Server]
CHARACTERS = 4
"""That the tiny model knows."""
PROBABLY = {"en": "Probably {}", "zh": "可能是{}", "ja": "たぶん{}"}
MAYBE = {"en": "{}?", "zh": "{}？", "ja": "{}？"}
ALIKE = {"en": "It looks a little like:", "zh": "有点像：", "ja": "少し似ているキャラクター："}
CONFIDENCE = re.compile(r"[\d%％]")


@pytest.mark.parametrize("language", LOCALES)
def test_a_probable_name_is_never_shown_as_a_fact(
    open_page: OpenPage, verdict_server: VerdictServer, language: str
) -> None:
    page = open_page(language, at=verdict_server("probably"))
    open_example(page)
    for card, box in zip(cards(page).all(), boxes(page).all(), strict=True):
        expect(card).to_have_attribute("data-mark", "probably")
        name = card.locator(".answer-name").first.inner_text()
        verdict = card.locator(".card-verdict")
        expect(verdict).to_have_text(PROBABLY[language].format(name))
        expect(verdict).to_have_css("text-decoration-style", "dotted")
        expect(card.locator(".answer-percent")).to_have_count(CHARACTERS)
        expect(box.locator(".box-tag > span")).to_have_text(MAYBE[language].format(name))
        expect(box).to_have_attribute("aria-label", re.compile(f"{PROBABLY[language].format(name)}$"))


def test_a_known_name_stands_alone(open_page: OpenPage, verdict_server: VerdictServer) -> None:
    page = open_page(at=verdict_server("known"))
    faces = open_example(page)
    expect(page.locator("#status-text")).to_have_text(f"{faces} faces, {faces} recognized.")
    card, box = cards(page).first, boxes(page).first
    name = card.locator(".answer-name").first.inner_text()
    expect(card.locator(".card-verdict")).to_have_text(name)
    expect(card.locator(".card-verdict")).to_have_css("text-decoration-style", "solid")
    expect(box.locator(".box-tag > span")).to_have_text(name)
    expect(box).to_have_attribute("aria-label", f"Face 1: {name}")


def test_probable_faces_are_counted_apart_and_their_name_can_be_corrected(
    open_page: OpenPage, verdict_server: VerdictServer
) -> None:
    page = open_page(at=verdict_server("probably"))
    faces = open_example(page)
    expect(page.locator("#status-text")).to_have_text(f"{faces} faces, 0 recognized, {faces} probably.")
    names = cards(page).first.locator(".answer-name").all_inner_texts()
    cards(page).first.locator(".card-wrong").click()
    said = page.locator("#report-answer")
    expect(said).to_have_text(f"Probably {names[0]}")
    expect(said).to_have_css("text-decoration-line", "line-through")
    page.get_by_role("combobox").focus()
    expect(page.locator("#report-options .option-name")).to_have_text(names[1:])


@pytest.mark.parametrize("language", LOCALES)
def test_under_an_unknown_face_are_names_and_no_confidence(
    open_page: OpenPage, verdict_server: VerdictServer, language: str
) -> None:
    page = open_page(language, at=verdict_server("unknown"))
    open_example(page)
    card = cards(page).first
    expect(card).to_have_attribute("data-mark", "unknown")
    expect(card.locator(".card-work")).to_have_text(ALIKE[language])
    expect(card.locator(".answer-name")).to_have_count(CHARACTERS)
    expect(card.locator(".progress, .answer-percent")).to_have_count(0)
    assert not CONFIDENCE.search(card.locator(".answers").inner_text())
    expect(boxes(page).first.locator(".box-tag > span")).to_be_empty()
    names = card.locator(".answer-name").all_inner_texts()
    page.route("**/api/identify", lambda route: None)  # the moved box stays without an answer
    boxes(page).first.press("ArrowUp")
    expect(card).to_have_attribute("data-mark", re.compile("stale|asking"))
    expect(card.locator(".progress, .answer-percent")).to_have_count(0)
    page.keyboard.press("Control+z")
    card.locator(".card-why").click()
    expect(page.locator("#why-label option")).to_have_text(names)


def test_an_unknown_face_may_be_the_first_guess(
    open_page: OpenPage, verdict_server: VerdictServer
) -> None:
    page = open_page(at=verdict_server("unknown"))
    open_example(page)
    names = cards(page).first.locator(".answer-name").all_inner_texts()
    cards(page).first.locator(".card-wrong").click()
    expect(page.locator("#report-answer")).to_have_css("text-decoration-line", "none")
    page.get_by_role("combobox").focus()
    expect(page.locator("#report-options .option-name")).to_have_text(names)
