from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT

from kyara.dataset.manifest import Face
from kyara.training.crops import cut_close_ups, find_close_ups
from kyara.vision.boxes import Box
from kyara.vision.images import crop_pixels, read_image, resize_pixels

WIDE = Box(60, 10, 520, 520)
TIGHT = Box(254, 202, 290, 290)


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    return read_image(ROOT / "static" / "vendor" / "example.png")


def show(example: np.ndarray, *boxes: Box) -> np.ndarray:
    """Cut boxes out of the example as training sees them."""
    return np.stack(
        [resize_pixels(np.ascontiguousarray(crop_pixels(example, box)), 192) for box in boxes]
    )


def faces_of(*labels: str) -> list[Face]:
    return [
        Face(Path(f"{number}.png"), label, "train", str(number)) for number, label in enumerate(labels)
    ]


def test_the_face_in_a_wide_picture_is_found_and_a_tight_one_is_left(example):
    pixels = show(example, TIGHT, WIDE, TIGHT, WIDE)
    found = find_close_ups(faces_of("tight", "wide", "tight", "wide"), pixels)
    assert sorted(found) == [1, 3]
    middle = found[1].x + found[1].width / 2
    assert middle == pytest.approx((399 - WIDE.x) * 192 / WIDE.width, abs=12)


def test_a_picture_of_several_faces_is_left_alone(example):
    several = show(example, Box(220, 0, 700, 560))
    assert find_close_ups(faces_of("group"), several) == {}


def test_pictures_without_a_face_are_left_alone():
    assert find_close_ups(faces_of("a", "b"), np.full((2, 64, 64, 3), 200, np.uint8)) == {}


def test_close_ups_have_the_size_of_the_pictures():
    pixels = np.zeros((2, 64, 64, 3), np.uint8)
    pixels[1, 16:48, 16:48] = 255
    cut = cut_close_ups(pixels, {1: Box(16, 16, 32, 32)})
    assert cut.shape == (1, 64, 64, 3)
    assert cut.min() == 255
    assert cut_close_ups(pixels, {}).shape == (0, 64, 64, 3)
