"""First stage of learning: a folder of faces per character → a manifest with grouped splits.

Two layouts are read. With an `index.csv` (columns `path,label,split` and optionally `group`) the
index decides. Without one every sub-folder is a label, and the split is drawn per group from a
hash, so adding pictures moves no other picture to another split.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kyara.errors import BadInputError, KyaraError
from kyara.images import SUFFIXES, read_image, resize_pixels

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Face:
    """One labelled picture of a dataset."""

    path: Path
    label: str
    split: str
    group: str


@dataclass(frozen=True)
class Manifest:
    """Every face of a dataset and the labels in their fixed (sorted) order."""

    root: Path
    faces: tuple[Face, ...]
    labels: tuple[str, ...]

    def of_split(self, split: str) -> list[Face]:
        """Return the faces of one split, in the manifest's order.

        Raises:
            BadInputError: the split is empty or unknown.
        """
        faces = [face for face in self.faces if face.split == split]
        if not faces:
            known = ", ".join(sorted({face.split for face in self.faces}))
            raise BadInputError(f"{self.root} has no faces in the split {split!r}; it has: {known}.")
        return faces

    def digest(self) -> str:
        """Return a SHA-256 over paths, labels and splits: which data this was."""
        rows = "\n".join(f"{f.path.relative_to(self.root)},{f.label},{f.split}" for f in self.faces)
        return hashlib.sha256(rows.encode()).hexdigest()


def read_manifest(root: Path) -> Manifest:
    """Read a dataset folder.

    Args:
        root: folder with an `index.csv`, or with one sub-folder per label.

    Returns:
        The manifest; labels are sorted.

    Raises:
        BadInputError: no such folder, no faces, a listed file is missing, or a group is split.
    """
    if not root.is_dir():
        raise BadInputError(f"There is no dataset folder {root}.")
    index = root / "index.csv"
    faces = tuple(_read_index(root, index) if index.is_file() else _read_folders(root))
    if not faces:
        raise BadInputError(f"{root} has neither an index.csv nor sub-folders with pictures.")
    _refuse_divided_groups(faces)
    return Manifest(root, faces, tuple(sorted({face.label for face in faces})))


def _read_index(root: Path, index: Path) -> Iterator[Face]:
    with index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                path, label, split = root / row["path"], row["label"], row["split"]
            except KeyError as error:
                raise BadInputError(f"{index} lacks the column {error}.") from error
            if not path.is_file():
                raise BadInputError(f"{index} lists {row['path']}, which does not exist.")
            yield Face(path, label, split, row.get("group") or row["path"])


def _read_folders(root: Path) -> Iterator[Face]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                group = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
                yield Face(path, folder.name, _draw_split(group), group)


def _draw_split(group: str) -> str:
    """Put 80% of groups into train, 10% into val, 10% into test."""
    bucket = int(hashlib.sha256(f"split {group}".encode()).hexdigest(), 16) % 10
    return "val" if bucket == 0 else "test" if bucket == 1 else "train"


def _refuse_divided_groups(faces: Sequence[Face]) -> None:
    splits: dict[str, str] = {}
    for face in faces:
        first = splits.setdefault(face.group, face.split)
        if first != face.split:
            raise BadInputError(
                f"Group {face.group!r} lies in the splits {first!r} and {face.split!r}: "
                "near-duplicates must share one split, or the test measures memory."
            )


def load_faces(faces: Sequence[Face], size_px: int) -> np.ndarray:
    """Decode faces to squares.

    Args:
        faces: what to read.
        size_px: side of each square.

    Returns:
        `uint8 (N, size_px, size_px, 3)`.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    pixels = np.empty((len(faces), size_px, size_px, 3), np.uint8)
    for row, face in enumerate(faces):
        try:
            pixels[row] = resize_pixels(read_image(face.path), size_px)
        except KyaraError as error:
            raise BadInputError(f"{face.path}: {error}") from error
    return pixels


def count_labels(faces: Sequence[Face]) -> Counter[str]:
    """Count faces per label."""
    return Counter(face.label for face in faces)
