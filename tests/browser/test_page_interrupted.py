"""What comes while something else is under way: nothing is lost, and nothing is shown that is not so."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect
from steps import (
    OpenPage,
    boxes,
    choose,
    choose_several,
    draw_box,
    draw_plain,
    encode,
    open_drawn,
    open_example,
    open_form,
    open_plain,
    read_example,
    thumbnails,
    wait_for_answers,
)
from videos import EXAMPLE

from kyara.vision.detectors.lbp_cascade import CascadeDetector

FINDER = "**/opencv.wasm"


def hold(page: Page, address: str) -> list[Route]:
    """Let requests wait until `release`."""
    held: list[Route] = []
    page.context.route(address, lambda route: held.append(route))
    return held


def release(page: Page, address: str, held: list[Route]) -> None:
    """Let them go, and all others."""
    for route in held:
        route.continue_()
    page.context.unroute(address)


def read_crop_sizes(request: Any) -> list[tuple[int, int]]:
    """The sizes of the crops of a question."""
    crops = json.loads(request.post_data)["crops"]
    return [Image.open(io.BytesIO(base64.b64decode(crop.split(",")[1]))).size for crop in crops]


def test_what_was_asked_before_the_finder_is_there_is_asked_as_its_boxes_are(
    open_page: OpenPage,
) -> None:
    """The network's boxes are tight; the cascade, which finds here, has wide ones: crops add less."""
    page = open_page(fresh=True)
    held = hold(page, FINDER)
    choose(page, encode(draw_plain(), "PNG"))
    expect(page.locator("#status-text")).to_contain_text("Loading the face finder")
    with page.expect_request("**/api/identify") as first:
        draw_box(page, 0.4, 0.4, 0.6, 0.65)
    wait_for_answers(page)
    with page.expect_request("**/api/identify") as second:
        release(page, FINDER, held)
    wait_for_answers(page)
    (tight,), (wide,) = (read_crop_sizes(asked.value) for asked in (first, second))
    assert tight[0] / wide[0] == pytest.approx(CascadeDetector().box_scale, rel=0.05)


