"""The operators' pages as they look and ask: rolling back, tables on a phone, headers, languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from operator_steps import StartServer, log_in, start_with_operator
from playwright.sync_api import Browser, Page, ViewportSize, expect
from steps import LOCALES, PHONE
from two_models import copy_model

from kyara.registry import promote_bundle, read_registry
from scripts.local_site import Server

PAGES = (
    "",
    "review",
    "reports",
    "label",
    "datasets",
    "characters",
    "library",
    "groups",
    "models",
    "models/comparisons/worse",
)


@pytest.fixture
def open_operator(browser: Browser, operator_site: Server) -> Iterator[object]:
    """Open an operator's page: `open_operator("models", language="ja", width=390)`."""
    contexts = []

    def open_operator(path: str, language: str = "en", width: int = 1280, height: int = 900) -> Page:
        viewport: ViewportSize = {"width": width, "height": height}
        context = browser.new_context(locale=LOCALES[language], viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        log_in(page, operator_site, f"/operator/{path}")
        return page

    yield open_operator
    for context in contexts:
        context.close()


def test_roll_back_names_what_comes_asks_first_and_is_not_offered_for_what_serves(
    browser: Browser, own_server: StartServer, tiny_bundle: Path, tmp_path: Path
) -> None:
    models = tmp_path / "model"
    for name in ("first", "second"):
        copy_model(tiny_bundle, models, name)
    for name in ("first", "second", "second"):
        promote_bundle(name, models)
    server = start_with_operator(own_server, tmp_path, model=models)
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server, "/operator/models")
    button, dialog = page.locator("#rollback-button"), page.locator("#rollback-dialog")
    expect(button).to_have_text("Roll back to first…")
    button.click()
    expect(dialog).to_contain_text("Roll back to first?")
    expect(dialog).to_contain_text("second serves now")
    page.keyboard.press("Enter")  # what has the focus is harmless
    expect(dialog).to_be_hidden()
    assert read_registry(models).serving == "second"
    button.click()
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator('.bundle[data-name="first"] .bundle-badge')).to_be_visible()
    expect(button).to_be_hidden()
    context.close()


@pytest.mark.parametrize("path", ["characters", "datasets", "models/comparisons/worse"])
def test_on_a_phone_the_rows_of_a_table_are_cards(open_operator, path: str) -> None:
    page = open_operator(path, width=PHONE["width"], height=PHONE["height"])
    cells = page.locator(".table-fold td:visible")
    expect(cells.first).to_be_visible()
    for cell in cells.all():
        assert cell.get_attribute("data-head"), cell.inner_html()
        assert cell.evaluate("(cell) => getComputedStyle(cell, '::before').content") != "none"
    wide = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll(".table-responsive")]
            .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.className)"""
    )
    assert wide == []


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("language", LOCALES)
def test_headers_stay_on_one_line_and_nothing_overflows(
    open_operator, language: str, width: int
) -> None:
    page = open_operator("", language, width)
    for path in PAGES:
        page.goto(page.url.split("/operator/")[0] + f"/operator/{path}")
        tops = page.locator(".operator-nav a").evaluate_all(
            "(links) => [...new Set(links.map((link) => link.getBoundingClientRect().top))]"
        )
        assert len(tops) == 1, path
        broken = page.locator("thead th:visible, .operator-name, header .btn").evaluate_all(
            """(all) => all.filter((each) => {
              const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(each);
              const [line, top, bottom] = [lineHeight, paddingTop, paddingBottom].map(Number.parseFloat);
              return each.clientHeight - top - bottom > 1.7 * line;
            }).map((each) => each.textContent.trim())"""
        )
        assert broken == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_switch_changes_the_language_of_the_page_and_of_what_its_scripts_say(open_operator) -> None:
    page = open_operator("review")
    expect(page.locator("#label-saved")).to_have_text("All saved")
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("#label-saved")).to_have_text("すべて保存済み")
    expect(page.locator("#report-accept")).to_contain_text("承認")
