"""Black bars around a picture, told from the picture."""

from __future__ import annotations

import numpy as np
import pytest
from encoding import encode_image

from kyara.vision.bars import find_common_picture, find_picture, join_picture
from kyara.vision.boxes import Box
from kyara.vision.images import decode_image

PICTURE = np.random.default_rng(2).integers(60, 256, (60, 80, 3), np.uint8)


def frame(top: int, bottom: int, left: int, right: int, shade: int = 0) -> np.ndarray:
    """Return the picture with bars."""
    sides = ((top, bottom), (left, right), (0, 0))
    return np.pad(PICTURE, sides, constant_values=shade)


@pytest.mark.parametrize(
    "bars", [(0, 0, 0, 0), (30, 30, 0, 0), (0, 0, 50, 50), (7, 90, 0, 3), (1, 1, 1, 1)]
)
@pytest.mark.parametrize("shade", [0, 16])
def test_the_picture_lies_within_its_bars(bars, shade):
    top, bottom, left, right = bars
    assert find_picture(frame(top, bottom, left, right, shade)) == Box(left, top, 80, 60)


def test_noise_of_jpeg_in_a_bar_is_no_picture():
    found = find_picture(decode_image(encode_image(frame(40, 40, 0, 0), "JPEG", quality=60)))
    assert abs(found.y - 40) <= 8 and abs(found.height - 60) <= 16
    assert (found.x, found.width) == (0, 80)


@pytest.mark.parametrize("shade", [0, 60, 255])
def test_a_picture_of_one_colour_is_all_picture(shade):
    assert find_picture(np.full((9, 7, 3), shade, np.uint8)) == Box(0, 0, 7, 9)


def test_white_margins_stay():
    assert find_picture(frame(20, 20, 0, 0, 255)) == Box(0, 0, 80, 100)


@pytest.mark.parametrize("bars", [(0, 0, 0, 0), (30, 30, 0, 0), (7, 90, 0, 3)])
def test_a_dark_scene_is_no_bar_of_a_video(bars):
    top, _, left, _ = bars
    whole = frame(*bars)
    dark = whole.copy()
    dark[: top + 20], dark[:, : left + 50] = 0, 0
    found = [
        find_common_picture(frames, whole.shape[1], whole.shape[0])
        for frames in ([dark, whole, dark], [whole, np.zeros_like(whole)], [whole, PICTURE[:9]])
    ]
    assert found == [Box(left, top, 80, 60)] * 3
    assert find_common_picture([dark, dark], whole.shape[1], whole.shape[0]).y == top + 20


def test_one_more_frame_widens_the_part_and_never_narrows_it():
    part = Box(10, 30, 60, 40)
    black = np.zeros((100, 80, 3), np.uint8)
    assert join_picture(part, black) == part
    inside = black.copy()
    inside[35:50, 20:30] = 200
    assert join_picture(part, inside) == part
    assert join_picture(part, frame(0, 40, 0, 0)) == Box(0, 0, 80, 70)
    below = np.pad(PICTURE[:60, :50], ((40, 0), (30, 0), (0, 0)))
    assert join_picture(part, below) == Box(10, 30, 70, 70)


def test_a_video_that_shows_nothing_is_all_picture():
    assert find_common_picture([], 7, 9) == Box(0, 0, 7, 9)
    assert find_common_picture([np.zeros((9, 7, 3), np.uint8)], 7, 9) == Box(0, 0, 7, 9)
