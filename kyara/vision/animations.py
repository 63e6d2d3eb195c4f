"""Animated WebP, APNG and AVIF → frames with their times, through Pillow; `video.py` hands them on.

FFmpeg shows none of an animated WebP and not all of the others.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kyara.errors import BadInputError, BrokenVideoError
from kyara.storage.rereading import read_once
from kyara.vision.frames import check_size
from kyara.vision.images import TURNS
from kyara.vision.profiles import make_srgb, read_profile
from kyara.vision.structure import find_orientation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

FORMATS = ("WEBP", "PNG", "AVIF")
ANIMATED_SUFFIXES = frozenset({".webp", ".png", ".apng", ".avif"})
"""File names of pictures that may be animations. GIFs are read as videos."""
MOST_SECONDS = 60.0
DEFAULT_SECONDS = 0.1
"""Of a frame that tells no length, or none that browsers believe."""
_LEAST_SECONDS = 0.011


def is_animation(path: Path) -> bool:
    """Tell whether a file is a WebP, APNG or AVIF of several frames; False if it cannot be read."""
    if path.suffix.lower() not in ANIMATED_SUFFIXES or not path.is_file():
        return False
    try:
        with _open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except Exception:  # what is wrong with it is said where it is read as a picture
        return False


def measure(path: Path) -> tuple[int, int, float, Fraction]:
    """Return width and height of an animation, its length in seconds and its frames a second.

    Raises:
        KyaraError: as `read_animation`, if no frame can be read.
    """
    try:
        return _measure(path)
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror or error}.") from error


@read_once
def _measure(path: Path) -> tuple[int, int, float, Fraction]:
    width = height = 0
    lengths = []
    try:
        for length_s, pixels in _read(path):
            height, width = pixels.shape[:2]
            lengths.append(length_s)
    except BrokenVideoError:
        if not lengths:
            raise
    total = sum(lengths)
    rate = Fraction(len(lengths) / total).limit_denominator(1000)
    return width, height, total, rate


def read_animation(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Give every frame as it is shown: when, and its pixels, what is transparent being white.

    Args:
        path: of the file.

    Yields:
        Seconds from the start; `uint8 (H, W, 3)` sRGB, upright.

    Raises:
        BadInputError: it cannot be read.
        BrokenVideoError: it is damaged; the frames before have been given.
        TooLargeError: its frames are too large.
    """
    time_s = 0.0
    for length_s, pixels in _read(path):
        yield time_s, pixels
        time_s += length_s


class AnimationReading:
    """Frames of an animation with their times, as FFmpeg knows frames; at the end what is wrong.

    Attributes:
        path: of the file.
        stream: None: FFmpeg has not opened it.
        problem: what is wrong with it; empty if nothing is.
    """

    stream = None

    def __init__(self, path: Path) -> None:
        """Take the file."""
        self.path = path
        self.problem = ""

    def __iter__(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        import av

        began = False
        try:
            for time_s, pixels in read_animation(self.path):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
                began = True
                yield Fraction(frame.pts, 1000), frame
        except BrokenVideoError:
            if not began:
                raise
            self.problem = "is damaged or cut short"


def _read(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Give every frame: for how long it is shown, and its pixels."""
    with _open(path) as image:
        check_size(path, image.width, image.height)
        profile = read_profile(image.info.get("icc_profile") or b"")
        turn = TURNS.get(find_orientation(image.info))
        first = 1 if image.info.get("default_image") else 0  # of an APNG, for who shows no animations
        for number in range(first, getattr(image, "n_frames", 1)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    image.seek(number)
                    image.load()
                    pixels = np.asarray(make_srgb(image, 1, profile))
                    length_s = float(image.info.get("duration", 0) or 0) / 1000
            except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
                raise BrokenVideoError(
                    f"{path.name} is damaged or cut short at frame {number}."
                ) from error
            length_s = min(length_s, MOST_SECONDS) if length_s >= _LEAST_SECONDS else DEFAULT_SECONDS
            yield length_s, np.ascontiguousarray(turn(pixels) if turn else pixels)


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=FORMATS)
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror or error}.") from error
    with image:
        yield image
