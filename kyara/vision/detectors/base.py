"""What every face detector is, and the look-up by name.

A detector is one module here that has a function `open_…`: a context manager that gives a
`FaceDetector`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from kyara.errors import BadInputError, NotInstalledError
from kyara.storage.extras import explain_missing
from kyara.vision.boxes import FoundFace
from kyara.vision.detector_bundle import find_default_detector

DETECTORS = {
    "network": "kyara.vision.detectors.network:open_network",
    "cascade": "kyara.vision.detectors.lbp_cascade:open_cascade",
    "animeface-2009": "kyara.vision.detectors.animeface:open_animeface",
}
"""Name → module and function."""


class FaceDetector(Protocol):
    """Finds faces in pictures.

    Attributes:
        name: its key in `DETECTORS`.
        box_scale: side of its boxes relative to the tight face (cheek to cheek, fringe to chin).
        version: changes when the same picture may get other boxes.
    """

    name: str
    version: str
    box_scale: float

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        """Find the faces in a picture.

        Args:
            pixels: `uint8 (H, W, 3)` RGB, of any size.
            level: 0 (fewest faces) to the detector's highest; None is its default.
            plays: it is a frame of a video or an animation, which need not show anybody. A picture that
                somebody chose likely does: a detector may show its surest face whatever the level.

        Returns:
            The largest box first, equal ones from top to bottom, left to right.

        Raises:
            BadInputError: no such level, or not pixels.
            KyaraError: the detector does not work.
        """
        ...


def tell_nothing(text: str) -> None:
    """Ignore what a detector says before something that takes a while."""


def check_installed(*, threads: int | None = None) -> None:
    """Refuse if what the detectors need is not installed.

    Args:
        threads: of OpenCV, in this process; by default as many as there are cores.

    Raises:
        NotInstalledError: OpenCV is missing; the sentence says how to install it.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise NotInstalledError(explain_missing(error) or str(error)) from error
    if threads is not None:
        cv2.setNumThreads(threads)


def choose_detector(name: str | None = None, models: Path | None = None) -> str:
    """Return the name of the detector to use: the one asked for, or else the default.

    Args:
        name: of a detector, or None.
        models: the folder whose `detector.json` names the default; `model/` by default.

    Raises:
        BadInputError: no such detector.
    """
    if name is None:
        return find_default_detector(models)
    if name not in DETECTORS:
        raise BadInputError(f"There is no detector {name}; there are {', '.join(DETECTORS)}.")
    return name


@contextmanager
def open_detector(
    name: str | None = None,
    *,
    threshold: float | None = None,
    tell: Callable[[str], None] = tell_nothing,
    models: Path | None = None,
) -> Iterator[FaceDetector]:
    """Open the detector of a name; it is closed at the end.

    Args:
        name: see `choose_detector`.
        threshold: least score of a face, in place of a level; not of the cascade.
        tell: called before something that takes a while.
        models: where face networks are; `model/` by default.

    Raises:
        BadInputError: no such detector.
        KyaraError: it is not installed, or does not work.
    """
    module, _, function = DETECTORS[choose_detector(name, models)].partition(":")
    opener: Callable[..., AbstractContextManager[FaceDetector]]
    opener = getattr(import_module(module), function)
    with opener(threshold=threshold, tell=tell, models=models) as detector:
        yield detector


def check_pixels(pixels: np.ndarray) -> None:
    """Refuse what is not `uint8 (H, W, 3)` with at least one pixel.

    Raises:
        BadInputError: it is not.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise BadInputError(f"Pixels must be uint8 (H, W, 3); received {pixels.dtype} {pixels.shape}.")


def sort_faces(faces: list[FoundFace]) -> list[FoundFace]:
    """Return the largest first, equal ones from top to bottom, left to right."""
    return sorted(faces, key=lambda face: (-face.box.width * face.box.height, face.box.y, face.box.x))
