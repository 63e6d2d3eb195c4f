"""Embeddings of many picture files: cached by content, or computed by the workers of a pool.

A feature is found again by the content of its picture and by what made it (the network, and how crops
become its input), so files may move, and another network never gets the features of this one.

Workers get names of picture files; of each comes a record with what it is and the features, `float32`,
as bytes.

Source: the bottleneck cache of TensorFlow's image retraining example,
https://github.com/tensorflow/hub/blob/master/examples/image_retraining/retrain.py
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError, BundleError, KyaraError
from kyara.recognition.backbone import Backbone, load_backbone
from kyara.recognition.bundle import Bundle, Preprocessing, hash_file, load_bundle
from kyara.recognition.pictures import find_faces
from kyara.storage.atomic import replace_file
from kyara.storage.parallel import Record, Task, Work
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detectors.base import open_detector
from kyara.vision.images import (
    MAX_IMAGE_PIXELS,
    cut_window,
    decode_image,
    read_image,
)
from kyara.vision.picture_files import FILE_FORMATS, is_picture_name


def extract_cached(
    backbone: Backbone,
    paths: Iterable[Path],
    cache: Path,
    progress: Callable[[int], None] = lambda done: None,
    boxes: Iterable[Box | None] | None = None,
    *,
    each: bool = False,
) -> np.ndarray:
    """Return the features of picture files, each taken as one crop, or of the face in each.

    Args:
        backbone: the network.
        paths: of the pictures.
        cache: folder for the features; a kill costs none that were finished.
        progress: called with 1 after each picture.
        boxes: the tight face in each picture; where it is None the picture is taken as the crop.
        each: give every view's, `float32 (N, views, features)`.

    Returns:
        `float32 (N, features)`, the average over the views.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    folder = cache / backbone.fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for path, box in zip(paths, repeat(None) if boxes is None else boxes, strict=False):
        rows.append(_recall(backbone, path, box, folder))
        progress(1)
    views = len(backbone.preprocessing.views)
    values = np.stack(rows) if rows else np.zeros((0, views, backbone.dimension), np.float32)
    return values if each else values.mean(axis=1)


def cut_face(pixels: np.ndarray, box: Box | None, preprocessing: Preprocessing) -> np.ndarray:
    """Return what the model sees of the face in a picture.

    Args:
        pixels: `uint8 (H, W, 3)`.
        box: the tight face; None: the picture is the crop.
        preprocessing: the bundle's.
    """
    if box is None:
        return pixels
    height, width = pixels.shape[:2]
    return cut_window(pixels, preprocessing.find_window(FoundFace(box, 1.0), 1.0, width, height))


def _recall(backbone: Backbone, path: Path, box: Box | None, folder: Path) -> np.ndarray:
    try:
        data = path.read_bytes()
        where = f"-{box.x}-{box.y}-{box.width}-{box.height}" if box else ""
        kept = folder / f"{hashlib.sha256(data).hexdigest()}{where}.npy"
        if kept.exists():
            return np.load(kept, allow_pickle=False)
        pixels = decode_image(data, formats=FILE_FORMATS, max_pixels=4 * MAX_IMAGE_PIXELS)
    except (OSError, ValueError, KyaraError) as error:
        raise BadInputError(f"{path}: {error}") from error
    crop = cut_face(pixels, box, backbone.preprocessing)
    features = backbone.extract_each([crop])[0].astype(np.float32)
    keep_array(kept, features)
    return features


def keep_array(path: Path, array: np.ndarray) -> None:
    """Write an array as `.npy`, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    replace_file(path, buffer.getvalue())


SHARD_PICTURES = 64
"""Pictures that a worker is handed at a time: a second or two of work."""
LIST_SUFFIX = ".txt"


def plan_extraction(
    bundle: Bundle,
    *,
    whole: bool,
    level: int | None,
    detector: str | None = None,
    each_view: bool = False,
) -> Task:
    """Return the task of extracting features.

    Args:
        bundle: whose network is used; every worker finds it at the same place.
        whole: each picture is one crop; else the faces that are found.
        level: strictness of the detector.
        detector: its name.
        each_view: features of each view of a face, not their mean: what `Classifier.settle` takes.
    """
    options = {"bundle": str(bundle.backbone.parent), "version": bundle.version, "detector": detector}
    looks = {"whole": whole, "level": level, "each_view": each_view}
    return Task("kyara.recognition.embeddings:open_extractor", {**options, **looks})


def load_worker_backbone(options: Mapping[str, Any]) -> Backbone:
    """A worker's side: load the network that a task names; it has one thread, and so has OpenCV.

    Args:
        options: of the task: `bundle`, the folder, and `version`, which it has to have.

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
    return load_backbone(bundle, threads=1)


@contextmanager
def open_extractor(options: Mapping[str, Any]) -> Iterator[Callable[[str], Iterator[Record]]]:
    """A worker's side: give the function that looks at one picture.

    Its record has `sha256`, `width`, `height` and `boxes`; one row of features a box, or one a view.

    Raises:
        BundleError: the model is not there, or not the one that was meant.
    """
    backbone = load_worker_backbone(options)

    def look(name: str) -> Iterator[Record]:
        path = Path(name)
        pixels = read_image(path)
        height, width = pixels.shape[:2]
        find_window = backbone.preprocessing.find_window
        finder = None if options["whole"] else detector
        found = find_faces(pixels, finder, find_window, options["level"])
        extract = backbone.extract_each if options["each_view"] else backbone.extract
        features = extract(found.crops)
        entry = {
            "sha256": hash_file(path),
            "width": width,
            "height": height,
            "boxes": [box.to_json() for box in found.boxes],
        }
        yield Record(entry, features.astype("<f4").tobytes())

    with open_detector(options["detector"]) as detector:
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


def read_features(record: Record, views: int) -> tuple[list[Box], np.ndarray]:
    """Return what a record of each view holds: boxes, and `float32 (boxes, views, features)`.

    Args:
        record: of `open_extractor`.
        views: how many the bundle's preprocessing has.
    """
    boxes = [Box(**box) for box in record.entry["boxes"]]
    features = np.frombuffer(record.data, "<f4")
    return boxes, features.reshape(len(boxes), views, -1 if boxes else 1)


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
        elif is_picture_name(name):
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
