"""A frame → the faces in it, with margin, and the parts that are kept besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kyara.collecting.settings import Settings
from kyara.faces import propose_voted_faces
from kyara.images import Box


@dataclass(frozen=True)
class Found:
    """Something to keep of a frame.

    Attributes:
        box: in pixels of the frame, margin included.
        detector: what found it; `left`, `right` and `full` are parts of the frame.
        score: the detector's: of the cascade, how many windows agree; of animeface-2009, a likelihood;
            None of a part.
    """

    box: Box
    detector: str
    score: float | None


Detect = Callable[[np.ndarray], list[tuple[Box, float]]]
"""`uint8 (H, W, 3)` → bare boxes with their scores, in a steady order."""


def use_cascade(level: int) -> Detect:
    """Return the cascade as a detector."""
    return lambda pixels: [
        (box, float(votes)) for box, votes in propose_voted_faces(pixels, level=level)
    ]


def find_faces(pixels: np.ndarray, settings: Settings, detect: Detect) -> list[Found]:
    """Find what is to be kept of a frame, near-duplicates included.

    Args:
        pixels: `uint8 (H, W, 3)`.
        settings: margin, smallest size, and whether parts are kept.
        detect: finds bare faces.
    """
    height, width = pixels.shape[:2]
    found = [
        Found(widen_box(box, settings.margin, width, height), settings.detector, round(score, 4))
        for box, score in detect(pixels)
        if min(box.width, box.height) >= settings.smallest_px
    ]
    if settings.left_right_full:
        half = max(1, width // 2)
        found += [
            Found(Box(0, 0, half, height), "left", None),
            Found(Box(width - half, 0, half, height), "right", None),
            Found(Box(0, 0, width, height), "full", None),
        ]
    return found


def widen_box(box: Box, margin: float, width: int, height: int) -> Box:
    """Add a share of a box's size on each side, and cut it to the picture.

    Args:
        box: inside the picture.
        margin: share of the box's width, left and right, and height, above and below.
        width: of the picture.
        height: of the picture.
    """
    more_x, more_y = round(box.width * margin), round(box.height * margin)
    left, top = max(0, box.x - more_x), max(0, box.y - more_y)
    right = min(width, box.x + box.width + more_x)
    bottom = min(height, box.y + box.height + more_y)
    return Box(left, top, right - left, bottom - top)


def scale_box(box: Box, scale: float) -> Box:
    """Bring a box from a frame that was made smaller to the frame as the video has it."""
    if scale == 1:
        return box
    left, top = round(box.x / scale), round(box.y / scale)
    right, bottom = round((box.x + box.width) / scale), round((box.y + box.height) / scale)
    return Box(left, top, right - left, bottom - top)
