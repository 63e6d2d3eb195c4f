"""Pictures with several labels each: a folder of pictures and a table of 0 and 1.

    posters/train.csv      Id,Genre,Action,Adventure,…
    posters/images/        tt0119567.jpg …

The first column names the picture (with or without its ending). Every column of nothing but 0 and 1 is
a label; others are left out. A column `split` decides the split; without one it is drawn from a hash of
the picture's content, 80/10/10, so equal pictures never lie on two sides.
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from anyascii import anyascii

from kyara.dataset.manifest import draw_split
from kyara.errors import BadInputError
from kyara.recognition.bundle import hash_file
from kyara.vision.picture_files import SUFFIXES

PICTURE_FOLDERS = (".", "images")


@dataclass(frozen=True)
class TaggedPictures:
    """Pictures and the labels of each.

    Attributes:
        root: folder of the dataset.
        paths: of the N pictures.
        labels: ASCII ids of the labels, in the table's order.
        names: the same as the table writes them.
        truth: `bool (N, labels)`.
        splits: of each picture.
    """

    root: Path
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    truth: np.ndarray
    splits: tuple[str, ...]

    def of_split(self, split: str) -> TaggedPictures:
        """Return the pictures of one split.

        Raises:
            BadInputError: the split is empty or unknown.
        """
        rows = [row for row, own in enumerate(self.splits) if own == split]
        if not rows:
            known = ", ".join(sorted(set(self.splits)))
            raise BadInputError(f"{self.root} has no pictures in the split {split!r}; it has: {known}.")
        paths = tuple(self.paths[row] for row in rows)
        return TaggedPictures(
            self.root, paths, self.labels, self.names, self.truth[rows], (split,) * len(rows)
        )

    def frequencies(self) -> dict[str, float]:
        """Return label → share of the pictures that have it."""
        return {
            label: float(share)
            for label, share in zip(self.labels, self.truth.mean(axis=0), strict=True)
        }

    def digest(self) -> str:
        """Return a SHA-256 over paths, labels and splits: which data this was."""
        rows = [
            f"{path.relative_to(self.root)},{''.join('01'[int(value)] for value in truth)},{split}"
            for path, truth, split in zip(self.paths, self.truth, self.splits, strict=True)
        ]
        return hashlib.sha256("\n".join([",".join(self.labels), *rows]).encode()).hexdigest()


def read_tagged(root: Path) -> TaggedPictures:
    """Read a folder with pictures and one table (`*.csv`).

    Raises:
        BadInputError: no such folder, no table or several, no column of labels, or a picture is missing.
    """
    table, rows = _read_table(root)
    columns = [name for name in rows[0] if all(row[name] in ("0", "1") for row in rows)]
    if not columns:
        raise BadInputError(f"{table} has no column of nothing but 0 and 1.")
    labels = tuple(_make_label(name) for name in columns)
    if len(set(labels)) != len(labels):
        raise BadInputError(f"{table} has two columns whose names differ only by their signs.")
    first = next(iter(rows[0]))
    paths = tuple(_find_picture(root, row[first], table) for row in rows)
    truth = np.array([[row[name] == "1" for name in columns] for row in rows], bool)
    splits = tuple(
        row.get("split") or draw_split(hash_file(path)) for row, path in zip(rows, paths, strict=True)
    )
    return TaggedPictures(root, paths, labels, tuple(columns), truth, splits)


def _read_table(root: Path) -> tuple[Path, list[dict[str, str]]]:
    if not root.is_dir():
        raise BadInputError(f"There is no dataset folder {root}.")
    tables = sorted(root.glob("*.csv"))
    if len(tables) != 1:
        raise BadInputError(f"{root} needs one table of labels (*.csv); it has {len(tables)}.")
    try:
        with tables[0].open(newline="", encoding="utf-8-sig") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{tables[0]} is not a CSV file in UTF-8: {error}.") from error
    if not rows:
        raise BadInputError(f"{tables[0]} has no rows.")
    return tables[0], rows


def _find_picture(root: Path, name: str, table: Path) -> Path:
    for folder in PICTURE_FOLDERS:
        for ending in ("", *sorted(SUFFIXES)):
            path = root / folder / f"{name}{ending}"
            if path.suffix.lower() in SUFFIXES and path.is_file():
                return path
    raise BadInputError(f"{table} lists {name!r}, of which there is no picture.")


def _make_label(name: str) -> str:
    """Make an ASCII id: `Sci-Fi` → sci-fi, `N/A` → n_a."""
    return re.sub(r"[^a-z0-9.-]+", "_", anyascii(name).lower()).strip("_.-") or "label"
