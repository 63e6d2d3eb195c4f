"""Between dataset and training: faces whose pictures are wider than what the site will crop.

The detector's boxes are what a visitor usually sends. Where the pictures of a character show much more
than that, training also gets the part that the detector would cut out, so that both are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kyara.dataset.manifest import Face
from kyara.vision.boxes import Box
from kyara.vision.detectors.lbp_cascade import propose_faces
from kyara.vision.images import crop_pixels, resize_pixels

DETECTOR_LEVEL = 0
PROBES = 5
"""Faces of each character that decide whether the rest are searched."""
CLOSE_SIDE = 0.85
"""A box counts as a close-up where its side is below this share of the picture's."""


def find_close_ups(faces: Sequence[Face], pixels: np.ndarray) -> dict[int, Box]:
    """Find the detector's box in the pictures of characters that are usually shown wide.

    The first few faces of each label are probed; only where at least half of the boxes found there are
    close-ups is the whole label searched. A picture with several faces is left alone: it does not
    say which one is meant.

    Args:
        faces: what the pixels show.
        pixels: `uint8 (N, S, S, 3)`, in the same order.

    Returns:
        Position in `faces` → box in pixels of that picture.
    """
    found: dict[int, Box] = {}
    for label in dict.fromkeys(face.label for face in faces):
        rows = [row for row, face in enumerate(faces) if face.label == label]
        probed = [_find_only_face(pixels[row]) for row in rows[:PROBES]]
        sides = [box.width / pixels.shape[2] for box in probed if box]
        if not sides or np.median(sides) >= CLOSE_SIDE:
            continue
        boxes = probed + [_find_only_face(pixels[row]) for row in rows[PROBES:]]
        for row, box in zip(rows, boxes, strict=True):
            if box and box.width < CLOSE_SIDE * pixels.shape[2]:
                found[row] = box
    return found


def _find_only_face(pixels: np.ndarray) -> Box | None:
    boxes = propose_faces(pixels, level=DETECTOR_LEVEL)
    return boxes[0] if len(boxes) == 1 else None


def cut_close_ups(pixels: np.ndarray, boxes: dict[int, Box]) -> np.ndarray:
    """Cut the boxes out and bring them to the pictures' size.

    Args:
        pixels: `uint8 (N, S, S, 3)`.
        boxes: as `find_close_ups` returns them.

    Returns:
        `uint8 (len(boxes), S, S, 3)`, in the order of the dictionary.
    """
    size = pixels.shape[1]
    cut = [
        resize_pixels(np.ascontiguousarray(crop_pixels(pixels[row], box)), size)
        for row, box in boxes.items()
    ]
    return np.stack(cut) if cut else np.empty((0, *pixels.shape[1:]), np.uint8)
