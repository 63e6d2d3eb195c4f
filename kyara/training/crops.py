"""Between dataset and training: where in a dataset's picture the face is.

Training shows a face in every width from the tight box to hair and shoulders, so it has to know where
the face is. Some datasets say so; in the rest the site's own detector looks, once for each picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from kyara.dataset.manifest import Face, read_face
from kyara.errors import BadInputError
from kyara.recognition.bundle import hash_file
from kyara.storage.atomic import replace_file
from kyara.storage.rereading import read_once
from kyara.training.augment import MARGINS, TrainingFace, find_flat_background
from kyara.vision.boxes import Box, grow_box
from kyara.vision.detectors.base import FaceDetector, open_detector
from kyara.vision.images import crop_pixels, shrink_pixels

USUAL_MARGIN = 1.6
"""Where no face is found, or several, the picture is taken for a crop that is so much wider than one."""
MOST_FACE_PX = 112
"""A larger face is made smaller before training: the network does not see more."""
SEARCHES_BETWEEN_WRITES = 500
Progress = Callable[[int], None]
"""Called with the number of pictures done since the last call."""
FindFaces = Callable[[Sequence[Face]], Sequence[Box | None]]
"""Tells where the one face of each picture is, as `find_faces` does."""
_hash_file = read_once(hash_file)


def read_told(faces: Sequence[Face]) -> list[Box | None]:
    """Return what the dataset itself tells: a `FindFaces` that searches nothing."""
    return [face.box for face in faces]


def find_faces(
    faces: Sequence[Face], cache: Path, progress: Progress = lambda done: None
) -> list[Box | None]:
    """Find the one face of each picture, asking the detector only what nobody has told yet.

    Args:
        faces: of a dataset.
        cache: folder; what was found is kept there by the picture's content, so that a kill costs
            little and the next run nothing.
        progress: called with 1 after each picture.

    Returns:
        The tight face in pixels of the picture; None where none was found, or several.

    Raises:
        BadInputError: a file is not a readable picture.
    """
    if all(face.box for face in faces):
        progress(len(faces))
        return read_told(faces)
    cache.mkdir(parents=True, exist_ok=True)
    known: dict[str, list[int] | None] = {}
    found: list[Box | None] = []
    searched = 0
    with open_detector() as detector:
        path = cache / f"faces-{detector.name}-{detector.version}.json"
        with suppress(OSError, ValueError):
            known = json.loads(path.read_text())
        for face in faces:
            progress(1)
            if face.box is not None:
                found.append(face.box)
                continue
            key = _hash(face)
            if key not in known:
                box = _find_only(detector, read_face(face))
                known[key] = box and [box.x, box.y, box.width, box.height]
                searched += 1
                if searched % SEARCHES_BETWEEN_WRITES == 0:
                    replace_file(path, json.dumps(known))
            place = known[key]
            found.append(Box(*place) if place else None)
    if searched:
        replace_file(path, json.dumps(known))
    return found


def _find_only(detector: FaceDetector, pixels: np.ndarray) -> Box | None:
    """Return the tight face of a picture that shows one."""
    found = detector.find(pixels)
    if len(found) != 1:
        return None
    return grow_box(found[0].box, 1 / detector.box_scale, pixels.shape[1], pixels.shape[0])


def _hash(face: Face) -> str:
    try:
        return _hash_file(face.path)
    except OSError as error:
        raise BadInputError(f"{face.path}: {error}") from error


def load_training_faces(
    faces: Sequence[Face], boxes: Sequence[Box | None], *, backgrounds: bool
) -> list[TrainingFace]:
    """Read pictures for training.

    Args:
        faces: of a dataset.
        boxes: as `find_faces` returns them.
        backgrounds: look for a flat background, which training then replaces.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    return [
        load_training_face(face, box, backgrounds=backgrounds)
        for face, box in zip(faces, boxes, strict=True)
    ]


def load_training_face(face: Face, box: Box | None, *, backgrounds: bool) -> TrainingFace:
    """Read one picture, without what lies too far from its face; see `load_training_faces`."""
    pixels = read_face(face)
    height, width = pixels.shape[:2]
    if box is None:
        across, down = width / USUAL_MARGIN, height / USUAL_MARGIN
        x, y = (width - across) / 2, (height - down) / 2
    else:
        x, y, across, down = box.x, box.y, box.width, box.height
    reach = MARGINS[1] / 2 + 0.2
    left, right = max(0, int(x + across * (0.5 - reach))), int(x + across * (0.5 + reach)) + 1
    top, bottom = max(0, int(y + down * (0.5 - reach))), int(y + down * (0.5 + reach)) + 1
    shown = pixels[top:bottom, left:right]
    longest = max(shown.shape[:2])
    small = shrink_pixels(shown, round(longest * min(1.0, MOST_FACE_PX / max(across, down))))
    shown, scale = np.ascontiguousarray(small), max(small.shape[:2]) / longest
    place = ((x - left) * scale, (y - top) * scale, across * scale, down * scale)
    return TrainingFace(shown, place, find_flat_background(shown) if backgrounds else None)


def cut_margin(face: TrainingFace, margin: float) -> np.ndarray:
    """Cut out the face with so much around it as serving would: `uint8 (h, w, 3)`."""
    x, y, across, down = face.face
    height, width = face.pixels.shape[:2]
    box = Box(round(x), round(y), max(1, round(across)), max(1, round(down)))
    return np.ascontiguousarray(crop_pixels(face.pixels, grow_box(box, margin, width, height)))
