"""*Why?*: the heat map over a face, for every answer and method, and the nearest references."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect
from steps import LOCALES, OpenPage, cards, draw_box, open_plain, place

TITLES = {"en": "Why this answer?", "zh": "为什么是这个答案？", "ja": "なぜこの答え？"}


def open_answered(page: Page) -> None:
    """A drawn box with an answer."""
    open_plain(page)
    draw_box(page, 0.1, 0.1, 0.5, 0.7)
    expect(cards(page).first.locator(".card-why")).to_be_visible()


def open_why(page: Page) -> None:
    cards(page).first.locator(".card-why").click()
    expect(page.locator("#why-dialog")).to_be_visible()


def wait_for_map(page: Page) -> str:
    """Wait until a map is drawn, and return its address."""
    heat = page.locator("#why-heat")
    expect(heat).to_be_visible()
    page.wait_for_function("() => document.getElementById('why-heat').naturalWidth > 0")
    return heat.get_attribute("src") or ""


def count_questions(page: Page) -> list[str]:
    asked: list[str] = []
    page.on(
        "request",
        lambda request: asked.append(request.post_data or "") if "/explain" in request.url else None,
    )
    return asked


def test_every_answer_is_explained_and_asked_for_once(open_page: OpenPage) -> None:
    page = open_page()
    open_answered(page)
    asked = count_questions(page)
    names = cards(page).first.locator(".answer-name").all_inner_texts()
    open_why(page)
    first = wait_for_map(page)
    expect(page.locator("#why-picture")).to_have_attribute(
        "aria-label", f"Heat map over face 1: what speaks for {names[0]}"
    )
    expect(page.locator(".neighbour.is-own")).not_to_have_count(0)
    expect(page.locator(".neighbour.is-own .neighbour-name").first).to_have_text(names[0])
    options = page.locator("#why-label option").all_inner_texts()
    assert [option.split(" · ")[0] for option in options] == names

    page.locator("#why-label").select_option(index=1)
    second = wait_for_map(page)
    expect(page.locator(".neighbour.is-own .neighbour-name").first).to_have_text(names[1])
    page.locator("#why-label").select_option(index=0)
    assert wait_for_map(page) == first != second
    assert len(asked) == 2


@pytest.mark.parametrize("method", ["sliding-window", "rise"])
def test_every_method_draws_a_map_and_says_how(open_page: OpenPage, method: str) -> None:
    page = open_page()
    open_answered(page)
    open_why(page)
    before = wait_for_map(page), page.locator("#why-method-words").inner_text()
    page.locator("#why-method").select_option(method)
    assert wait_for_map(page) != before[0]
    assert page.locator("#why-method-words").inner_text() != before[1]


def test_it_works_by_keyboard_and_the_focus_comes_back(open_page: OpenPage) -> None:
    page = open_page()
    open_answered(page)
    why = page.get_by_role("button", name="Why? What speaks for the answer to face 1")
    why.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why-label")).to_be_focused()
    first = wait_for_map(page)
    page.keyboard.press("ArrowDown")
    assert wait_for_map(page) != first
    page.keyboard.press("Tab")
    expect(page.locator("#why-method")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#why-dialog")).to_be_hidden()
    expect(why).to_be_focused()


def test_the_slider_fades_between_crop_and_map(open_page: OpenPage) -> None:
    page = open_page()
    open_answered(page)
    open_why(page)
    wait_for_map(page)
    slider = page.get_by_role("slider", name="Strength of the heat map")
    for key, opacity in (("Home", "0"), ("End", "1")):
        slider.press(key)
        expect(page.locator("#why-heat")).to_have_css("opacity", opacity)
    expect(slider).to_have_attribute("aria-valuetext", "100%")


def test_crop_and_map_lie_on_each_other(open_page: OpenPage) -> None:
    page = open_page()
    open_answered(page)
    open_why(page)
    wait_for_map(page)
    crop, heat = page.locator("#why-picture canvas"), page.locator("#why-heat")
    assert place(crop) == pytest.approx(place(heat), abs=0.5)
    shapes = page.evaluate(
        """() => [document.querySelector("#why-picture canvas"), document.getElementById("why-heat")]
            .map((each) => (each.naturalWidth ?? each.width) / (each.naturalHeight ?? each.height))"""
    )
    assert shapes[0] == pytest.approx(shapes[1], rel=0.02)


def test_a_busy_server_is_asked_again(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_answered(page)
    page.route(
        "**/api/explain",
        lambda route: route.fulfill(status=503, headers={"Retry-After": "2"}, json={"detail": "x"}),
    )
    open_why(page)
    expect(page.locator("#why-words")).to_have_text("Kyara is very busy right now.")
    page.unroute("**/api/explain")
    page.locator("#why-again").click()
    wait_for_map(page)
    expect(page.locator("#why-again")).to_be_hidden()
    expect(page.locator("#why-label")).to_be_focused()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda route: route.abort(), "Kyara cannot be reached."),
        (
            lambda route: route.fulfill(status=400, json={"detail": "The model knows nobody."}),
            "Kyara could not answer: The model knows nobody.",
        ),
    ],
)
def test_what_went_wrong_is_told(open_page: OpenPage, answer, words: str) -> None:
    page = open_page(failures_expected=True)
    open_answered(page)
    page.route("**/api/explain", answer)
    open_why(page)
    expect(page.locator("#why-words")).to_have_text(words)
    expect(page.locator("#why-heat")).to_be_hidden()


def test_a_dialog_that_is_closed_early_leaves_nothing_behind(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_answered(page)
    held: list[Route] = []
    page.route("**/api/explain", lambda route: held.append(route))
    open_why(page)
    expect(page.locator("#why-spinner")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#why-dialog")).to_be_hidden()
    page.unroute("**/api/explain")
    open_why(page)
    wait_for_map(page)
    expect(page.locator("#why-spinner")).to_be_hidden()


@pytest.mark.parametrize("language", LOCALES)
def test_it_fits_a_narrow_screen_in_every_language(open_page: OpenPage, language: str) -> None:
    page = open_page(language, width=360, height=640)
    open_answered(page)
    open_why(page)
    wait_for_map(page)
    expect(page.locator("#why-title")).to_have_text(TITLES[language])
    x, _, width, height = place(page.locator("#why-dialog"))
    assert x >= 0
    assert width <= 360
    assert height <= 640
    assert (
        page.evaluate(
            "() => { const d = document.getElementById('why-dialog'); "
            "return d.scrollWidth - d.clientWidth; }"
        )
        <= 0
    )
    for control in page.locator("#why-dialog :is(button, select, input):visible").all():
        x, _, width, _ = place(control)
        assert x >= 0
        assert x + width <= 360.5
