"""Faces of a library → their pixels, cut from the pictures on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import Engine, select

from kyara.dataset.library.showing import PictureFile
from kyara.dataset.library.sources import join_path, make_path
from kyara.dataset.library.tables import FaceRow, PictureRow, RootRow
from kyara.errors import KyaraError
from kyara.recognition.bundle_parts import Preprocessing
from kyara.recognition.pictures import cut_seen
from kyara.storage.paths import ROOT
from kyara.vision.boxes import Box, FoundFace, grow_box
from kyara.vision.images import crop_pixels

AROUND = 1.6
"""A thumbnail shows so many times the tight face."""
THUMBNAIL_PX = 160


@dataclass(frozen=True)
class PlacedFace:
    """A face, and where it is.

    Attributes:
        id: its number.
        path: of the picture.
        box: in the upright picture.
        stamp: size and time of the file when the face was found.
        box_scale: side of the box relative to the tight face.
    """

    id: int
    path: Path
    box: Box
    stamp: tuple[int, int]
    box_scale: float


def find_faces_by_id(engine: Engine, faces: Sequence[int]) -> list[PlacedFace]:
    """Return faces by their numbers, in this order; those that are no longer there are left out."""
    columns = FaceRow.id, FaceRow.x, FaceRow.y, FaceRow.width, FaceRow.height
    more = PictureRow.path, PictureRow.size, PictureRow.mtime_ns, PictureRow.seen_by
    query = select(*columns, *more, RootRow.path.label("folder"))
    query = query.join(PictureRow, PictureRow.id == FaceRow.picture)
    query = query.join(RootRow, RootRow.id == PictureRow.root).where(FaceRow.id.in_(faces))
    with engine.connect() as connection:
        found = {row.id: _place(row) for row in connection.execute(query)}
    return [found[face] for face in faces if face in found]


def _place(row: Any) -> PlacedFace:
    path = make_path(join_path(row.folder, row.path))
    box = Box(row.x, row.y, row.width, row.height)
    box_scale = _read_cascade_scale() if row.seen_by.startswith("cascade-") else 1.0
    return PlacedFace(row.id, path, box, (row.size, row.mtime_ns), box_scale)


@cache
def _read_cascade_scale() -> float:
    """Return the scale of the cascade's boxes; what serves may not import a detector."""
    settings = json.loads((ROOT / "static" / "detector.json").read_text(encoding="utf-8"))
    return float(settings["box_scale"])


def read_picture(face: PlacedFace) -> np.ndarray:
    """Return the picture of a face, `uint8 (H, W, 3)`.

    Raises:
        KyaraError: its file is gone, has changed since the scan, or cannot be read.
    """
    return PictureFile(face.path, *face.stamp).decode()


def cut_thumbnail(face: PlacedFace) -> np.ndarray:
    """Return a small picture of a face, at most `THUMBNAIL_PX` wide and high.

    Raises:
        KyaraError: as `read_picture`.
    """
    pixels = read_picture(face)
    height, width = pixels.shape[:2]
    shown = crop_pixels(pixels, grow_box(face.box, AROUND / face.box_scale, width, height))
    image = Image.fromarray(shown)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return np.asarray(image)


def cut_crops(
    faces: Sequence[PlacedFace], preprocessing: Preprocessing
) -> Iterator[tuple[PlacedFace, np.ndarray | None]]:
    """Give each face with the crop that the model sees of it; None where the picture cannot be read."""
    for face in faces:
        try:
            yield face, _cut(face, preprocessing)
        except KyaraError:
            yield face, None


def _cut(face: PlacedFace, preprocessing: Preprocessing) -> np.ndarray:
    pixels = read_picture(face)
    height, width = pixels.shape[:2]
    found = FoundFace(face.box, 1.0)
    return cut_seen(pixels, preprocessing.find_window(found, face.box_scale, width, height))
