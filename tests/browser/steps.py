"""What a visitor does, in words that the tests share."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect

EXAMPLE = Path(__file__).resolve().parents[2] / "static" / "vendor" / "example.png"
LOCALES = {"en": "en-US", "zh": "zh-CN", "ja": "ja-JP"}
OpenPage = Callable[..., Page]
FACES_IN_EXAMPLE = 3
"""At least: the face finder may take something else for a face."""

expect.set_options(timeout=20_000)


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    """Encode a picture in memory."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def draw_plain(width: int = 400, height: int = 300, color: str = "#d8e0f0") -> Image.Image:
    """A picture without a face."""
    image = Image.new("RGB", (width, height), color)
    ImageDraw.Draw(image).rectangle((20, 20, width // 3, height // 3), fill="#806020")
    return image


def read_example(width: int = 694) -> Image.Image:
    """The example picture, scaled to a width."""
    with Image.open(EXAMPLE) as image:
        return image.convert("RGB").resize((width, round(image.height * width / image.width)))


def choose(page: Page, data: bytes | Path, name: str = "picture.png", mime: str = "image/png") -> None:
    """Choose a file with the file button."""
    if isinstance(data, Path):
        page.set_input_files("#file-input", data)
    else:
        page.set_input_files("#file-input", {"name": name, "mimeType": mime, "buffer": data})


def open_example(page: Page) -> int:
    """Open the example, wait for its answers, and return how many faces were found."""
    page.locator("#welcome [data-example]").click()
    wait_for_answers(page)
    faces = boxes(page).count()
    assert faces >= FACES_IN_EXAMPLE
    return faces


def open_plain(page: Page, image: Image.Image | None = None) -> None:
    """Open a picture without a face and wait until the page has looked."""
    choose(page, encode(image or draw_plain(), "PNG"))
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    expect(boxes(page)).to_have_count(0)


def wait_for_answers(page: Page) -> None:
    """Wait until every face is answered."""
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    expect(page.locator('.face-card[data-mark="asking"]')).to_have_count(0)


def boxes(page: Page) -> Locator:
    """The boxes over the picture."""
    return page.locator(".face-box")


def cards(page: Page) -> Locator:
    """The cards beside the picture."""
    return page.locator(".face-card")


def place(locator: Locator) -> tuple[float, float, float, float]:
    """Where an element is on the screen: x, y, width, height."""
    box = locator.bounding_box()
    assert box
    return box["x"], box["y"], box["width"], box["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag with the mouse."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def draw_box(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Draw a box with the mouse; the corners are shares of the picture, 0 to 1."""
    page.locator("cropper-canvas").scroll_into_view_if_needed()
    x, y, width, height = place(page.locator("cropper-canvas"))
    start = (x + left * width, y + top * height)
    drag(page, start, (x + right * width, y + bottom * height))
