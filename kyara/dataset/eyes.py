"""Ask animeface-2009 where the eyes of faces are: what the recipe `eyes` learns from.

In: faces as datasets have them. Out: a folder as `kyara.dataset.boxed` reads it, one face a picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from kyara.dataset.boxed import read_table
from kyara.dataset.manifest import Face
from kyara.storage.atomic import replace_file
from kyara.vision.boxes import Box, FoundFace, measure_overlap
from kyara.vision.detectors.base import FaceDetector
from kyara.vision.images import read_image

LOOKED_AT_PX, RIM_PX = 176, 28
"""A picture is shown to animeface-2009 with this longer side, and its edges drawn out so far."""
LEAST_LIKELIHOOD = 0.9
LEAST_OVERLAP = 0.4
"""Of its face and the tight one."""
DISTANCE = (0.25, 0.75)
"""Of the eyes, in widths of the tight face."""
ACROSS, DOWN = (0.02, 0.98), (0.15, 0.8)
"""Where in the tight face an eye may be."""
LARGEST_SLOPE_DEG = 35.0
KEPT_EVERY = 100


def collect_eyes(
    faces: Sequence[Face],
    folder: Path,
    finder: FaceDetector,
    asked: FaceDetector,
    *,
    most: int,
    seed: int,
    progress: Callable[[int], object] = lambda count: None,
) -> int:
    """Look for the eyes of faces, and write them with their tight boxes; a killed run goes on.

    Args:
        faces: with or without a tight box.
        folder: where `boxes.json`, `eyes.json` and `splits.json` go.
        finder: finds the tight face where there is no box.
        asked: tells eyes.
        most: so many faces at most, drawn at random.
        seed: of that.
        progress: called with 1 after each face.

    Returns:
        How many have eyes.
    """
    faces = sorted(faces, key=lambda face: str(face.path))
    drawn = np.random.default_rng(seed).permutation(len(faces))[:most].tolist()
    places = {name: folder / f"{name}.json" for name in ("boxes", "eyes", "splits")}
    tables = {name: read_table(path) if path.is_file() else {} for name, path in places.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for number, face in enumerate((faces[index] for index in drawn), start=1):
        name = str(face.path.resolve())
        if name not in tables["boxes"]:
            pixels = np.ascontiguousarray(read_image(face.path))
            box = face.box or next((found.box for found in finder.find(pixels)), None)
            eyes = None if box is None else choose_eyes(box, ask_eyes(pixels, asked))
            tables["boxes"][name] = [] if box is None else [[box.x, box.y, box.width, box.height]]
            tables["eyes"][name] = [] if box is None else [eyes]
            tables["splits"][name] = face.split
        if number % KEPT_EVERY == 0:
            _write(folder, tables)
        progress(1)
    _write(folder, tables)
    return sum(bool(one) and one[0] is not None for one in tables["eyes"].values())


def ask_eyes(pixels: np.ndarray, asked: FaceDetector) -> list[FoundFace]:
    """Return the faces that a detector finds in a picture, large enough and with a rim around it."""
    height, width = pixels.shape[:2]
    scale = LOOKED_AT_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    drawn = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    rim = ((RIM_PX, RIM_PX), (RIM_PX, RIM_PX), (0, 0))
    found = asked.find(np.pad(drawn, rim, mode="edge"))

    def back(value: float) -> float:
        return (value - RIM_PX) / scale

    return [
        replace(
            face,
            box=Box(
                *(round(back(value)) for value in (face.box.x, face.box.y)),
                *(max(1, round(value / scale)) for value in (face.box.width, face.box.height)),
            ),
            eyes=face.eyes and tuple(back(value) for value in face.eyes),
        )
        for face in found
    ]


def choose_eyes(box: Box, found: Sequence[FoundFace]) -> tuple[float, ...] | None:
    """Return the eyes of a tight face among what animeface-2009 found, if they can be believed."""
    for face in found:
        likely = face.score >= LEAST_LIKELIHOOD and measure_overlap(box, face.box) >= LEAST_OVERLAP
        if likely and face.eyes and _is_plausible(box, face.eyes):
            return tuple(round(value, 2) for value in face.eyes)
    return None


def _is_plausible(box: Box, eyes: tuple[float, float, float, float]) -> bool:
    x1, y1, x2, y2 = eyes
    distance = math.hypot(x2 - x1, y2 - y1) / box.width
    slope = abs(math.degrees(math.atan2(y2 - y1, x2 - x1)))
    across = all(ACROSS[0] <= (x - box.x) / box.width <= ACROSS[1] for x in (x1, x2))
    down = all(DOWN[0] <= (y - box.y) / box.height <= DOWN[1] for y in (y1, y2))
    return DISTANCE[0] <= distance <= DISTANCE[1] and slope < LARGEST_SLOPE_DEG and across and down


def _write(folder: Path, tables: dict[str, dict]) -> None:
    for name, table in tables.items():  # the boxes last: a picture with a box is done
        if name != "boxes":
            replace_file(folder / f"{name}.json", json.dumps(table))
    replace_file(folder / "boxes.json", json.dumps(tables["boxes"]))
