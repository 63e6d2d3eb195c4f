"""The evaluation report in Chromium, from disk, without a network: it sorts, finds, draws and fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from big_evaluation import make_big_evaluation
from playwright.sync_api import Browser, Page

from classification import Classifier
from kyara.evaluation.report.page import write_report

CHARACTERS = 60


@pytest.fixture(scope="module")
def report(
    tiny_classifier: Classifier, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(make_big_evaluation(tiny_classifier, tiny_data, CHARACTERS), "python -m kyara", path)
    return path


@pytest.fixture
def open_report(browser: Browser, report: Path) -> Iterator[Callable[..., Page]]:
    """Open the report; a console error, an exception or a request fails the test."""
    problems: list[str] = []
    contexts = []

    def open_report(width: int = 1280, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.goto(report.as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert not problems


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_the_screen(open_report, width, scheme):
    page = open_report(width, color_scheme=scheme)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(21, 18, 29)") == (scheme == "dark")
    broken = "[...document.images].filter((image) => !image.naturalWidth).length"
    assert page.evaluate(broken) == 0


def test_the_table_sorts_by_any_column_and_tells_so(open_report):
    page = open_report()
    rows = page.locator("#table tbody tr")
    header = page.locator("#table thead th").nth(5)
    scores = "[...document.querySelectorAll('#table tbody tr')].map((row) => +row.cells[5].innerText)"
    header.get_by_role("button").click()
    found = page.evaluate(scores)
    assert header.get_attribute("aria-sort") == "descending"
    assert found == sorted(found, reverse=True)
    header.get_by_role("button").click()
    found = page.evaluate(scores)
    assert header.get_attribute("aria-sort") == "ascending"
    assert found == sorted(found)
    assert rows.count() == CHARACTERS


def test_the_table_finds_characters(open_report):
    page = open_report()
    page.get_by_label("Find").fill("somebody_0007")
    assert page.locator("#table tbody tr:visible").count() == 1
    assert page.locator("#found").inner_text() == "1 shown"
    page.get_by_label("Find").fill("")
    assert page.locator("#table tbody tr:visible").count() == CHARACTERS


def test_a_character_shows_its_three_curves(open_report):
    page = open_report()
    row = page.locator("#table tbody tr").nth(CHARACTERS - 1)
    row.get_by_role("button").click()
    label = row.get_attribute("data-label")
    assert page.locator("#who").input_value() == label
    drawn = page.locator("#drawn svg")
    assert drawn.count() == 3
    assert page.locator("#drawn polyline").count() == 9
    assert "best F1" in (drawn.first.get_attribute("aria-label") or "")
    page.locator("#who").select_option(index=CHARACTERS - 2)
    assert page.locator("#drawn svg").count() == 3


def test_everything_can_be_read_without_scripts(open_report):
    page = open_report(java_script_enabled=False)
    assert page.locator("#table tbody tr").count() == CHARACTERS
    assert page.locator(".controls").is_hidden()
    assert page.locator("#viewer").is_hidden()
    assert page.locator("svg.plot").first.is_visible()
