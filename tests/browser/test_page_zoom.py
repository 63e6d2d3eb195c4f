"""The picture is shown larger, and boxes are drawn in it where the mouse is."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect
from steps import PHONE, OpenPage, boxes, drag, draw_plain, open_plain, place


def canvas_place(page: Page) -> tuple[float, float, float, float]:
    return place(page.locator("cropper-canvas"))


def test_buttons_and_keys_show_the_picture_larger_in_its_place(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page, draw_plain(800, 500))
    stage = place(page.locator("#stage"))
    _, _, width, height = canvas_place(page)
    farther = page.get_by_role("button", name="Zoom out")
    expect(farther).to_be_disabled()
    page.get_by_role("button", name="Zoom in").click()
    assert canvas_place(page)[2:] == pytest.approx((1.5 * width, 1.5 * height), abs=1)
    assert place(page.locator("#stage")) == pytest.approx(stage, abs=1)
    page.keyboard.press("+")
    assert canvas_place(page)[2] == pytest.approx(2.25 * width, abs=1)
    farther.click()
    assert canvas_place(page)[2] == pytest.approx(1.5 * width, abs=1)
    page.keyboard.press("0")
    assert canvas_place(page)[2:] == pytest.approx((width, height), abs=1)
    expect(farther).to_be_disabled()


def test_ctrl_and_the_wheel_keep_what_is_under_the_mouse(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page, draw_plain(800, 500))
    x, y, width, height = canvas_place(page)
    point = (x + 0.7 * width, y + 0.6 * height)
    page.mouse.move(*point)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(
        "(width) => document.querySelector('cropper-canvas').getBoundingClientRect().width > 2 * width",
        arg=width,
    )
    left, top, wide, high = canvas_place(page)
    assert (point[0] - left) / wide == pytest.approx(0.7, abs=0.01)
    assert (point[1] - top) / high == pytest.approx(0.6, abs=0.01)


def test_a_box_is_drawn_in_the_enlarged_picture_where_the_mouse_is(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page, draw_plain(800, 500))
    for _ in range(2):
        page.keyboard.press("+")
    page.locator("#stage").evaluate("(stage) => stage.scrollBy(80, 60)")
    left, top, wide, high = canvas_place(page)
    stage_x, stage_y, *_ = place(page.locator("#stage"))
    start, end = (stage_x + 50, stage_y + 40), (stage_x + 250, stage_y + 190)
    with page.expect_request("**/api/identify"):
        drag(page, start, end)
    expect(boxes(page)).to_have_count(1)
    assert place(boxes(page).first) == pytest.approx((*start, 200, 150), abs=2)
    before = [(start[0] - left) / wide, (start[1] - top) / high]
    page.keyboard.press("0")
    x, y, width, height = canvas_place(page)
    box_x, box_y, *_ = place(boxes(page).first)
    assert [(box_x - x) / width, (box_y - y) / height] == pytest.approx(before, abs=0.01)


def test_the_enlarged_picture_is_scrolled_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page, draw_plain(800, 500))
    for _ in range(3):
        page.keyboard.press("+")
    stage = page.locator("#stage")
    stage.focus()
    expect(stage).to_be_focused()
    before = json.loads(stage.evaluate("(stage) => JSON.stringify([stage.scrollLeft, stage.scrollTop])"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_function(
        """([left, top]) => {
            const stage = document.getElementById("stage");
            return stage.scrollLeft > left && stage.scrollTop > top;
        }""",
        arg=before,
    )


def test_fingers_zoom_as_everywhere_and_find_no_buttons_for_it(open_page: OpenPage) -> None:
    page = open_page(**PHONE)
    open_plain(page)
    expect(page.locator("#zoom-in")).to_be_hidden()
    expect(page.locator("cropper-canvas")).to_have_css("touch-action", "pan-y pinch-zoom")
