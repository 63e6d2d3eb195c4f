"""A picture goes in: by file, by paste, by drop, in every format, upright, frame by frame."""

from __future__ import annotations

import base64

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from steps import (
    FACES_IN_EXAMPLE,
    OpenPage,
    boxes,
    bring,
    cards,
    choose,
    draw_plain,
    encode,
    open_example,
    open_plain,
    place,
    read_example,
    seen_size,
    wait_for_answers,
)
from videos import EXAMPLE

from scripts.local_site import Server


def expect_faces(page: Page) -> None:
    wait_for_answers(page)
    faces = boxes(page).count()
    assert faces >= FACES_IN_EXAMPLE
    expect(cards(page)).to_have_count(faces)
    for number in range(faces):
        expect(boxes(page).nth(number).locator(".box-tag b")).to_have_text(str(number + 1))
        expect(cards(page).nth(number).locator(".card-number")).to_have_text(str(number + 1))
        expect(cards(page).nth(number).locator(".answer")).not_to_have_count(0)


def test_a_picture_goes_in_by_file(open_page: OpenPage) -> None:
    page = open_page()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(EXAMPLE)
    expect_faces(page)


def test_a_picture_goes_in_by_paste(open_page: OpenPage, server: Server) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    other = page.context.new_page()  # what is pasted comes from another page
    other.route("**/elsewhere", lambda route: route.fulfill(body="", content_type="text/html"))
    other.goto(f"{server.url}/elsewhere")
    other.evaluate(
        """async (url) => {
            const blob = await (await fetch(url)).blob();
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        "/static/vendor/example.png",
    )
    other.close()
    page.bring_to_front()
    page.keyboard.press("Control+V")
    expect_faces(page)


def test_a_picture_goes_in_by_drop_anywhere(open_page: OpenPage) -> None:
    page = open_page()
    transfer = page.evaluate_handle(
        """(data) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
            return transfer;
        }""",
        base64.b64encode(EXAMPLE.read_bytes()).decode(),
    )
    page.dispatch_event("footer", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("#drop-overlay")).to_be_visible()
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.locator("#drop-overlay")).to_be_hidden()
    expect_faces(page)


def test_the_example_shows_faces(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    expect_faces(page)


def test_a_dropped_link_is_explained(open_page: OpenPage) -> None:
    page = open_page()
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.setData("text/uri-list", "mailto:somebody@example.org");
            return transfer;
        }"""
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.locator("#status-text")).to_contain_text("That was a link")


@pytest.mark.parametrize(
    ("form", "mime"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
        ("BMP", "image/bmp"),
    ],
)
def test_each_format_opens_whatever_its_name_says(open_page: OpenPage, form: str, mime: str) -> None:
    page = open_page()
    choose(page, encode(draw_plain(320, 200), form), "file.bin", "application/octet-stream")
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    expect(page.locator("#frame-row")).to_be_hidden()
    _, _, width, height = place(page.locator("cropper-canvas"))
    assert width / height == pytest.approx(320 / 200, rel=0.01)


def test_a_photo_is_turned_as_its_exif_says(open_page: OpenPage) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    page = open_page()
    choose(page, encode(draw_plain(400, 200), "JPEG", exif=exif), "photo.jpg", "image/jpeg")
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    _, _, width, height = place(page.locator("cropper-canvas"))
    assert height / width == pytest.approx(2, rel=0.01)


def test_a_big_picture_fits_the_page(open_page: OpenPage) -> None:
    page = open_page()
    image = Image.new("RGB", (8000, 5000), "#e8e8ff")
    open_plain(page, image)
    _, _, width, _ = place(page.locator("cropper-canvas"))
    assert 300 < width < 1280


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_a_broken_file_is_explained_and_the_page_goes_on(open_page: OpenPage, language: str) -> None:
    says = {"en": "cannot read this file", "zh": "无法读取", "ja": "読み込めません"}
    page = open_page(language)
    whole = encode(draw_plain(), "PNG")
    choose(page, whole[: len(whole) // 2], "broken.png")
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    expect(page.locator("#status-text")).to_contain_text(says[language])
    choose(page, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "drawing.svg", "image/svg+xml")
    expect(page.locator("#status-text")).to_contain_text(says[language])
    open_plain(page)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_walked_frame_by_frame(open_page: OpenPage, form: str) -> None:
    frames = [draw_plain(240, 160, color) for color in ("#ff0000", "#00ff00", "#0000ff")]
    data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=100, loop=0)
    page = open_page()
    choose(page, data, "moving")
    expect(page.locator("#frame-label")).to_have_text("Frame 1 of 3")
    slider = page.get_by_role("slider", name="Frame")
    slider.press("ArrowRight")
    expect(page.locator("#frame-label")).to_have_text("Frame 2 of 3")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "Frame 3 of 3")
    expect(page.locator("#status-text")).to_contain_text("No face in this frame")
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".stage-image");
            const pixel = canvas.getContext("2d").getImageData(canvas.width - 5, 5, 1, 1);
            const [red, green, blue] = pixel.data;
            return red < 40 && green < 40 && blue > 200;
        }"""
    )


def test_faces_of_a_later_frame_are_found(open_page: OpenPage) -> None:
    example = read_example(480)
    blank = Image.new("RGB", example.size, "#c0d0e0")
    page = open_page()
    choose(page, encode(blank, "WEBP", save_all=True, append_images=[example], lossless=True), "moving")
    expect(page.locator("#status-text")).to_contain_text("No face in this frame")
    page.get_by_role("slider", name="Frame").press("End")
    expect_faces(page)


def test_a_video_is_walked_by_time(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas");
            canvas.width = 160;
            canvas.height = 120;
            const context = canvas.getContext("2d");
            const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" });
            const parts = [];
            recorder.ondataavailable = (event) => parts.push(event.data);
            const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
            recorder.start();
            const start = performance.now();
            await new Promise((resolve) => {
                const draw = () => {
                    const passed = performance.now() - start;
                    context.fillStyle = passed < 500 ? "#ff0000" : "#0000ff";
                    context.fillRect(0, 0, 160, 120);
                    if (passed < 1500) requestAnimationFrame(draw);
                    else resolve();
                };
                draw();
            });
            recorder.stop();
            await stopped;
            const transfer = new DataTransfer();
            transfer.items.add(new File(parts, "clip.webm", { type: "video/webm" }));
            const input = document.getElementById("file-input");
            input.files = transfer.files;
            input.dispatchEvent(new Event("change"));
        }"""
    )
    label = page.locator("#frame-label")
    expect(label).to_contain_text("0:00.0 of 0:01.")
    slider = page.get_by_role("slider", name="Frame")
    slider.press("End")
    expect(label).not_to_contain_text("0:00.0 of")
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".stage-image");
            const [red, , blue] = canvas.getContext("2d").getImageData(5, 5, 1, 1).data;
            return red < 60 && blue > 180;
        }"""
    )
    expect(page.locator("#status-text")).to_contain_text("No face in this frame")


def test_an_address_is_taken_though_a_slider_has_the_focus(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    page.locator("#level-slider").focus()
    wide = base64.b64encode(encode(draw_plain(400, 200), "PNG")).decode()
    bring(page, "paste", {"text/plain": f"data:image/png;base64,{wide}"})
    expect(boxes(page)).to_have_count(0)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    assert seen_size(page) == pytest.approx(2, rel=0.01)


def test_undo_in_the_address_field_is_the_fields_own(open_page: OpenPage) -> None:
    field = open_page().get_by_label("Address of a picture")
    field.press_sequentially("https://a")
    field.press("Control+z")
    expect(field).not_to_have_value("https://a")
