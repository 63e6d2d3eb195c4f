"""First stage of learning: a folder of faces per character → a manifest with grouped splits.

Two layouts are read. With an `index.csv` (columns `path,label,split` and optionally `group`, `work`,
`kind`, `role` and the tight face as `face_x`, `face_y`, `face_width` and `face_height`) the index
decides. Without one every sub-folder is a label, and the split is drawn per group from a hash, so adding
pictures moves no other picture to another split.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from kyara.dataset.index import INDEX_FILE, format_rows, read_rows
from kyara.errors import BadInputError, KyaraError
from kyara.vision.boxes import Box
from kyara.vision.images import read_image, resize_pixels
from kyara.vision.picture_files import is_picture_file

BOX_COLUMNS = ("face_x", "face_y", "face_width", "face_height")


@dataclass(frozen=True)
class Face:
    """One labelled picture of a dataset.

    Attributes:
        path: of the file.
        label: of the character.
        split: `train`, `val`, `test`, or another that the index names.
        group: pictures that must not be divided between splits share one.
        work: folder of the series; empty where the dataset has no works.
        kind: of drawing, for example `art` or `chibi-sticker`; may be empty.
        role: `reference` for a picture that stands for its character; may be empty.
        box: the tight face (cheek to cheek, fringe to chin) in the picture; None where nobody said.
    """

    path: Path
    label: str
    split: str
    group: str
    work: str = ""
    kind: str = ""
    role: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class Manifest:
    """Every face of one or more dataset folders, and the labels in their fixed (sorted) order."""

    roots: tuple[Path, ...]
    faces: tuple[Face, ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({face.label for face in self.faces}))

    def of_split(self, split: str) -> list[Face]:
        """Return the faces of one split, in the manifest's order.

        Raises:
            BadInputError: the split is empty or unknown.
        """
        faces = [face for face in self.faces if face.split == split]
        if not faces:
            known = ", ".join(sorted({face.split for face in self.faces}))
            where = " and ".join(str(root) for root in self.roots)
            raise BadInputError(f"{where} has no faces in the split {split!r}; it has: {known}.")
        return faces

    def having(self, keep: Callable[[Face], bool]) -> Manifest:
        return replace(self, faces=tuple(face for face in self.faces if keep(face)))

    def digest(self) -> str:
        """Return a SHA-256 over paths, labels and splits: which data this was."""
        rows = "\n".join(f"{self.locate(f)},{f.label},{f.split}" for f in self.faces)
        return hashlib.sha256(rows.encode()).hexdigest()

    def locate(self, face: Face) -> Path:
        """Return a face's path relative to its dataset folder."""
        root = next(root for root in self.roots if face.path.is_relative_to(root))
        return face.path.relative_to(root)


def read_manifests(roots: Sequence[Path], same_as: Mapping[str, str] | None = None) -> Manifest:
    """Read several dataset folders as one; `same_as` gives labels their name in another dataset.

    Raises:
        BadInputError: as `read_manifest`.
    """
    same_as = same_as or {}
    faces = tuple(
        replace(face, label=same_as.get(face.label, face.label))
        for root in roots
        for face in read_manifest(root).faces
    )
    return Manifest(tuple(roots), faces)


def read_manifest(root: Path) -> Manifest:
    """Read a dataset folder whose pictures are all there and whose groups are whole.

    Raises:
        BadInputError: as `list_faces`; or a listed file is missing, or a group is split.
    """
    faces = list_faces(root)
    for face in faces:
        if not face.path.is_file():
            raise BadInputError(f"{root} lists {face.path.relative_to(root)}, which does not exist.")
    _refuse_divided_groups(faces)
    return Manifest((root,), faces)


def list_faces(root: Path) -> tuple[Face, ...]:
    """List what a dataset folder names, whether or not the files are there and the groups whole.

    In the index's order, or sorted by folder and file.

    Args:
        root: folder with an `index.csv`, or with one sub-folder per label. Where the index has a
            column `work`, a label is `<first folder of the path>/<label>`: two works may have a Rin.
            One that begins so already stays as it is.

    Raises:
        BadInputError: no such folder, no faces, or an index that cannot be read.
    """
    if not root.is_dir():
        raise BadInputError(f"There is no dataset folder {root}.")
    index = root / INDEX_FILE
    faces = tuple(_read_index(root, index) if index.is_file() else _read_folders(root))
    if not faces:
        raise BadInputError(f"{root} has neither an {INDEX_FILE} nor sub-folders with pictures.")
    return faces


