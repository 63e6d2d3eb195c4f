"""Face proposals: pixels → boxes, with the anime LBP cascade of OpenCV 4.

The picture is drawn in several views (`proposals.py` plans them and merges what is found); the
cascade searches each. The browser does the same in `static/js/faces/opencv-search.js`, reads the same
settings from `static/detector.json`, and finds the same boxes.

Source: the cascade is nagadomi's, https://github.com/nagadomi/lbpcascade_animeface.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError, KyaraError, NotInstalledError
from kyara.storage.paths import ROOT
from kyara.vision.boxes import FoundFace
from kyara.vision.detectors.base import check_pixels, tell_nothing
from kyara.vision.detectors.proposals import (
    Candidate,
    DetectorSettings,
    Level,
    View,
    choose_voted_boxes,
    load_settings,
    map_back,
    plan_views,
    turning_matrix,
)

CASCADE_PATH = ROOT / "static" / "vendor" / "lbpcascade_animeface.xml"

_cascade_lock = threading.Lock()
"""One cascade object serves all threads and is not made for two at a time."""


class CascadeDetector:
    """See `base.FaceDetector`; a score is how many windows agree.

    Boxes take in hair: about 1.4 times the bare face.
    """

    name = "cascade"
    version = "1"

    def __init__(self) -> None:
        self.box_scale = load_settings().box_scale

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        """See `base.FaceDetector.find`; what plays is searched like everything else."""
        settings = load_settings()
        index = settings.default_level if level is None else level
        if not 0 <= index < len(settings.levels):
            raise BadInputError(f"The level must be 0 to {len(settings.levels) - 1}; received {level}.")
        check_pixels(pixels)
        import cv2

        chosen = settings.levels[index]
        height, width = pixels.shape[:2]
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
        found = [
            candidate
            for rank, view in enumerate(plan_views(width, height, settings, chosen))
            for candidate in _search_view(grey, view, rank, settings, chosen)
        ]
        return choose_voted_boxes(found, width, height, settings, chosen)


@contextmanager
def open_cascade(
    *,
    threshold: float | None = None,
    tell: Callable[[str], None] = tell_nothing,
    models: Path | None = None,
) -> Iterator[CascadeDetector]:
    """See `base.open_detector`; neither the threshold nor the folder is looked at."""
    yield CascadeDetector()


def _search_view(
    grey: np.ndarray, view: View, rank: int, settings: DetectorSettings, level: Level
) -> Iterator[Candidate]:
    with _cascade_lock:
        windows, votes = load_cascade().detectMultiScale2(
            draw_view(grey, view, settings),
            scaleFactor=settings.scale_factor,
            minNeighbors=level.neighbours,
            minSize=(level.min_window_px, level.min_window_px),
        )
    for (left, top, size, _), count in zip(windows, votes, strict=True):
        yield map_back((int(left), int(top), int(size)), view, int(count), rank)


def draw_view(grey: np.ndarray, view: View, settings: DetectorSettings) -> np.ndarray:
    """Scale, pad, equalise, turn: `uint8 (H, W)` → `uint8 (turned_height, turned_width)`."""
    import cv2

    interpolation = cv2.INTER_AREA if view.scale < 1 else cv2.INTER_LINEAR_EXACT
    scaled = cv2.resize(grey, (view.width, view.height), interpolation=interpolation)
    edges = (view.pad_y, view.pad_y, view.pad_x, view.pad_x)
    padded = cv2.copyMakeBorder(scaled, *edges, cv2.BORDER_CONSTANT, value=settings.padding_value)
    if settings.equalise:
        padded = cv2.equalizeHist(padded)
    if view.sin == 0:
        return padded
    return cv2.warpAffine(
        padded,
        turning_matrix(view),
        (view.turned_width, view.turned_height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=settings.padding_value,
    )


@cache
def load_cascade() -> Any:
    """Load OpenCV's classifier, once.

    Raises:
        KyaraError: the cascade is not installed, or not readable.
    """
    import cv2

    if not CASCADE_PATH.is_file():
        raise NotInstalledError(
            f"The face cascade is missing: no file {CASCADE_PATH}. "
            "A wheel of Kyara has it; in a checkout `make run` or scripts/install_browser_libraries.py "
            "installs it."
        )
    cascade = cv2.CascadeClassifier()
    unreadable = f"OpenCV cannot read the face cascade {CASCADE_PATH}; install it again."
    try:
        loaded = cascade.load(str(CASCADE_PATH))
    except cv2.error as error:  # of XML that OpenCV cannot parse
        raise KyaraError(unreadable) from error
    if not loaded:
        raise KyaraError(unreadable)
    return cascade
