"""axe-core finds nothing on any page in any state: both schemes, all languages, desktop and phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe import Inspection
from operator_steps import log_in
from playwright.sync_api import Browser, Page, expect
from steps import (
    LOCALES,
    PHONE,
    OpenPage,
    boxes,
    cards,
    choose,
    encode,
    open_example,
    open_plain,
    read_example,
)

from kyara.recognition.answers import Verdict
from scripts.local_site import Server

DEVICES: dict[str, dict[str, Any]] = {"desktop": {}, "phone": PHONE}
OTHER_PAGES = (
    "",
    "datasets",
    "characters",
    "characters?query=nobody",
    "library",
    "groups",
    "reports?state=rejected",
    "label",
)
each_device = pytest.mark.parametrize("device", DEVICES)
each_language = pytest.mark.parametrize("language", LOCALES)


@each_device
@each_language
def test_the_visitors_page(open_page: OpenPage, server: Server, language: str, device: str) -> None:
    page = open_page(language, failures_expected=True, fresh=True, **DEVICES[device])
    found = Inspection(page)
    found.look("welcome")
    look_at_linked(page, found)
    open_example(page)
    found.look("answers")
    boxes(page).first.press("ArrowRight")
    found.look("a moved box")
    look_at_dialogs(page, found)
    open_plain(page)
    expect(page.locator(".strip-item[data-drawn]")).to_have_count(2)
    found.look("no face")
    choose(page, b"not a picture", "broken.png")
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    found.look("a broken file")
    page.goto(f"{server.url}/nowhere")
    found.look("error page")
    found.conclude()


def look_at_linked(page: Page, found: Inspection) -> None:
    """The pages that the first one leads to; the API's documentation has a test of its own."""
    start = page.url
    links = page.locator("a:not([data-language])").evaluate_all("(all) => all.map((each) => each.href)")
    ours = {link.split("#")[0] for link in links if link.startswith(start)}
    for link in sorted(ours - {start, f"{start}api/docs"}):
        page.goto(link)
        found.look(link.removeprefix(start))
    page.goto(start)
    page.wait_for_selector("html[data-ready]", state="attached")


def look_at_dialogs(page: Page, found: Inspection) -> None:
    """*Why?* and every other dialog that a button opens, *Wrong?*, and the note after a report."""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    found.look("all of it unfolded")
    openers = page.locator('[aria-haspopup="dialog"]:visible')
    names = {each.inner_text().strip(): each for each in openers.all()}
    assert names
    for name, opener in names.items():
        opener.click()
        expect(page.locator("dialog[open]")).to_be_visible()
        expect(page.locator("dialog[open] .spinner-border:visible")).to_have_count(0)
        found.look(f"the dialog of {name}")
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    cards(page).nth(1).locator(".card-wrong").click()
    page.locator("#report-label").fill("a")
    expect(page.locator("#report-options li").first).to_be_visible()
    found.look("wrong, with suggestions")
    page.locator("#report-options li").first.click()
    page.locator("#report-send").click()
    expect(page.locator(".toast").first).to_be_visible()
    found.look("reported")


@each_device
@pytest.mark.parametrize("verdict", ["probably", "unknown"])
def test_answers_of_every_verdict(
    open_page: OpenPage, verdict_server: Callable[[Verdict], Server], verdict: Verdict, device: str
) -> None:
    page = open_page(at=verdict_server(verdict), **DEVICES[device])
    open_example(page)
    found = Inspection(page)
    found.look(verdict)
    found.conclude()


@each_device
def test_live_and_its_timeline(
    open_page: OpenPage, verdict_server: Callable[[Verdict], Server], device: str
) -> None:
    frame = read_example(400)
    moving = [frame.crop((2 * n, 0, frame.width - 10 + 2 * n, frame.height)) for n in range(5)]
    data = encode(moving[0], "WEBP", save_all=True, append_images=moving[1:], duration=200, loop=0)
    page = open_page(at=verdict_server("known"), **DEVICES[device])
    found = Inspection(page)
    choose(page, data, "moving.webp")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    page.locator("#live-button").click()
    expect(page.locator(".timeline-span").first).to_be_visible()
    found.look("live")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    found.look("after live")
    found.conclude()


@each_device
def test_the_api_documentation(open_page: OpenPage, server: Server, device: str) -> None:
    page = open_page(fresh=True, **DEVICES[device])
    page.goto(f"{server.url}/api/docs")
    page.locator(".opblock").first.wait_for()
    found = Inspection(page)
    found.look("list of routes")
    page.locator(".opblock-summary-control").first.click()
    page.locator(".opblock-body").first.wait_for()
    found.look("a route")
    found.conclude()


@each_device
@each_language
def test_the_operators_pages(
    browser: Browser, operator_site: Server, language: str, device: str
) -> None:
    context = browser.new_context(**context_options(language, DEVICES[device]))
    page = context.new_page()
    found = Inspection(page)
    page.goto(f"{operator_site.url}/operator/")
    found.look("login")
    log_in(page, operator_site, "/operator/review")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.locator('[data-kind="report"] .tile-face').first.click()
    expect(page.locator("#detail-history")).not_to_be_empty()
    found.look("review")
    look_at_review_dialogs(page, found)
    for name in OTHER_PAGES:
        page.goto(f"{operator_site.url}/operator/{name}")
        page.wait_for_load_state("networkidle")
        found.look(name or "dashboard")
    page.goto(f"{operator_site.url}/operator/models/comparisons/worse")
    found.look("comparison")
    page.goto(f"{operator_site.url}/operator/models")
    page.locator('.bundle[data-name="worse"]').wait_for()
    found.look("models")
    page.locator("#rollback-button").click()
    expect(page.locator("#rollback-dialog")).to_be_visible()
    found.look("roll back?")
    page.keyboard.press("Escape")
    page.locator('.bundle[data-name="worse"] .bundle-promote').click()
    expect(page.locator("#force-dialog")).to_be_visible()
    found.look("promote all the same?")
    context.close()
    found.conclude()


def look_at_review_dialogs(page: Page, found: Inspection) -> None:
    """The keys, a new character, deleting, and a name that is typed."""
    for press, dialog in (("?", "keys-dialog"), ("n", "new-dialog"), ("Delete", "delete-dialog")):
        page.keyboard.press(press)
        expect(page.locator(f"#{dialog}")).to_be_visible()
        found.look(dialog)
        page.keyboard.press("Escape")
        expect(page.locator(f"#{dialog}")).to_be_hidden()
    page.locator("#label-field").fill("a")
    expect(page.locator("#label-options li").first).to_be_visible()
    found.look("a name is typed")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def context_options(language: str, device: dict[str, Any]) -> dict[str, Any]:
    """A browser context's options for a device as `open_page` takes them."""
    options = {"locale": LOCALES[language], **device}
    size = {name: options.pop(name) for name in ("width", "height") if name in options}
    return {**options, **({"viewport": size} if size else {})}
