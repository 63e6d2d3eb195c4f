"""What pictures lose on their way."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import ROOT

from kyara.vision.alterations import (
    ALTERATIONS,
    compress_jpeg,
    lower_resolution,
    print_screentone,
    tilt,
)
from kyara.vision.images import read_image


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.ascontiguousarray(read_image(ROOT / "static" / "vendor" / "example.png")[270:410, 330:470])


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_alteration_keeps_the_shape_and_changes_the_picture(picture, name):
    before = picture.copy()
    altered = ALTERATIONS[name](picture)
    assert (altered.shape, altered.dtype) == (picture.shape, np.uint8)
    assert not np.array_equal(altered, picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("name", ["grey", "screentone"])
def test_no_colour_is_left(picture, name):
    assert np.ptp(ALTERATIONS[name](picture), axis=2).max() == 0


def test_a_screentone_has_dots_that_are_denser_where_it_is_darker():
    shares = [
        (print_screentone(np.full((60, 60, 3), grey, np.uint8), 4) > 127).mean() for grey in (50, 200)
    ]
    assert shares[0] < 0.35 < 0.65 < shares[1]
    printed = print_screentone(np.full((60, 60, 3), 127, np.uint8), 4)
    assert ((printed < 30) | (printed > 225)).mean() > 0.5


def test_a_lower_resolution_has_no_detail_left():
    lines = np.zeros((120, 120, 3), np.uint8)
    lines[:, ::2] = 255
    assert lower_resolution(lines, 30).std() < 10
    np.testing.assert_array_equal(lower_resolution(lines, 200), lines)


def test_a_tilt_is_clockwise():
    bar = np.zeros((101, 101, 3), np.uint8)
    bar[:50, 48:53] = 255  # upwards from the middle
    turned = tilt(bar, 90)
    assert turned[50, 75].min() > 200  # to the right


def test_a_lower_quality_loses_more(picture):
    errors = [np.abs(compress_jpeg(picture, q).astype(int) - picture).mean() for q in (90, 20)]
    assert errors[0] < errors[1]
