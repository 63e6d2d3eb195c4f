"""A frame → the faces in it, with margin, and the parts that are kept besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kyara.dataset.collect.settings import Settings
from kyara.vision.boxes import Box, widen_box
from kyara.vision.detectors.base import FaceDetector


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


def find_faces(pixels: np.ndarray, settings: Settings, detector: FaceDetector) -> list[Found]:
    """Find what is to be kept of a frame, near-duplicates included.

    Args:
        pixels: `uint8 (H, W, 3)`.
        settings: level, margin, smallest size, and whether parts are kept.
        detector: finds bare faces.
    """
    height, width = pixels.shape[:2]
    found = [
        Found(
            widen_box(face.box, settings.margin, width, height), settings.detector, round(face.score, 4)
        )
        for face in detector.find(pixels, level=settings.level, plays=True)
        if min(face.box.width, face.box.height) >= settings.smallest_px
    ]
    if settings.left_right_full:
        half = max(1, width // 2)
        found += [
            Found(Box(0, 0, half, height), "left", None),
            Found(Box(width - half, 0, half, height), "right", None),
            Found(Box(0, 0, width, height), "full", None),
        ]
    return found
