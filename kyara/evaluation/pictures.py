"""Pictures of the report: small copies, inlined, and which drawing stands for a character."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from kyara.dataset import Face, Manifest
from kyara.images import Box, crop_pixels, read_image

THUMBNAIL_PX = 112
QUALITY = 78


@lru_cache(maxsize=1024)
def inline_picture(path: Path, box: Box | None = None) -> str:
    """Return a small copy of a picture, or of a box in it, as a `data:` address."""
    pixels = read_image(path)
    if box is not None:
        pixels = crop_pixels(pixels, box)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


class Portraits:
    """Finds a drawing of a character in a dataset."""

    def __init__(self, manifest: Manifest, asked: Collection[Path]) -> None:
        """Take a dataset and the pictures that were asked: others are preferred to them."""
        self._by_name = {manifest.locate(face).as_posix(): face.path for face in manifest.faces}
        self._best: dict[str, Face] = {}
        asked = set(asked)

        def rank(face: Face) -> tuple[bool, bool, bool]:
            return face.path in asked, face.role != "reference", face.split != "train"

        for face in manifest.faces:
            best = self._best.setdefault(face.label, face)
            self._best[face.label] = min(best, face, key=rank)

    def of_reference(self, name: str) -> Path | None:
        """Return the picture that a reference was made from, where it is in the dataset."""
        return self._by_name.get(name)

    def of_character(self, label: str) -> Path | None:
        """Return the drawing that shows a character best: its reference, else one to train on."""
        face = self._best.get(label)
        return face.path if face else None
