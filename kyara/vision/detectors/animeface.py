"""The detector animeface-2009, isolated: its own virtual environment, its own process, JSON lines.

It needs a Pillow older than the one that Kyara decodes strangers' files with, and with a newer one finds
nothing without a word. So it is asked for a known face first.

Source: nagadomi's detector, https://github.com/nagadomi/animeface-2009; PyPI `animeface`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kyara.errors import KyaraError
from kyara.storage.atomic import hold_lock
from kyara.storage.paths import ANIMEFACE_FOLDER, ROOT
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detectors.base import FaceDetector, check_pixels, sort_faces, tell_nothing
from kyara.vision.images import encode_image, read_image

ENVIRONMENT = ANIMEFACE_FOLDER
REQUIREMENTS = ROOT / "requirements-animeface.txt"
KNOWN_FACES = ROOT / "static" / "vendor" / "example.png"
"""A drawing with three faces."""
_KNOWN_PX = 560
_WORKER = Path(__file__).with_name("animeface_worker.py")


def prepare_environment(tell: Callable[[str], None] = lambda text: None) -> Path:
    """Make the detector's virtual environment, if need be, and return its Python.

    Raises:
        KyaraError: it cannot be made.
    """
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "stamp"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    try:
        ENVIRONMENT.mkdir(parents=True, exist_ok=True)
        with hold_lock(ENVIRONMENT / "lock"):
            if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted and python.exists():
                return python
            tell(f"Installing animeface-2009 into {ENVIRONMENT}, once.")
            venv.create(ENVIRONMENT, with_pip=True)
            install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS]
            subprocess.run([python, *install], check=True, capture_output=True, text=True)
            stamp.write_text(wanted, encoding="utf-8")
    except subprocess.CalledProcessError as error:
        last = (error.stderr or str(error)).strip().splitlines()[-1:]
        raise KyaraError(f"animeface-2009 cannot be installed: {' '.join(last)}") from error
    except OSError as error:
        raise KyaraError(
            f"animeface-2009 cannot be installed into {ENVIRONMENT}: {error.strerror or error}."
        ) from error
    return python


DEFAULT_THRESHOLD = 0.7
"""Least likelihood of a face."""


class AnimefaceDetector:
    """See `base.FaceDetector`; a score is a likelihood. It has no levels, only a threshold."""

    name = "animeface-2009"
    version = "1"
    box_scale = 1.0

    def __init__(self, process: subprocess.Popen[str], threshold: float) -> None:
        self._process, self._threshold = process, threshold

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        """See `base.FaceDetector.find`; neither the level nor what plays is looked at."""
        check_pixels(pixels)
        return _ask(self._process, pixels, self._threshold)


@contextmanager
def open_animeface(
    *,
    threshold: float | None = None,
    tell: Callable[[str], None] = tell_nothing,
    models: Path | None = None,
) -> Iterator[AnimefaceDetector]:
    """Start the detector and have it find known faces.

    Args:
        threshold: least likelihood of a face, 0 to 1; by default `DEFAULT_THRESHOLD`.
        tell: called before something that takes a while.
        models: not looked at.

    Raises:
        KyaraError: it cannot be installed, or does not find the known faces.
    """
    python = prepare_environment(tell)
    process = subprocess.Popen(
        [python, "-I", _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us: it ends when its input does
        text=True,
        encoding="utf-8",
    )
    try:
        detector = AnimefaceDetector(process, DEFAULT_THRESHOLD if threshold is None else threshold)
        check_known_faces(detector)
        yield detector
    finally:
        process.kill()
        process.communicate()


def check_known_faces(detector: FaceDetector) -> None:
    """Refuse a detector that does not find the faces of a known drawing.

    Raises:
        KyaraError: it finds none, or the drawing is not installed.
    """
    if not KNOWN_FACES.is_file():
        raise KyaraError(
            f"No drawing to test animeface-2009 with: {KNOWN_FACES} is missing; `make run` installs it."
        )
    with Image.fromarray(read_image(KNOWN_FACES)) as image:
        image.thumbnail((_KNOWN_PX, _KNOWN_PX))
        found = detector.find(np.asarray(image))
    if not found:
        raise KyaraError(
            "animeface-2009 fails its self-test: it finds no face in a drawing with three. "
            f"Remove {ENVIRONMENT} and try again; with Pillow 12 or newer it finds none."
        )


def _ask(process: subprocess.Popen[str], pixels: np.ndarray, threshold: float) -> list[FoundFace]:
    png = encode_image(Image.fromarray(pixels), compress_level=1)
    request = json.dumps({"png": base64.b64encode(png).decode()})
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("The process was started without pipes.")
    try:
        process.stdin.write(request + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError as error:
        raise KyaraError("animeface-2009 has ended unexpectedly; the same command goes on.") from error
    answer: dict[str, Any] = json.loads(line) if line else {"error": "it has ended unexpectedly"}
    if "error" in answer:
        raise KyaraError(f"animeface-2009 failed: {answer['error']}.")
    faces = [face for face in answer["faces"] if face["likelihood"] >= threshold]
    found = [
        FoundFace(_cut(face, pixels.shape), float(face["likelihood"]), _order_eyes(face["eyes"]))
        for face in faces
    ]
    return sort_faces([face for face in found if face.box.width > 0 and face.box.height > 0])


def _order_eyes(eyes: list[list[float]]) -> tuple[float, float, float, float]:
    """Put the eye further left first: this detector finds upright faces only."""
    (x1, y1), (x2, y2) = sorted(eyes)
    return x1, y1, x2, y2


def _cut(face: dict[str, Any], shape: tuple[int, ...]) -> Box:
    left, top = max(0, face["x"]), max(0, face["y"])
    right, bottom = min(shape[1], face["x"] + face["width"]), min(shape[0], face["y"] + face["height"])
    return Box(left, top, right - left, bottom - top)
