"""Read pictures with face boxes: whole pictures, portraits, pictures without a face.

FOLDER/boxes.json    file → [[x, y, width, height], …] of every face, tight, in pixels; [] is a negative
FOLDER/splits.json   file → train, val or test; without it every file is train
FOLDER/eyes.json     optional: file → one [left x, left y, right x, right y] a box, or null
FOLDER/unlabelled/   optional: pictures whose faces nobody has boxed; training boxes them itself
FOLDER/index.csv     instead: path, split, face_x, face_y, face_width, face_height of one portrait a row
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kyara.dataset.index import INDEX_FILE, read_rows
from kyara.errors import BadInputError
from kyara.vision.images import read_image

SPLITS = ("train", "val", "test", "unlabelled")


@dataclass(frozen=True)
class BoxedFace:
    """A face, in pixels of its picture.

    Attributes:
        box: `x, y, width, height` of the tight face.
        eyes: `x, y` of both, the one further left in an upright face first; None if nobody knows.
        sure: False if nobody knows whether it is a face.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[float, float, float, float] | None = None
    sure: bool = True


@dataclass(frozen=True)
class BoxedPicture:
    """A picture on disk and its faces, in its pixels; `split` is train, val, test or unlabelled."""

    path: Path
    faces: tuple[BoxedFace, ...]
    split: str
    portrait: bool = False

    def read(self) -> np.ndarray:
        """Decode the picture: `uint8 (H, W, 3)`."""
        return np.ascontiguousarray(read_image(self.path))


def read_boxed_pictures(folder: Path) -> list[BoxedPicture]:
    """List the pictures of a folder.

    Raises:
        BadInputError: there is neither `boxes.json` nor `index.csv`, or one that cannot be read.
    """
    if (folder / "boxes.json").is_file():
        return list(_read_json(folder))
    if (folder / "index.csv").is_file():
        return list(_read_portraits(folder))
    raise BadInputError(f"{folder} has neither boxes.json nor index.csv.")


def _read_json(folder: Path) -> Iterator[BoxedPicture]:
    boxes = read_table(folder / "boxes.json")
    splits = read_table(folder / "splits.json") if (folder / "splits.json").is_file() else {}
    eyes = read_table(folder / "eyes.json") if (folder / "eyes.json").is_file() else {}
    for name, rows in sorted(boxes.items()):
        known = eyes.get(name) or [None] * len(rows)
        faces = tuple(
            BoxedFace(tuple(map(float, row)), tuple(pair) if pair else None)  # type: ignore[arg-type]
            for row, pair in zip(rows, known, strict=True)
        )
        yield BoxedPicture(folder / name, faces, splits.get(name, "train"))
    for path in sorted((folder / "unlabelled").glob("*.*")):
        yield BoxedPicture(path, (), "unlabelled")


def _read_portraits(folder: Path) -> Iterator[BoxedPicture]:
    eyes = read_table(folder / "eyes.json") if (folder / "eyes.json").is_file() else {}
    for _, row in read_rows(folder / INDEX_FILE):
        if row.get("face_width") == "":  # nobody found a face in it
            continue
        try:
            box = tuple(float(row[f"face_{key}"]) for key in ("x", "y", "width", "height"))
        except (KeyError, ValueError) as error:
            raise BadInputError(
                f"{folder / INDEX_FILE} has no face box for {row.get('path')}."
            ) from error
        pair = (eyes.get(row["path"]) or [None])[0]
        face = BoxedFace(box, tuple(pair) if pair else None)  # type: ignore[arg-type]
        yield BoxedPicture(folder / row["path"], (face,), row["split"], portrait=True)


def read_table(path: Path) -> dict:
    """Read `boxes.json` or one of its kind.

    Raises:
        BadInputError: it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInputError(f"{path} is not JSON: {error}.") from error
