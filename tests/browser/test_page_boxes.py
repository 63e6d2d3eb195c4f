"""Boxes over the picture: moved, resized, drawn, removed, undone; by mouse, touch and keyboard."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from steps import (
    OpenPage,
    boxes,
    cards,
    choose,
    drag,
    draw_box,
    draw_plain,
    encode,
    open_example,
    open_plain,
    place,
    wait_for_answers,
)
from videos import EXAMPLE
from waiting import wait_until

from kyara.vision.detector_bundle import find_detector_bundle
from scripts.local_site import Server

CLOSE = 1.5
"""Boxes are rounded to source pixels."""
NOT_FRESH = re.compile("stale|asking")
"""A box that was moved is asked about in a moment."""


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_boxes_are_moved_drawn_removed_and_undone_with_the_mouse(
    open_page: OpenPage, language: str
) -> None:
    page = open_page(language)
    faces = open_example(page)
    first = boxes(page).first

    x, y, width, height = place(first)
    held: list[Route] = []
    page.route("**/api/identify", lambda route: held.append(route), times=1)
    with page.expect_request("**/api/identify"):
        drag(page, (x + width / 2, y + height / 2), (x + width / 2 - 30, y + height / 2 - 25))
    assert place(first) == pytest.approx((x - 30, y - 25, width, height), abs=CLOSE)
    expect(cards(page).first).to_have_attribute("data-mark", NOT_FRESH)
    held[0].continue_()

    draw_box(page, 0.1, 0.72, 0.3, 0.95)
    expect(boxes(page)).to_have_count(faces + 1)
    expect(cards(page)).to_have_count(faces + 1)
    expect(cards(page).last.locator(".answer")).not_to_have_count(0)

    cards(page).nth(1).locator(".card-remove").click()
    expect(boxes(page)).to_have_count(faces)
    expect(boxes(page).last.locator(".box-tag b")).to_have_text(str(faces))

    undo = page.locator("#undo-button")
    undo.click()
    expect(boxes(page)).to_have_count(faces + 1)
    undo.click()
    expect(boxes(page)).to_have_count(faces)
    undo.click()
    expect(undo).to_be_disabled()
    assert place(first) == pytest.approx((x, y, width, height), abs=CLOSE)
    expect(cards(page).first).not_to_have_attribute("data-mark", "stale")

    page.locator("#redo-button").click()
    assert place(first) == pytest.approx((x - 30, y - 25, width, height), abs=CLOSE)


def test_an_edge_and_a_corner_resize_a_box(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    draw_box(page, 0.3, 0.3, 0.6, 0.6)
    box = boxes(page).first
    expect(box).to_be_focused()
    x, y, width, height = place(box)
    drag(page, (x + width, y + height / 2), (x + width + 25, y + height / 2))
    assert place(box) == pytest.approx((x, y, width + 25, height), abs=CLOSE)
    drag(page, (x, y), (x - 20, y - 15))
    assert place(box) == pytest.approx((x - 20, y - 15, width + 45, height + 15), abs=CLOSE)


def test_an_edge_of_a_box_without_the_focus_is_taken_hold_of_at_once(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    draw_box(page, 0.1, 0.3, 0.4, 0.6)
    box = boxes(page).first
    draw_box(page, 0.6, 0.3, 0.9, 0.6)
    expect(box).not_to_be_focused()
    x, y, width, height = place(box)
    drag(page, (x + width - 3, y + height - 3), (x + width + 17, y + height + 12))
    assert place(box) == pytest.approx((x, y, width + 20, height + 15), abs=CLOSE)
    expect(box).to_be_focused()


def test_a_box_cannot_leave_the_picture(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    draw_box(page, 0.4, 0.4, 0.7, 0.7)
    box = boxes(page).first
    x, y, width, height = place(box)
    left, top, _, _ = place(page.locator("cropper-canvas"))
    drag(page, (x + 20, y + height / 2), (left - 200, top - 200))
    assert place(box) == pytest.approx((left, top, width, height), abs=CLOSE)


def test_an_answer_leaves_a_box_that_is_being_dragged_where_it_is(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    held: list[Route] = []
    page.route("**/api/identify", lambda route: held.append(route))
    with page.expect_request("**/api/identify"):
        draw_box(page, 0.2, 0.2, 0.5, 0.5)
    box = boxes(page).first
    x, y, width, height = place(box)
    page.mouse.move(x + width / 2, y + height / 2)
    page.mouse.down()
    page.mouse.move(x + width / 2 + 40, y + height / 2 + 30)
    held[0].continue_()
    expect(box).to_have_attribute("data-mark", re.compile("known"))
    page.mouse.move(x + width / 2 + 60, y + height / 2 + 50)
    page.mouse.up()
    assert place(box) == pytest.approx((x + 60, y + 50, width, height), abs=CLOSE)
    expect(cards(page).first).to_have_attribute("data-mark", NOT_FRESH)
    page.unroute("**/api/identify")


def test_a_box_is_drawn_while_faces_are_found(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    held: list[Route] = []
    page.context.route("**/opencv.wasm", lambda route: held.append(route))
    choose(page, EXAMPLE)
    expect(page.locator("cropper-canvas")).to_be_visible()
    wait_until(lambda: page.title() and held)  # Playwright takes up requests while it is asked something
    x, y, width, height = place(page.locator("cropper-canvas"))
    page.mouse.move(x + 0.1 * width, y + 0.72 * height)
    page.mouse.down()
    page.mouse.move(x + 0.2 * width, y + 0.8 * height)
    held[0].continue_()
    expect(boxes(page)).not_to_have_count(0)
    faces = boxes(page).count()
    page.mouse.move(x + 0.3 * width, y + 0.95 * height)
    page.mouse.up()
    expect(boxes(page)).to_have_count(faces + 1)
    drawn = (x + 0.1 * width, y + 0.72 * height, 0.2 * width, 0.23 * height)
    assert place(boxes(page).last) == pytest.approx(drawn, abs=2 * CLOSE)


def test_a_slip_of_the_mouse_draws_nothing(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    draw_box(page, 0.5, 0.5, 0.505, 0.505)
    expect(boxes(page)).to_have_count(0)
    expect(page.locator("#undo-button")).to_be_disabled()


def test_everything_works_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    faces = open_example(page)
    boxes(page).first.focus()
    x, y, width, height = place(boxes(page).first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    moved_x, moved_y, *_ = place(boxes(page).first)
    assert moved_x > x
    assert moved_y > y
    assert moved_x - x == pytest.approx(2 * (moved_y - y), abs=CLOSE)
    page.keyboard.press("Shift+ArrowLeft")
    assert place(boxes(page).first)[2] < width
    assert place(boxes(page).first)[3] == pytest.approx(height, abs=CLOSE)

    page.keyboard.press("Tab")
    expect(boxes(page).nth(1)).to_be_focused()
    page.keyboard.press("Delete")
    expect(boxes(page)).to_have_count(faces - 1)
    expect(boxes(page).nth(1)).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Face 2 removed.")

    page.keyboard.press("Control+z")
    expect(boxes(page)).to_have_count(faces)
    page.keyboard.press("Control+Shift+z")
    expect(boxes(page)).to_have_count(faces - 1)

    page.get_by_role("button", name="Add box").press("Enter")
    expect(boxes(page)).to_have_count(faces)
    expect(boxes(page).last).to_be_focused()
    expect(boxes(page).last).to_have_attribute("aria-label", re.compile(f"^Face {faces}"))
    page.locator("#identify-button").press("Enter")
    expect(cards(page).last.locator(".answer")).not_to_have_count(0)


def test_presses_of_one_key_are_one_step_of_undo(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    page.locator("#add-button").click()
    box = boxes(page).first
    before = place(box)
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    assert place(box)[0] < before[0]
    page.keyboard.press("Control+z")
    assert place(box) == pytest.approx(before, abs=CLOSE)
    expect(boxes(page)).to_have_count(1)


def touch_drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag with a finger, through the browser's own input."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    send("touchStart", start)
    for step in range(1, 11):
        share = step / 10
        send("touchMove", tuple(a + (b - a) * share for a, b in zip(start, end, strict=True)))  # type: ignore[arg-type]
    send("touchEnd")


def test_a_finger_moves_and_draws_boxes(open_page: OpenPage) -> None:
    page = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    open_plain(page)
    left, top, wide, high = place(page.locator("cropper-canvas"))
    touch_drag(page, (left + 0.2 * wide, top + 0.3 * high), (left + 0.6 * wide, top + 0.5 * high))
    expect(boxes(page)).to_have_count(1)
    box = boxes(page).first
    x, y, width, height = place(box)
    touch_drag(page, (x + width / 2, y + height / 2), (x + width / 2 + 30, y + height / 2 + 40))
    assert place(box) == pytest.approx((x + 30, y + 40, width, height), abs=3)


def test_fewer_and_more_faces_changes_what_is_found(open_page: OpenPage) -> None:
    page = open_page()
    faces = open_example(page)
    slider = page.get_by_role("slider", name="Fewer or more faces")
    expect(slider).to_be_enabled()
    draw_box(page, 0.1, 0.72, 0.3, 0.95)
    expect(boxes(page)).to_have_count(faces + 1)
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^Level 1 of"))
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    assert 1 <= boxes(page).count() <= faces + 1
    # The box that was drawn by hand stays, whatever the finder finds.
    expect(boxes(page).last.locator(".box-tag b")).to_have_text(str(boxes(page).count()))
    page.keyboard.press("Control+z")
    expect(boxes(page)).to_have_count(faces + 1)


@pytest.fixture(scope="module")
def with_network(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the face network that ships beside the tests' model."""
    folder = tmp_path_factory.mktemp("with_network")
    models = shutil.copytree(tiny_model_folder, folder / "models")
    detector = find_detector_bundle()
    shutil.copytree(detector, models / detector.name)
    shutil.copy(detector.parent / "detector.json", models)
    with Server(folder / "reports", model=models) as server:
        yield server


