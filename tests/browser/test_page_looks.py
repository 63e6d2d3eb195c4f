"""How the page looks and speaks: languages, light and dark, narrow screens, names for everything."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from steps import (
    LOCALES,
    PHONE,
    OpenPage,
    boxes,
    cards,
    choose,
    draw_box,
    encode,
    open_example,
    open_plain,
    place,
    read_example,
    wait_for_answers,
)

TITLES = {
    "en": "Who is this anime character?",
    "zh": "这个动漫角色是谁？",
    "ja": "このアニメキャラはだれ？",
}


@pytest.mark.parametrize("language", LOCALES)
def test_the_browsers_language_comes_first(open_page: OpenPage, language: str) -> None:
    page = open_page(language)
    expect(page.locator("h1")).to_have_text(TITLES[language])
    expect(page.locator("html")).to_have_attribute("lang", {"zh": "zh-Hans"}.get(language, language))


def test_the_switch_changes_the_language_and_keeps_the_picture(open_page: OpenPage) -> None:
    page = open_page("en")
    faces = open_example(page)
    boxes(page).first.press("ArrowRight")
    draw_box(page, 0.1, 0.72, 0.3, 0.95)
    wait_for_answers(page)
    before = [place(box) for box in boxes(page).all()]
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("#workspace")).to_be_visible()
    wait_for_answers(page)
    expect(boxes(page)).to_have_count(faces + 1)
    expect(cards(page).locator(".card-remove").first).to_have_text("削除")
    for box, (x, _, width, height) in zip(boxes(page).all(), before, strict=True):
        after = place(box)
        assert (after[0], after[2], after[3]) == pytest.approx((x, width, height), abs=1.5)
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(boxes(page)).to_have_count(faces + 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_switched(open_page: OpenPage, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    other = "light" if scheme == "dark" else "dark"
    html = page.locator("html")
    expect(html).to_have_attribute("data-bs-theme", scheme)
    page.get_by_role("button", name="Light or dark").click()
    expect(html).to_have_attribute("data-bs-theme", other)
    page.reload()
    expect(html).to_have_attribute("data-bs-theme", other)


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("language", LOCALES)
def test_nothing_overflows_at_360_px(open_page: OpenPage, language: str) -> None:
    page = open_page(language, width=360, height=640, failures_expected=True)
    assert overflow(page) <= 0
    open_example(page)
    page.route("**/api/identify", lambda route: route.abort())  # it stays stale
    boxes(page).first.press("ArrowRight")
    expect(page.locator(".card-stale:visible")).to_have_count(1)
    assert overflow(page) <= 0
    cards(page).nth(1).locator(".card-wrong").click()
    _, _, width, height = place(page.locator("#report-dialog"))
    assert width <= 360
    assert height <= 640
    page.keyboard.press("Escape")
    controls = page.locator("button:visible, a:visible:not(.skip-link), input:visible:not(#file-input)")
    for control in controls.all():
        x, _, width, _ = place(control)
        assert x >= 0
        assert x + width <= 360.5


@pytest.mark.parametrize("height", [520, 1500])
def test_on_a_phone_the_first_name_is_seen_at_once_and_the_tools_stand_below(
    open_page: OpenPage, height: int
) -> None:
    picture = Image.new("RGB", (694, height), "white")
    picture.paste(read_example(694))
    page = open_page(**PHONE)
    choose(page, encode(picture, "PNG"))
    wait_for_answers(page)
    assert page.evaluate("scrollY") == 0
    _, top, _, tall = place(cards(page).first.locator(".card-verdict"))
    assert top + tall <= PHONE["height"]
    _, stage_top, _, stage_tall = place(page.locator("#stage"))
    assert stage_top + stage_tall <= top
    _, last_top, _, last_tall = place(cards(page).last)
    add = page.locator("#add-button")
    assert place(add)[1] >= last_top + last_tall
    add.tap()
    expect(page.locator("#stage")).to_be_in_viewport()


def test_beside_the_answers_the_tools_stand_under_the_picture(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    left, top, width, height = place(page.locator("#stage"))
    x, y, _, _ = place(page.locator("#add-button"))
    assert y >= top + height
    assert left <= x < left + width <= place(cards(page).first)[0]


KEYS = re.compile(r"\b(keyboard|keys?|Ctrl|Shift|Tab|Delete|Escape|press)\b", re.IGNORECASE)


def test_where_fingers_touch_nothing_speaks_of_keys(open_page: OpenPage) -> None:
    page = open_page(**PHONE)
    body = page.locator("body")
    expect(body).not_to_contain_text(KEYS, use_inner_text=True)
    open_plain(page)
    page.locator("#add-button").tap()
    expect(page.locator("#status-text")).to_contain_text("Box added.")
    expect(body).not_to_contain_text(KEYS, use_inner_text=True)


def test_with_mouse_and_keyboard_the_keys_are_told(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#welcome")).to_contain_text(KEYS, use_inner_text=True)
    open_plain(page)
    expect(page.locator("#box-help")).to_contain_text(KEYS, use_inner_text=True)
    page.locator("#add-button").click()
    expect(page.locator("#status-text")).to_contain_text("Move it with the arrow keys")


def test_every_control_has_a_name(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, textarea, [tabindex='0']")]
            .filter((control) => control.checkVisibility() && control.ariaHidden !== "true")
            .filter((control) => !control.ariaLabel && !control.innerText.trim())
            .filter((control) => !control.labels?.length)
            .map((control) => control.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


def test_the_focus_is_always_visible(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    page.locator("body").press("Tab")
    seen = set()
    for _ in range(40):
        outline = page.evaluate(
            """() => {
                const { tagName } = document.activeElement;
                const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                return [tagName, outlineStyle, Number.parseFloat(outlineWidth)];
            }"""
        )
        if outline[0] == "BODY":
            break
        seen.add(outline[0])
        assert outline[1] != "none", outline
        assert outline[2] >= 2, outline
        page.keyboard.press("Tab")
    assert {"A", "BUTTON", "INPUT", "CROPPER-SELECTION"} <= seen


def test_pointing_at_a_card_marks_its_box(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    cards(page).nth(1).hover()
    assert "is-pointed" in (boxes(page).nth(1).get_attribute("class") or "")
    boxes(page).nth(2).focus()
    assert "is-pointed" in (cards(page).nth(2).get_attribute("class") or "")


def test_the_wheel_scrolls_the_page_over_the_picture(open_page: OpenPage) -> None:
    page = open_page(height=500)
    open_example(page)
    x, y, width, height = place(page.locator("cropper-canvas"))
    page.mouse.move(x + width / 2, min(y + height / 2, 400))
    page.mouse.wheel(0, 200)
    page.wait_for_function("() => scrollY > 50")


def test_a_missing_page_is_a_page(open_page: OpenPage, server, browser) -> None:
    context = browser.new_context(locale="ja-JP")
    page = context.new_page()
    response = page.goto(f"{server.url}/nowhere")
    assert response
    assert response.status == 404
    expect(page.locator("h1")).to_have_text("ここには何もありません。")
    page.get_by_role("link", name="Kyara に戻る").click()
    expect(page.locator("h1")).to_have_text(TITLES["ja"])
    context.close()
