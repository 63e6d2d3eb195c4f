"""What training does to the crops of a dataset, to look at or as a dataset of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from kyara.dataset.manifest import INDEX_FILE, Face, Manifest, write_index
from kyara.errors import BadInputError
from kyara.training.augment import TrainingFace, augment_face
from kyara.training.crops import USUAL_MARGIN, cut_margin, load_training_face
from kyara.vision.boxes import Box
from kyara.vision.images import encode_png, resize_pixels

MOST_SCENES = 256
"""Other training pictures that may lie behind a drawing; training itself takes any."""
GAP_PX = 4
SHEET_GROUND = (247, 246, 250)
Progress = Callable[[int], None]


class Variations:
    """Makes variations of a dataset's training pictures: the same for the same seed."""

    def __init__(self, manifest: Manifest, boxes: Sequence[Box | None], size_px: int, seed: int) -> None:
        """Read what may lie behind a drawing; `boxes` are as `crops.find_faces` returns them.

        Raises:
            BadInputError: no training pictures, or one is unreadable.
        """
        self.faces = manifest.of_split("train")
        self._manifest, self._seed, self._size_px = manifest, seed, size_px
        self._boxes = dict(zip(self.faces, boxes, strict=True))
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(self.faces))[:MOST_SCENES]
        self._scenes = [self._read(self.faces[place]).pixels for place in chosen]

    def vary(self, face: Face, count: int) -> list[np.ndarray]:
        """Return variations of one picture, `uint8 (size_px, size_px, 3)` each."""
        return self._vary(self._read(face), face, count)

    def _read(self, face: Face) -> TrainingFace:
        return load_training_face(face, self._boxes[face], backgrounds=True)

    def _vary(self, shown: TrainingFace, face: Face, count: int) -> list[np.ndarray]:
        # by name: another picture more or less changes no other picture's variations
        name = self._manifest.locate(face).as_posix().encode()
        rng = np.random.default_rng([self._seed, *name])
        return [augment_face(shown, self._size_px, rng, scenes=self._scenes) for _ in range(count)]

    def draw_sheet(self, rows: int, columns: int, progress: Progress = lambda done: None) -> np.ndarray:
        """Draw a sheet: a crop as it is, then what training does to it, row by row.

        The rows are drawn by lot, and show different characters as long as there are any.

        Args:
            rows: crops, at most as many as there are.
            columns: variations of each.
            progress: called with 1 after each row.

        Returns:
            `uint8 (H, W, 3)`.
        """
        faces = _choose_faces(self.faces, rows, self._seed)
        size, step = self._size_px, self._size_px + GAP_PX
        first = size + 4 * GAP_PX  # the originals stand a little apart
        shape = (len(faces) * step + GAP_PX, first + columns * step + GAP_PX, 3)
        sheet = np.full(shape, SHEET_GROUND, np.uint8)
        for row, face in enumerate(faces):
            top = GAP_PX + row * step
            shown = self._read(face)
            plain = resize_pixels(cut_margin(shown, USUAL_MARGIN), size)
            sheet[top : top + size, GAP_PX : GAP_PX + size] = plain
            for column, variation in enumerate(self._vary(shown, face, columns)):
                left = first + GAP_PX + column * step
                sheet[top : top + size, left : left + size] = variation
            progress(1)
        return sheet


def _choose_faces(faces: Sequence[Face], count: int, seed: int) -> list[Face]:
    order = np.random.default_rng(seed).permutation(len(faces))
    seen: dict[str, int] = {}
    ranked: list[tuple[int, int]] = []
    for place in order.tolist():
        label = faces[place].label
        seen[label] = seen.get(label, 0) + 1
        ranked.append((seen[label], place))
    ranked.sort(key=lambda pair: pair[0])  # stable: every label's first, then every label's second …
    return [faces[place] for _, place in ranked[:count]]


def write_sheet(sheet: np.ndarray, path: Path) -> None:
    """Write a sheet as PNG.

    Raises:
        BadInputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(path, "PNG", optimize=True)
    except OSError as error:
        raise BadInputError(f"Cannot write {path}: {error.strerror or error}.") from error


def write_variations(
    manifest: Manifest,
    variations: Variations,
    times: int,
    out: Path,
    progress: Progress = lambda done: None,
) -> int:
    """Write a dataset of variations.

    Every training picture is replaced by `times` variations (PNG) that keep its label, split and group.
    All other splits are copied unchanged: they measure.

    Args:
        manifest: of one folder.
        variations: of that manifest.
        times: variations of each training picture.
        out: folder; it must be empty or not exist, and lie outside the dataset.
        progress: called with 1 after each picture of the dataset.

    Returns:
        How many pictures were written.

    Raises:
        BadInputError: the folder is not fit, or a picture is unreadable.
    """
    (root,) = manifest.roots
    if out.resolve().is_relative_to(root.resolve()):
        raise BadInputError(f"{out} lies inside the dataset; give a folder outside of it.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"{out} is not empty; give a new folder.")
    written: list[Face] = []
    for face in manifest.faces:
        target = out / manifest.locate(face)
        target.parent.mkdir(parents=True, exist_ok=True)
        if face.split != "train":
            shutil.copyfile(face.path, target)
            written.append(replace(face, path=target))
        else:
            for number, pixels in enumerate(variations.vary(face, times), 1):
                path = target.with_name(f"{target.name}-{number:0{len(str(times))}}.png")
                path.write_bytes(encode_png(pixels))
                written.append(replace(face, path=path, role="", box=None))
        progress(1)
    write_index(out, written, out / INDEX_FILE)
    return len(written)
