"""Black bars around a picture change neither what is asked nor what is answered."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from steps import (
    FACES_IN_EXAMPLE,
    OpenPage,
    boxes,
    choose,
    draw_box,
    encode,
    read_example,
    wait_for_answers,
)

from kyara.vision.bars import find_picture


def read_crops(page: Page, image: Image.Image) -> list[str]:
    """Open a picture; return the crops that the page asks about."""
    with page.expect_request("**/api/identify") as request:
        choose(page, encode(image, "PNG"))
    wait_for_answers(page)
    return json.loads(request.value.post_data or "")["crops"]


def add_bars(image: Image.Image, top: int, bottom: int, left: int, right: int) -> Image.Image:
    pixels = np.asarray(image)
    return Image.fromarray(np.pad(pixels, ((top, bottom), (left, right), (0, 0))))


@pytest.mark.parametrize("bars", [(150, 130, 0, 0), (0, 0, 200, 170), (3, 90, 1, 40)])
def test_the_same_crops_are_asked_about(open_page: OpenPage, bars) -> None:
    image = read_example()
    page = open_page()
    plain = read_crops(page, image)
    assert len(plain) >= FACES_IN_EXAMPLE
    assert read_crops(page, add_bars(image, *bars)) == plain
    assert boxes(page).count() == len(plain)


def test_a_box_may_be_drawn_over_a_bar(open_page: OpenPage) -> None:
    image = add_bars(Image.new("RGB", (400, 200), "#3060c0"), 200, 200, 0, 0)
    page = open_page()
    choose(page, encode(image, "PNG"))
    page.locator('#status[data-kind="info"]').wait_for()
    draw_box(page, 0.2, 0.1, 0.6, 0.5)
    wait_for_answers(page)


@pytest.mark.parametrize("shade", [0, 16])
@pytest.mark.parametrize(
    "bars", [(0, 0, 0, 0), (30, 30, 0, 0), (0, 0, 50, 50), (7, 90, 0, 3), (200, 70, 130, 1)]
)
def test_the_page_finds_the_bars_that_the_server_finds(open_page: OpenPage, bars, shade: int) -> None:
    pixels = np.random.default_rng(2).integers(60, 256, (60, 80, 3), np.uint8)
    top, bottom, left, right = bars
    pixels = np.pad(pixels, ((top, bottom), (left, right), (0, 0)), constant_values=shade)
    expected = find_picture(pixels)
    found = open_page().evaluate(
        """async (bytes) => {
            const { shownPart } = await import("/static/js/faces/bars.js");
            return shownPart(await createImageBitmap(new Blob([new Uint8Array(bytes)])));
        }""",
        list(encode(Image.fromarray(pixels), "PNG")),
    )
    assert found == expected.to_json()
