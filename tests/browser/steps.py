"""What a visitor does, in words that the tests share."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from encoding import encode_image as encode
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect
from videos import EXAMPLE

LOCALES = {"en": "en-US", "zh": "zh-CN", "ja": "ja-JP"}
OpenPage = Callable[..., Page]
PHONE: dict[str, Any] = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
"""For `open_page`."""
FACES_IN_EXAMPLE = 3
"""At least: the face finder may take something else for a face."""

expect.set_options(timeout=60_000)


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


def choose_several(page: Page, *files: tuple[str, bytes], field: str = "#file-input") -> None:
    """Choose several PNG files, each with its name, at once."""
    page.set_input_files(
        field, [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
    )


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


def open_drawn(page: Page, shift: float = 0) -> None:
    """Open a drawn box with an answer; the shift makes its pixels its own."""
    open_plain(page)
    draw_box(page, 0.1 + shift, 0.1, 0.5 + shift, 0.7)
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()


def open_form(page: Page, number: int = 0) -> None:
    """Open *Wrong?* of a card."""
    cards(page).nth(number).locator(".card-wrong").click()
    expect(page.locator("#report-dialog")).to_be_visible()


def open_elsewhere(page: Page) -> Locator:
    """Open *Search elsewhere* of the first card; return its menu."""
    menu = cards(page).first.locator(".card-elsewhere")
    menu.locator("summary").click()
    return menu


def read_rows(folder: Path, label: str) -> list[sqlite3.Row]:
    """Return the reports of a label in a report folder."""
    with sqlite3.connect(folder / "reports.db") as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("select * from reports where label = ?", (label,)).fetchall()
    connection.close()
    return rows


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


def bring(page: Page, way: str, data: dict[str, str], files: Sequence[tuple[str, bytes]] = ()) -> None:
    """Paste (`paste`) or drop (`drop`) what another page or program has put together.

    Args:
        page: the page.
        way: the event.
        data: type → text.
        files: name and content of pictures.
    """
    page.evaluate(
        """([way, data, files]) => {
            const transfer = new DataTransfer();
            for (const [name, content] of files) {
                const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type: "image/png" }));
            }
            for (const [type, text] of Object.entries(data)) transfer.setData(type, text);
            const options = { bubbles: true, cancelable: true };
            const event = way === "paste"
                ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
                : new DragEvent(way, { ...options, dataTransfer: transfer });
            (document.activeElement ?? document.body).dispatchEvent(event);
        }""",
        [way, data, [(name, base64.b64encode(content).decode()) for name, content in files]],
    )


def thumbnails(page: Page) -> Locator:
    """The pictures of the tab."""
    return page.locator(".strip-open")


def seen_size(page: Page) -> float:
    """Width over height of the picture that is shown."""
    _, _, width, height = place(page.locator("cropper-canvas"))
    return width / height


HOLD_DATABASE = """([name, store]) => new Promise((resolve) => {
    const opening = indexedDB.open(name);
    opening.onsuccess = () => {
        const database = opening.result;
        const held = database.transaction(database.objectStoreNames, "readwrite").objectStore(store);
        globalThis.held = true;
        const go = () => {
            if (globalThis.held) held.count().onsuccess = go;
            else database.close();
        };
        go();
        resolve(null);
    };
})"""
"""Keep a database of the browser busy until `held` is false: other tabs wait for it."""