def test_the_picture_is_turned_and_drawn_boxes_turn_with_it(
    open_page: OpenPage, with_network: Server
) -> None:
    """Four turns are none; the crop of a found face stays upright."""
    page = open_page(at=with_network)
    open_example(page)
    draw_box(page, 0.02, 0.75, 0.12, 0.98)
    expect(boxes(page)).to_have_count(4)
    stage = page.locator("cropper-canvas")
    wide = place(stage)
    before = page.evaluate(READ_CROP)
    page.locator("#turn-button").click()
    expect(boxes(page)).to_have_count(4)
    wait_for_answers(page)
    assert place(stage)[2] < place(stage)[3]
    drawn = boxes(page).last
    x, y, width, height = place(drawn)
    left, top, across, down = place(stage)
    middle = (x + width / 2 - left) / across, (y + height / 2 - top) / down
    assert middle == pytest.approx((1 - 0.865, 0.07), abs=0.02)
    assert abs(page.evaluate(READ_CROP) - before) < 0.1
    page.mouse.click(1, 1)
    for _ in range(3):
        page.keyboard.press("r")
    expect(boxes(page)).to_have_count(4)
    wait_for_answers(page)
    assert place(stage) == pytest.approx(wide, abs=1)


READ_CROP = """() => {
  // how much darker the upper half of the first face's crop is: hair above, skin below
  const canvas = document.querySelector('.face-card canvas');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  let upper = 0, lower = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (at / 4 < (width * height) / 2) upper += data[at + 1]; else lower += data[at + 1];
  }
  return upper / lower;
}"""


def test_what_the_model_sees_is_drawn_around_the_chosen_box(
    open_page: OpenPage, with_network: Server, tiny_bundle: Path
) -> None:
    page = open_page(at=with_network)
    open_example(page)
    box = boxes(page).first
    box.focus()
    _, _, width, _ = place(box)
    seen = box.evaluate("(element) => parseFloat(getComputedStyle(element, '::after').width)")
    bundle = json.loads((tiny_bundle / "bundle.json").read_text())
    assert seen == pytest.approx(width * bundle["preprocessing"]["margin"], abs=3)


def test_a_moving_picture_has_no_button_to_turn_it(open_page: OpenPage) -> None:
    page = open_page()
    frames = [draw_plain(120, 90, color) for color in ("#fff", "#f00")]
    choose(
        page, encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), "two.gif", "image/gif"
    )
    expect(page.locator("#frame-row")).to_be_visible()
    expect(page.locator("#turn-button")).to_be_hidden()


def test_the_possible_faces_fit_a_phone(open_page: OpenPage, with_network: Server) -> None:
    page = open_page(at=with_network, width=390, height=844)
    open_example(page)
    expect(page.locator("#more-faces")).to_be_visible()
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(too_wide) == 0
