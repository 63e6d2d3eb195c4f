"""Many pictures → features of each, or of each face in it: for workers of an engine.

In: names of picture files. Out: of each a record with what it is and the features, `float32`, as bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kyara.backbone import load_backbone
from kyara.bundle import Bundle, hash_file, load_bundle
from kyara.engine import Record, Task, Work
from kyara.errors import BadInputError, BundleError
from kyara.faces import propose_faces
from kyara.images import SUFFIXES, Box, crop_pixels, read_image

SHARD_PICTURES = 64
"""Pictures that a worker is handed at a time: a second or two of work."""
LIST_SUFFIX = ".txt"


def plan_extraction(bundle: Bundle, *, whole: bool, level: int | None) -> Task:
    """Return the task of extracting features.

    Args:
        bundle: whose network is used; every worker finds it at the same place.
        whole: each picture is one crop; else the faces that are found.
        level: strictness of the detector.
    """
    options = {"bundle": str(bundle.backbone.parent), "version": bundle.version}
    return Task("kyara.extraction:open_extractor", {**options, "whole": whole, "level": level})


@contextmanager
def open_extractor(options: Mapping[str, Any]) -> Iterator[Callable[[str], Iterator[Record]]]:
    """A worker's side: give the function that looks at one picture.

    Its record has `sha256`, `width`, `height` and `boxes`; one row of features a box.

    Raises:
        BundleError: the model is not there, or not the one that was meant.
    """
    import cv2

    cv2.setNumThreads(1)  # there is a worker for each processor
    bundle = load_bundle(Path(options["bundle"]))
    if bundle.version != options["version"]:
        raise BundleError(
            f"The model at {options['bundle']} has changed: it was {options['version']}, and is "
            f"{bundle.version} now. Start again."
        )
    backbone = load_backbone(bundle, threads=1)

    def look(name: str) -> Iterator[Record]:
        path = Path(name)
        pixels = read_image(path)
        height, width = pixels.shape[:2]
        boxes = (
            [Box(0, 0, width, height)]
            if options["whole"]
            else propose_faces(pixels, level=options["level"])
        )
        features = backbone.extract(crop_pixels(pixels, box) for box in boxes)
        entry = {
            "sha256": hash_file(path),
            "width": width,
            "height": height,
            "boxes": [box.to_json() for box in boxes],
        }
        yield Record(entry, features.astype("<f4").tobytes())

    yield look


def read_pictures(work: Work, number: int) -> Iterator[tuple[str, Record | None, str]]:
    """Give of each picture of a shard its name, its record, and what is wrong with it."""
    record = None
    for part in work.read_results(number):
        if isinstance(part, Record):
            record = part
            continue
        yield part.name, None if part.error else record, part.error
        record = None


def read_features(record: Record) -> tuple[list[Box], np.ndarray]:
    """Return what a record of `open_extractor` holds: boxes, and `float32 (boxes, features)`."""
    boxes = [Box(**box) for box in record.entry["boxes"]]
    features = np.frombuffer(record.data, "<f4")
    return boxes, features.reshape(len(boxes), -1) if boxes else features.reshape(0, 1)


def list_named(named: Iterable[Path]) -> Iterator[str]:
    """Give the pictures that are named: those of a folder, of a list (`.txt`, one a line), or the file.

    Raises:
        BadInputError: a list that cannot be read, or nothing in a folder or a list.
    """
    for path in named:
        found = False
        if path.is_dir():
            names: Iterable[str] = walk_pictures(path)
        elif path.suffix.lower() == LIST_SUFFIX:
            names = _read_list(path)
        else:
            names = [str(path)]
        for name in names:
            found = True
            yield name
        if not found:
            raise BadInputError(f"{path} has no pictures.")


def walk_pictures(folder: Path) -> Iterator[str]:
    """Give every picture file below a folder in the order of `list_pictures`, one folder at a time."""
    with os.scandir(folder) as entries:
        there = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in there:
        if is_folder:
            yield from walk_pictures(folder / name)
        elif Path(name).suffix.lower() in SUFFIXES:
            yield str(folder / name)


def _read_list(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (line.strip() for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The list {path} cannot be read: {error}.") from error


def split_names(names: Iterable[str], size: int = SHARD_PICTURES) -> Iterator[list[str]]:
    """Give names in shards."""
    rest = iter(names)
    while shard := list(islice(rest, size)):
        yield shard