def test_a_file_that_cannot_be_read_does_not_end_the_search(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    held = hold(page, FINDER)
    choose(page, EXAMPLE.read_bytes())
    expect(page.locator("#status-text")).to_contain_text("Loading the face finder")
    choose(page, b"no picture", "notes.pdf", "application/pdf")
    expect(page.locator(".toast-words")).to_contain_text("cannot read this file")
    release(page, FINDER, held)
    wait_for_answers(page)
    assert boxes(page).count() >= 3


def test_back_at_the_shown_frame_before_the_other_is_there(open_page: OpenPage) -> None:
    """Right and left in one moment: picture, slider and boxes are of one frame."""
    frames = [read_example(), draw_plain(694, 492, "#204060")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)
    page = open_page()
    choose(page, data, "two.gif", "image/gif")
    wait_for_answers(page)
    count = boxes(page).count()
    slider = page.locator("#frame-slider")
    slider.evaluate(
        """(slider) => {
            for (const value of [1, 0]) {
                slider.value = value;
                for (const name of ["input", "change"]) slider.dispatchEvent(new Event(name));
            }
        }"""
    )
    wait_for_answers(page)
    expect(boxes(page)).to_have_count(count)
    expect(slider).to_have_value("0")
    slider.press("ArrowRight")
    expect(boxes(page)).to_have_count(0)


def test_a_picture_that_was_left_before_its_search_is_searched_when_it_is_back(
    open_page: OpenPage,
) -> None:
    page = open_page(fresh=True)
    held = hold(page, FINDER)
    choose(page, EXAMPLE.read_bytes())
    expect(page.locator("#status-text")).to_contain_text("Loading the face finder")
    draw_box(page, 0.02, 0.02, 0.1, 0.2)
    wait_for_answers(page)
    choose(page, encode(draw_plain(), "PNG"))
    expect(thumbnails(page)).to_have_count(2)
    release(page, FINDER, held)
    expect(page.locator("#status-text")).to_contain_text("No face found")
    thumbnails(page).first.click()
    wait_for_answers(page)
    assert boxes(page).count() >= 4, "the drawn one, and those that were found"


def test_where_no_other_picture_can_be_read_a_removed_one_leaves_the_page_empty(
    open_page: OpenPage,
) -> None:
    page = open_page()
    choose_several(page, ("good.png", encode(draw_plain(), "PNG")), ("bad.png", b"no picture"))
    expect(thumbnails(page)).to_have_count(2)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    page.locator(".strip-remove").first.click()
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#workspace")).to_be_hidden()


def test_the_example_does_not_take_the_place_of_what_is_opened_meanwhile(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    held = hold(page, "**/example.png")
    example = page.locator("#welcome [data-example]")
    example.click()
    example.click()
    open_plain(page)
    release(page, "**/example.png", held)
    expect(page.locator("#pictures")).to_be_hidden()
    page.locator("#home-link").click()
    expect(thumbnails(page)).to_have_count(1)


def test_teaching_survives_that_another_picture_opens_under_the_form(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    open_drawn(page)
    open_form(page)
    page.keyboard.type("Somebody Kept")
    choose(page, encode(draw_plain(300, 200), "PNG"))
    expect(thumbnails(page)).to_have_count(2)
    page.locator("#report-here").click()
    expect(page.locator(".toast-words")).to_contain_text("Somebody Kept")
    page.locator("#taught-button").click()
    expect(page.locator("#taught-dialog .taught-name")).to_have_text("Somebody Kept")


def answer(status: int, body: str = "{}") -> Callable[[Route], None]:
    """A server, or somebody on the way, that says this."""
    return lambda route: route.fulfill(status=status, body=body, content_type="text/html")


def test_an_answer_that_is_none_can_be_asked_for_again_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    page.context.route("**/api/identify", answer(200, "<p>Log in to this network</p>"))
    open_plain(page)
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    again = page.locator("#status-action")
    expect(again).to_have_text("Try again")
    page.context.unroute("**/api/identify")
    again.press("Enter")
    wait_for_answers(page)
    expect(page.locator("#status")).to_be_focused()


def send_report(page: Page, name: str) -> None:
    """By mouse."""
    open_form(page)
    page.locator("#report-label").fill(name)
    page.locator("#report-keep").uncheck()
    page.locator("#report-send").click()


def test_a_report_of_which_no_answer_comes_is_sent_again(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    open_drawn(page)
    page.context.route("**/api/reports", answer(200, "<p>Log in</p>"))
    send_report(page, "Sent Twice")
    expect(page.locator(".toast-words")).to_contain_text("will be sent")
    page.context.unroute("**/api/reports")
    expect(page.locator(".toast-words")).to_contain_text("Thank you")
    expect(page.locator(".toast-undo")).not_to_be_focused()  # the space bar scrolls


def test_what_was_written_is_there_again_where_a_report_is_refused(open_page: OpenPage) -> None:
    page = open_page(fresh=True, failures_expected=True)
    open_drawn(page)
    page.context.route("**/api/reports", answer(507, '{"detail": "The disk is full."}'))
    send_report(page, "Written Once")
    expect(page.locator(".toast-words")).to_contain_text("The disk is full.")
    open_form(page)
    expect(page.locator("#report-label")).to_have_value("Written Once")


def test_an_undo_that_fails_for_a_moment_can_be_tried_again(open_page: OpenPage) -> None:
    page = open_page(fresh=True, failures_expected=True)
    open_drawn(page)
    send_report(page, "Taken Back Late")
    expect(page.locator(".toast-words")).to_contain_text("Thank you")
    page.context.route("**/api/reports/**", answer(503))
    page.locator(".toast-undo").click()
    expect(page.locator(".toast-words")).not_to_contain_text("Thank you")
    page.context.unroute("**/api/reports/**")
    page.locator(".toast-undo").click()
    expect(page.locator(".toast-words")).to_have_text("Your report is withdrawn.")


def test_undo_leaves_the_focus_on_a_box(open_page: OpenPage) -> None:
    page = open_page()
    open_drawn(page)
    draw_box(page, 0.65, 0.1, 0.9, 0.5)
    expect(boxes(page)).to_have_count(2)
    boxes(page).nth(1).focus()
    page.keyboard.press("Control+z")
    expect(boxes(page)).to_have_count(1)
    expect(boxes(page).first).to_be_focused()


def test_a_file_dropped_beside_a_form_is_left_alone(open_page: OpenPage) -> None:
    page = open_page()
    open_drawn(page)
    open_form(page)
    is_taken = page.evaluate(
        """() => ["dragover", "drop"].map((name) => {
            const data = new DataTransfer();
            data.items.add(new File(["x"], "x.png", { type: "image/png" }));
            const event = new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: data });
            document.body.dispatchEvent(event);
            return event.defaultPrevented;
        })"""
    )
    assert is_taken == [True, True]
    expect(page.locator("#report-dialog")).to_be_visible()


def test_live_that_cannot_load_the_finder_says_so_and_keeps_the_boxes(open_page: OpenPage) -> None:
    frames = [draw_plain(), draw_plain(color="#304050")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)
    page = open_page(fresh=True, failures_expected=True)
    page.context.route(FINDER, lambda route: route.abort())
    choose(page, data, "two.gif", "image/gif")
    expect(page.locator("#status-text")).to_contain_text("could not be loaded")
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    wait_for_answers(page)
    page.locator("#live-button").click()
    expect(page.locator("#status-text")).to_contain_text("could not be loaded")
    expect(boxes(page)).to_have_count(1)
    page.context.unroute(FINDER)
    page.locator("#status-action").click()
    expect(page.locator("#status-text")).to_contain_text("Live")


def test_one_bad_taught_picture_does_not_silence_the_others(open_page: OpenPage) -> None:
    """The browser shows a GIF whatever it is called; the server takes none."""
    page = open_page(fresh=True)
    open_example(page)
    page.evaluate(
        """async ([gif]) => {
            const { writeCharacters } = await import("/static/js/taught/store.js");
            const canvas = new OffscreenCanvas(64, 64);
            canvas.getContext("2d").fillRect(10, 10, 20, 20);
            const blob = await canvas.convertToBlob({ type: "image/png" });
            const good = await new Promise((resolve) => {
                const reader = new FileReader();
                reader.onload = () => resolve(reader.result);
                reader.readAsDataURL(blob);
            });
            const picture = (id, crop) => ({ id, crop, network: "", embedding: null });
            const pictures = [picture("bad", gif), picture("good", good)];
            await writeCharacters([{ id: "one", label: "", name: "One", work: "", pictures }], []);
        }""",
        ["data:image/png;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"],
    )
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    choose(page, encode(read_example(500), "PNG"))
    wait_for_answers(page)
    kept = page.evaluate(
        """async () => {
            const { readCharacters } = await import("/static/js/taught/store.js");
            const [{ pictures }] = await readCharacters();
            return pictures.map((one) => [one.id, one.network !== "", one.embedding !== null]);
        }"""
    )
    assert sorted(kept) == [["bad", True, False], ["good", True, True]]
