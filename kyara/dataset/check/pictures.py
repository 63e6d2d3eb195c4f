"""First stage of inspection: the files of a dataset → sizes, digests and perceptual hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kyara.dataset.manifest import Face
from kyara.errors import KyaraError
from kyara.vision.images import MAX_IMAGE_PIXELS, decode_image
from kyara.vision.phash import LEAST_DETAIL, hash_picture, sample_colours
from kyara.vision.picture_files import FILE_FORMATS

Progress = Callable[[int], None]
"""Called with the number of pictures done since the last call."""


@dataclass(frozen=True)
class Picture:
    """One readable picture of a dataset.

    Attributes:
        face: what the dataset says of it.
        name: its path relative to the dataset folder.
        width: in pixels.
        height: in pixels.
        digest: SHA-256 of the file.
        bits: `uint64 (4,)`, see `hash_picture`.
        detail: how much there is to see, see `hash_picture`.
        colours: `int16 (4, 4, 2)`, see `sample_colours`.
    """

    face: Face
    name: str
    width: int
    height: int
    digest: str
    bits: np.ndarray
    detail: float
    colours: np.ndarray

    @property
    def plain(self) -> bool:
        """Whether there is too little to see for a comparison."""
        return self.detail < LEAST_DETAIL


@dataclass(frozen=True)
class Unreadable:
    """A file that the dataset names and that is not a picture."""

    path: str
    reason: str


def read_pictures(
    root: Path, faces: Iterable[Face], progress: Progress = lambda done: None
) -> tuple[list[Picture], list[Unreadable]]:
    """Read every picture once; one that cannot be read stops nothing.

    Returns:
        The readable pictures in order, and the others with the reason.
    """
    pictures: list[Picture] = []
    broken: list[Unreadable] = []
    for face in faces:
        name = face.path.relative_to(root).as_posix()
        try:
            pictures.append(_read_picture(face, name))
        except OSError as error:
            broken.append(Unreadable(name, f"{error.strerror or error}."))
        except KyaraError as error:
            broken.append(Unreadable(name, str(error)))
        progress(1)
    return pictures, broken


def _read_picture(face: Face, name: str) -> Picture:
    data = face.path.read_bytes()
    pixels = decode_image(data, formats=FILE_FORMATS, max_pixels=4 * MAX_IMAGE_PIXELS)
    height, width = pixels.shape[:2]
    bits, detail = hash_picture(pixels)
    return Picture(
        face, name, width, height, hashlib.sha256(data).hexdigest(), bits, detail, sample_colours(pixels)
    )
