"""Colours and pictures of maps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kyara.vision.drawing import colour_heat, draw_heatmap, draw_overlay, encode_heatmap, fit_size
from kyara.vision.images import decode_image

RAMP = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (16, 1))


def test_colours_are_those_of_magma():
    levels = np.arange(256, dtype=np.uint8)
    expected = cv2.applyColorMap(levels[:, None], cv2.COLORMAP_MAGMA)[:, 0, ::-1]
    found = colour_heat(levels / 255)
    assert np.abs(found.astype(int) - expected).max() <= 3
    assert colour_heat(np.array([-1.0, 2.0])).tolist() == [[0, 0, 4], [252, 253, 191]]


@pytest.mark.parametrize(
    ("size", "fitted"), [((640, 320), (320, 160)), ((10, 20), (160, 320)), ((1, 9000), (1, 320))]
)
def test_a_map_has_the_shape_of_its_crop(size: tuple[int, int], fitted: tuple[int, int]):
    assert fit_size(*size) == fitted
    assert draw_heatmap(RAMP, fitted).shape == (fitted[1], fitted[0], 3)


def test_the_png_is_small_and_holds_the_drawn_map():
    data = encode_heatmap(RAMP, (320, 200))
    difference = decode_image(data).astype(int) - draw_heatmap(RAMP, (320, 200))
    assert len(data) < 40_000
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize("shape", [(90, 60, 3), (1, 500, 3), (500, 1, 3)])
def test_an_overlay_shows_the_crop_in_colour_and_the_map_beside_it(shape: tuple[int, int, int]):
    pixels = np.full(shape, (200, 40, 40), np.uint8)
    width, height = fit_size(shape[1], shape[0])
    sheet = draw_overlay(pixels, RAMP, "nothing", "most")
    assert sheet.shape[0] > height
    assert (sheet[:height, :width] == (200, 40, 40)).all()
    beside = sheet[height // 2, width + 8 : 2 * width + 8].astype(int)
    assert beside[-1].sum() >= beside[0].sum()
