"""Black bars around a picture: where the picture itself lies.

A detector scales the whole to its own size, so faces between bars would be smaller to it, and a crop
near the edge would take in a part of a bar.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kyara.vision.boxes import Box

MAX_BLACK = 24
"""Brightest channel, of 255, of what is black; JPEG leaves noise in bars."""
MAX_SPECKS = 0.005
"""Share of the pixels of a row or column of a bar that may be brighter."""


def find_picture(pixels: np.ndarray) -> Box:
    """Return the part of a picture within black bars; all of it where there are none, or nothing else.

    Args:
        pixels: `uint8 (H, W, 3)`.
    """
    height, width = pixels.shape[:2]
    return _find_bright(pixels) or Box(0, 0, width, height)


def join_picture(part: Box, pixels: np.ndarray) -> Box:
    """Return the part of a video within black bars, widened by what one more of its frames shows.

    Args:
        part: as far as it is known.
        pixels: `uint8 (H, W, 3)`; a black frame tells nothing.
    """
    height, width = pixels.shape[:2]
    if (part.width, part.height) == (width, height):
        return part
    shown = _find_bright(pixels) or part
    left, top = min(part.x, shown.x), min(part.y, shown.y)
    right = max(part.x + part.width, shown.x + shown.width)
    bottom = max(part.y + part.height, shown.y + shown.height)
    return Box(left, top, right - left, bottom - top)


def _find_bright(pixels: np.ndarray) -> Box | None:
    """Return the part that is not black; None where all of it is."""
    bright = pixels.max(axis=2) > MAX_BLACK
    rows = np.flatnonzero(np.count_nonzero(bright, axis=1) > MAX_SPECKS * pixels.shape[1])
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    within = bright[top:bottom]
    columns = np.flatnonzero(np.count_nonzero(within, axis=0) > MAX_SPECKS * len(within))
    if not len(columns):
        return None
    left, right = int(columns[0]), int(columns[-1]) + 1
    return Box(left, top, right - left, bottom - top)


def find_common_picture(frames: Iterable[np.ndarray], width: int, height: int) -> Box:
    """Return the part of a video within black bars: what is black in a dark scene alone is no bar.

    Args:
        frames: `uint8 (H, W, 3)` each, spread over the video; those of another size are passed over.
        width: of the video.
        height: likewise.

    Returns:
        The part in which any of them shows something; all of it where none does.
    """
    brightest = np.zeros((height, width, 3), np.uint8)
    for pixels in frames:
        if pixels.shape == brightest.shape:
            np.maximum(brightest, pixels, out=brightest)
    return find_picture(brightest)
