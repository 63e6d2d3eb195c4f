"""The detector animeface-2009, isolated: its own virtual environment, its own process, JSON lines.

It needs a Pillow older than the one that Kyara decodes strangers' files with, and with a newer one finds
nothing without a word. So it is asked for a known face first.

Source: nagadomi's detector, https://github.com/nagadomi/animeface-2009; PyPI `animeface`.
"""

from __future__ import annotations

import base64
import io
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
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import Detect
from kyara.vision.images import read_image

ENVIRONMENT = ANIMEFACE_FOLDER
REQUIREMENTS = ROOT / "requirements-animeface.txt"
KNOWN_FACES = ROOT / "static" / "vendor" / "example.png"
"""A drawing with three faces."""
_KNOWN_PX = 560
_WORKER = Path(__file__).with_name("animeface_worker.py")


def prepare_environment(tell: Callable[[str], None] = lambda text: None) -> Path:
    """Make the detector's virtual environment, if need be, and return its Python.

    Args:
        tell: called before something that takes a while.

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


@contextmanager
def open_animeface(
    threshold: float, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Detect]:
    """Start the detector and have it find known faces.

    Args:
        threshold: least likelihood of a face, 0 to 1.
        tell: called before something that takes a while.

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
        check_known_faces(lambda pixels: _ask(process, pixels, threshold))
        yield lambda pixels: _ask(process, pixels, threshold)
    finally:
        process.kill()
        process.communicate()


def check_known_faces(detect: Detect) -> None:
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
        found = detect(np.asarray(image))
    if not found:
        raise KyaraError(
            "animeface-2009 fails its self-test: it finds no face in a drawing with three. "
            f"Remove {ENVIRONMENT} and try again; with Pillow 12 or newer it finds none."
        )


def _ask(
    process: subprocess.Popen[str], pixels: np.ndarray, threshold: float
) -> list[tuple[Box, float]]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    request = json.dumps({"png": base64.b64encode(buffer.getvalue()).decode()})
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
    found = [(_cut(face, pixels.shape), float(face["likelihood"])) for face in faces]
    found = [(box, score) for box, score in found if box.width > 0 and box.height > 0]
    return sorted(found, key=lambda f: (-f[0].width * f[0].height, f[0].y, f[0].x))


def _cut(face: dict[str, Any], shape: tuple[int, ...]) -> Box:
    left, top = max(0, face["x"]), max(0, face["y"])
    right, bottom = min(shape[1], face["x"] + face["width"]), min(shape[0], face["y"] + face["height"])
    return Box(left, top, right - left, bottom - top)
