"""A picture stands upright on the page as it does on the server, whatever its format."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from steps import OpenPage, choose, encode, place

from kyara.vision.images import decode_image

FIELDS = {(0, 0): (200, 30, 30), (0, 1): (30, 160, 30), (1, 0): (30, 30, 200), (1, 1): (220, 200, 40)}
"""Four fields of colour, told from each other however the picture is turned."""


def draw_fields() -> Image.Image:
    """Return a picture that is wider than high."""
    pixels = np.zeros((200, 400, 3), np.uint8)
    for (row, column), colour in FIELDS.items():
        pixels[100 * row :, 200 * column :] = colour
    return Image.fromarray(pixels)


def read_fields(page: Page, data: bytes) -> list[list[int]]:
    """Return width and height of a WebP as the page decodes it, and the middles of its four quarters."""
    return page.evaluate(
        """async (encoded) => {
            const { decodeUpright } = await import("/static/js/picture/orientation.js");
            const blob = new Blob([Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0))]);
            const bitmap = await decodeUpright(blob, "image/webp");
            const { width, height } = bitmap;
            const context = new OffscreenCanvas(width, height).getContext("2d");
            context.drawImage(bitmap, 0, 0);
            const look = (x, y) => context.getImageData(x * width, y * height, 1, 1).data;
            const places = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]];
            return [[width, height], ...places.map(([x, y]) => [...look(x, y)].slice(0, 3))];
        }""",
        base64.b64encode(data).decode(),
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("told_by", ["exif", "xmp"])
def test_a_webp_is_turned_on_the_page_as_on_the_server(
    open_page: OpenPage, orientation: int, told_by: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    told = {"exif": exif, "xmp": f'<x tiff:Orientation="{orientation}"/>'.encode()}[told_by]
    data = encode(draw_fields(), "WEBP", lossless=True, **{told_by: told})
    expected = decode_image(data)
    height, width = expected.shape[:2]
    size, *fields = read_fields(open_page(), data)
    assert size == [width, height] == ([400, 200] if orientation < 5 else [200, 400])
    for number, field in enumerate(fields):
        row, column = divmod(number, 2)
        right = expected[(1 + 2 * row) * height // 4, (1 + 2 * column) * width // 4]
        assert np.abs(np.array(field) - right).max() <= 3, (number, field, right)


def test_a_turned_webp_is_shown_upright(open_page: OpenPage) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    page = open_page()
    choose(page, encode(draw_fields(), "WEBP", exif=exif), "photo.webp", "image/webp")
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    _, _, width, height = place(page.locator("cropper-canvas"))
    assert height / width == pytest.approx(2, rel=0.01)