def _read_index(root: Path, index: Path) -> Iterator[Face]:
    for line, row in read_rows(index):
        yield _read_row(root, row, f"{index}, line {line},")


def _read_row(root: Path, row: Mapping[str, str], where: str) -> Face:
    missing = [name for name in ("path", "label", "split") if not row.get(name)]
    if missing:
        raise BadInputError(f"{where} lacks {' and '.join(map(repr, missing))}.")
    path, label, split = row["path"], row["label"], row["split"]
    inside = Path(path)
    if inside.is_absolute() or ".." in inside.parts:
        raise BadInputError(f"{where} names {path}, which lies outside the dataset folder.")
    work = inside.parts[0] if row.get("work") else ""
    return Face(
        root / path,
        label if not work or label.startswith(f"{work}/") else f"{work}/{label}",
        split,
        row.get("group") or path,
        work,
        row.get("kind", ""),
        row.get("role", ""),
        _read_box(row, where),
    )


def _read_box(row: Mapping[str, str], where: str) -> Box | None:
    values = [row.get(name, "") for name in BOX_COLUMNS]
    if not all(values):
        return None
    try:
        box = Box(*(round(float(value)) for value in values))
    except (ValueError, OverflowError):
        box = Box(0, 0, 0, 0)
    if box.width < 1 or box.height < 1:
        raise BadInputError(f"{where} has no face at {', '.join(values)}.")
    return box


def write_index(root: Path, faces: Iterable[Face], index: Path | None = None) -> None:
    """Write the `index.csv` from which `list_faces` reads the same faces.

    Args:
        root: the dataset folder.
        faces: below it.
        index: the file; by default the folder's own.

    Raises:
        BadInputError: the file cannot be written.
    """
    index = index or root / INDEX_FILE
    own = ("work", "split", "group", "kind", "role")
    header = ("path", "label", *own, *BOX_COLUMNS)
    rows = (
        (
            face.path.relative_to(root).as_posix(),
            face.label.removeprefix(f"{face.work}/") if face.work else face.label,
            *(getattr(face, name) for name in own),
            *(map(str, face.box.to_json().values()) if face.box else [""] * len(BOX_COLUMNS)),
        )
        for face in faces
    )
    try:
        index.write_text(format_rows(header, rows), encoding="utf-8", newline="")
    except OSError as error:
        raise BadInputError(f"Cannot write {index}: {error.strerror or error}.") from error


def _read_folders(root: Path) -> Iterator[Face]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for path in sorted(folder.iterdir()):
            if is_picture_file(path):
                group = _hash_content(path)[:12]
                yield Face(path, folder.name, draw_split(group), group)


def _hash_content(path: Path) -> str:
    """Return the SHA-256 of a file; of one that cannot be read, that of its name."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return _hash_name(path.name)


def draw_split(group: str) -> str:
    """Put 80% of groups into train, 10% into val, 10% into test."""
    bucket = int(hashlib.sha256(f"split {group}".encode()).hexdigest(), 16) % 10
    return "val" if bucket == 0 else "test" if bucket == 1 else "train"


def hold_out_val(manifest: Manifest) -> Manifest:
    """Move one training face of each label that has no `val` face to `val`, where it has five.

    The choice is by hash of the path, so it stays when other pictures come.
    """
    counts = count_labels(manifest.of_split("train"))
    covered = {face.label for face in manifest.faces if face.split == "val"}
    chosen: dict[str, Face] = {}
    for face in manifest.of_split("train"):
        if counts[face.label] >= 5 and face.label not in covered and face.role != "reference":
            first = chosen.setdefault(face.label, face)
            chosen[face.label] = min(
                first, face, key=lambda f: _hash_name(manifest.locate(f).as_posix())
            )
    moved = {face.path for face in chosen.values()}
    faces = (replace(f, split="val") if f.path in moved else f for f in manifest.faces)
    return replace(manifest, faces=tuple(faces))


def _hash_name(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


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

    Returns:
        `uint8 (N, size_px, size_px, 3)`.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    pixels = np.empty((len(faces), size_px, size_px, 3), np.uint8)
    for row, face in enumerate(faces):
        pixels[row] = resize_pixels(read_face(face), size_px)
    return pixels


def read_face(face: Face) -> np.ndarray:
    """Decode one picture: `uint8 (H, W, 3)`.

    Raises:
        BadInputError: it is not a readable picture; the message names it.
    """
    try:
        return read_image(face.path)
    except KyaraError as error:
        raise BadInputError(f"{face.path}: {error}") from error


def count_labels(faces: Sequence[Face]) -> Counter[str]:
    """Count faces per label."""
    return Counter(face.label for face in faces)
