"""A trained detector → a bundle: the LiteRT file, thresholds, what it reaches, a card."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.evaluation.detection import (
    FALSE_A_PICTURE,
    Looked,
    match_faces,
    measure_detection,
    measure_recall_at,
)
from kyara.storage.atomic import replace_file
from kyara.training.recipes.detector.data import BoxedPicture
from kyara.training.recipes.detector.looks import LOOKS, write_network
from kyara.vision.boxes import Box
from kyara.vision.detector_bundle import DetectorBundle, load_detector_bundle, write_detector_bundle
from kyara.vision.detectors.network import NetworkDetector
from kyara.vision.images import read_image

LEVEL_FALSE_A_PICTURE = (0.02, 0.05, 0.1, 0.3, 0.8)
"""The thresholds of the levels leave so many false boxes a picture on `val`."""
DEFAULT_LEVEL = 2
FLOOR = 0.03
"""Scores below it are not looked at when thresholds are chosen."""
CARD_FILE, METRICS_FILE = "MODEL_CARD.md", "metrics.json"


def look_at_pictures(
    detector: NetworkDetector,
    pictures: Sequence[BoxedPicture],
    progress: Callable[[int], object] = lambda count: None,
) -> list[Looked]:
    """Let a detector search pictures; a picture's source is its file's name up to the last dash."""
    looked = []
    for picture in pictures:
        pixels = np.ascontiguousarray(read_image(picture.path))
        truth = [Box(*(round(value) for value in face.box)) for face in picture.faces]
        source = picture.path.name.rpartition("-")[0] or picture.path.parent.name
        looked.append(match_faces(source, truth, detector.find_above(pixels, FLOOR)))
        progress(1)
    return looked


def export_detector(
    model: Any,
    target: Path,
    pictures: Sequence[BoxedPicture],
    provenance: dict[str, Any],
    progress: Callable[[int], object] = lambda count: None,
) -> DetectorBundle:
    """Write a detector's bundle.

    Args:
        model: the trained Keras model.
        target: folder of the bundle.
        pictures: of `val`, which choose the thresholds, and of `test`, which are reported.
        provenance: goes into the bundle.
        progress: called for each picture that was searched.

    Raises:
        BadInputError: there is no picture of `val`.
    """
    val = [picture for picture in pictures if picture.split == "val"]
    if not val:
        raise BadInputError("Thresholds are chosen on pictures of the split val; the data has none.")
    draft = {"thresholds": [0.5], "default_level": 0, "provenance": provenance}
    drafted = write_network(model, target, draft)
    detector = NetworkDetector(drafted)
    on_val = look_at_pictures(detector, val, progress)
    thresholds = choose_thresholds(on_val)
    data = {"settings": LOOKS, "thresholds": thresholds, "default_level": DEFAULT_LEVEL}
    bundle = write_detector_bundle(target, drafted.network, {**draft, **data})
    metrics = {"val": measure_detection(on_val, thresholds[DEFAULT_LEVEL])}
    if test := [picture for picture in pictures if picture.split == "test"]:
        metrics["test"] = measure_detector(NetworkDetector(bundle), test, progress)
    save_metrics(target, metrics)
    return bundle


def measure_detector(
    detector: NetworkDetector,
    pictures: Sequence[BoxedPicture],
    progress: Callable[[int], object] = lambda count: None,
) -> dict[str, Any]:
    """Measure a detector at its default level; see `evaluation.detection.measure_detection`."""
    bundle = detector.bundle
    looked = look_at_pictures(detector, pictures, progress)
    return measure_detection(looked, bundle.thresholds[bundle.default_level])


def save_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write what was measured of some splits into a detector's folder, and its card anew."""
    path = folder / METRICS_FILE
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    stored = {**stored, **metrics}
    replace_file(path, (json.dumps(stored, indent=2) + "\n").encode())
    card = write_card(load_detector_bundle(folder), stored)
    replace_file(folder / CARD_FILE, card.encode())


def choose_thresholds(looked: Sequence[Looked]) -> list[float]:
    """Return the least score of each level, from fewer faces to more, strictly falling."""
    chosen: list[float] = []
    for rate in LEVEL_FALSE_A_PICTURE:
        threshold = max(measure_recall_at(looked, rate)["threshold"] or 0.0, FLOOR)
        limit = chosen[-1] * 0.9 if chosen else 0.95
        chosen.append(round(min(threshold, limit), 4))
    return chosen


def write_card(bundle: DetectorBundle, metrics: dict[str, Any]) -> str:
    """Return the detector's card: what it is, what it reaches, where it fails."""
    levels = ", ".join(f"{value:.2f}" for value in bundle.thresholds)
    lines = [
        f"# {bundle.name}",
        "",
        "A face detector for drawn characters: an anchor-free network of depthwise-separable",
        "convolutions that gives tight face boxes (cheek to cheek, fringe to chin) and a score.",
        "OpenCV.js runs it in the browser, LiteRT in Python.",
        "",
        f"Version {bundle.version}, {len(bundle.network):,} bytes.",
        f"Thresholds from fewer faces to more: {levels}; default: level {bundle.default_level}.",
        "",
    ]
    for split, measured in metrics.items():
        lines += [
            f"## On `{split}`",
            "",
            "| source | pictures | faces | recall | at IoU 0.5 | false boxes a picture |",
            "|---|---|---|---|---|---|",
        ]
        rows = {"all": measured, **measured["by_source"]}
        lines += [_describe_row(name, row) for name, row in rows.items()]
        recalls = {rate: measured["curve"][str(rate)]["recall"] for rate in FALSE_A_PICTURE}
        curve = ", ".join(f"{_show(recall)} at {rate}" for rate, recall in recalls.items())
        lines += [
            "",
            f"Recall against false boxes a picture: {curve}.",
            f"Average precision {_show(measured['average_precision'])}.",
            "",
        ]
    made_from = json.dumps(bundle.provenance, indent=2, ensure_ascii=False)
    return "\n".join([*lines, "## Made from", "", "```json", made_from, "```", ""])


def _describe_row(name: str, row: dict[str, Any]) -> str:
    recall, overlap = _show(row["recall"]), _show(row["recall_iou"])
    counts = f"{row['pictures']} | {row['faces']}"
    return f"| {name} | {counts} | {recall} | {overlap} | {row['false_a_picture']:.2f} |"


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
