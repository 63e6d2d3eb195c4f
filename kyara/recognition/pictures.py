"""A whole picture → its faces and who they are: the one way of `identify` and `POST /api/pictures`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from kyara.recognition.answers import FaceAnswers
from kyara.vision.bars import find_picture
from kyara.vision.boxes import Box, FoundFace, Window
from kyara.vision.images import ENOUGH_PX, crop_pixels, cut_window

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier
    from kyara.vision.detectors.base import FaceDetector


@dataclass(frozen=True)
class FacesFound:
    """The faces of a picture, and what the model wants to see of them.

    Attributes:
        part: of the picture within black bars.
        boxes: in pixels of the picture.
        windows: what the model sees of each face, likewise.
        crops: `uint8 (h, w, 3)` each.
        scores: how sure the detector is of each; see `kyara.vision.boxes.FoundFace`.
    """

    part: Box
    boxes: tuple[Box, ...]
    windows: tuple[Window, ...]
    crops: tuple[np.ndarray, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class IdentifiedPicture:
    """Who is in a picture.

    Attributes:
        width: of the picture, in pixels.
        height: likewise.
        faces: where each lies, and who it is.
    """

    width: int
    height: int
    faces: tuple[tuple[Box, FaceAnswers], ...]

    def describe(self, classifier: Classifier, language: str) -> dict[str, Any]:
        """Return it as JSON has it, with names and works in a language."""
        faces = [
            {"box": box.to_json(), **classifier.describe(face, language)} for box, face in self.faces
        ]
        return {"width": self.width, "height": self.height, "faces": faces}


def find_faces(
    pixels: np.ndarray,
    finder: FaceDetector | None,
    find_window: Callable[[FoundFace, float, int, int], Window],
    level: int | None = None,
    part: Box | None = None,
    *,
    plays: bool = False,
) -> FacesFound:
    """Find the faces of a picture and cut them out; black bars around it change nothing.

    Args:
        pixels: `uint8 (H, W, 3)`.
        finder: finds them; None: all of the picture is one crop.
        find_window: `Preprocessing.find_window` of the model.
        level: strictness of the detector.
        part: of the picture within black bars, where it is known; by default it is looked for.
        plays: it is a frame, which need not show anybody; see `base.FaceDetector.find`.

    Raises:
        KyaraError: no such level, or the detector does not work.
    """
    height, width = pixels.shape[:2]
    if finder is None:
        everything = Box(0, 0, width, height)
        return FacesFound(everything, (everything,), (Window(everything),), (pixels,), (1.0,))
    part = part or find_picture(pixels)
    within = crop_pixels(pixels, part)
    faces = finder.find(within, level=level, plays=plays)
    windows = [find_window(face, finder.box_scale, part.width, part.height) for face in faces]
    return FacesFound(
        part,
        tuple(_move(face.box, part.x, part.y) for face in faces),
        tuple(Window(_move(one.box, part.x, part.y), one.roll_deg) for one in windows),
        tuple(_cut(within, window) for window in windows),
        tuple(face.score for face in faces),
    )


def cut_seen(pixels: np.ndarray, window: Window) -> np.ndarray:
    """Cut a face out again as `find_faces` did; it looks for black bars itself.

    Args:
        pixels: `uint8 (H, W, 3)`.
        window: one of `FacesFound.windows`.

    Returns:
        `uint8 (h, w, 3)`.
    """
    part = find_picture(pixels)
    moved = Window(_move(window.box, -part.x, -part.y), window.roll_deg)
    return _cut(crop_pixels(pixels, part), moved)


def identify_pixels(
    pixels: np.ndarray,
    classifier: Classifier,
    finder: FaceDetector | None,
    *,
    level: int | None = None,
    top_k: int = 5,
) -> IdentifiedPicture:
    """Say who is in a picture.

    Args:
        pixels: `uint8 (H, W, 3)`.
        classifier: says who it is.
        finder: finds the faces; None: all of the picture is one crop.
        level: strictness of the detector.
        top_k: answers a face.

    Raises:
        KyaraError: no such level, or the detector does not work.
    """
    found = find_faces(pixels, finder, classifier.bundle.preprocessing.find_window, level)
    answers = classifier.identify(found.crops, top_k=top_k)
    height, width = pixels.shape[:2]
    return IdentifiedPicture(width, height, tuple(zip(found.boxes, answers, strict=True)))


def _cut(pixels: np.ndarray, window: Window) -> np.ndarray:
    """Cut a window out; a large one that is turned, which is a copy, from a smaller picture."""
    box = window.box
    times = max(box.width, box.height) // ENOUGH_PX
    if not window.roll_deg or times < 2:
        return cut_window(pixels, window)
    small = np.asarray(Image.fromarray(pixels).reduce(times))
    sides = (max(1, side // times) for side in (box.width, box.height))
    return cut_window(small, Window(Box(box.x // times, box.y // times, *sides), window.roll_deg))


def _move(box: Box, right: int, down: int) -> Box:
    return Box(box.x + right, box.y + down, box.width, box.height)
