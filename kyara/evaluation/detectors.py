"""Detectors on pictures with face boxes: what they reach, and a face network's figures and card."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.boxed import BoxedPicture
from kyara.evaluation.detection import (
    FALSE_A_PICTURE,
    Looked,
    match_faces,
    measure_average_precision,
    measure_detection,
    raise_surest,
)
from kyara.storage.atomic import replace_file
from kyara.vision.boxes import Box, FoundFace, grow_box
from kyara.vision.detector_bundle import DetectorBundle, load_detector_bundle
from kyara.vision.detectors.base import FaceDetector
from kyara.vision.detectors.network import NetworkDetector

FLOOR = 0.03
"""Scores below it are not looked at."""
CARD_FILE, METRICS_FILE = "MODEL_CARD.md", "metrics.json"


def look_at_pictures(
    detector: FaceDetector,
    pictures: Sequence[BoxedPicture],
    progress: Callable[[int], object] = lambda count: None,
) -> list[Looked]:
    """Let a detector search pictures; a picture's source is its file's name up to the last dash.

    The network is asked for all faces down to `FLOOR`, every other detector for its default.
    """
    looked = []
    for picture in pictures:
        pixels = picture.read()
        truth = [Box(*(round(value) for value in face.box)) for face in picture.faces]
        source = picture.path.name.rpartition("-")[0] or picture.path.parent.name
        looked.append(match_faces(source, truth, _find(detector, pixels)))
        progress(1)
    return looked


def _find(detector: FaceDetector, pixels: np.ndarray) -> list[FoundFace]:
    if isinstance(detector, NetworkDetector):
        return detector.find_above(pixels, FLOOR)
    height, width = pixels.shape[:2]
    return [
        replace(face, box=grow_box(face.box, 1 / detector.box_scale, width, height))
        for face in detector.find(pixels)
    ]


def measure_detector(
    detector: FaceDetector,
    pictures: Sequence[BoxedPicture],
    progress: Callable[[int], object] = lambda count: None,
) -> dict[str, Any]:
    """Measure a detector at its default level; see `evaluation.detection.measure_detection`."""
    looked = look_at_pictures(detector, pictures, progress)
    if isinstance(detector, NetworkDetector):
        return measure_network(looked, detector.bundle)
    return measure_detection(looked, 0.0)


def measure_network(looked: Sequence[Looked], bundle: DetectorBundle) -> dict[str, Any]:
    """Measure what the network of a bundle said of pictures, at its default level.

    The average precision is that of the scores; all else is of what is shown.
    """
    shown = looked if bundle.surest_from is None else raise_surest(looked, bundle.surest_from)
    measured = measure_detection(shown, bundle.thresholds[bundle.default_level])
    return {**measured, "average_precision": measure_average_precision(looked)}


def save_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write what was measured of some splits into a detector's folder, and its card anew."""
    path = folder / METRICS_FILE
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    stored = {**stored, **metrics}
    replace_file(path, (json.dumps(stored, indent=2) + "\n").encode())
    card = write_card(load_detector_bundle(folder), stored)
    replace_file(folder / CARD_FILE, card.encode())


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
        *_describe_eyes(bundle),
        f"Thresholds from fewer faces to more: {levels}; default: level {bundle.default_level},",
        f"for what plays level {bundle.plays_level}.",
        *_describe_surest(bundle),
        "",
    ]
    for split, measured in metrics.items():
        if split == "eyes":
            lines += _describe_leans(measured)
            continue
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


def _describe_surest(bundle: DetectorBundle) -> list[str]:
    if bundle.surest_level is None:
        return []
    return [
        f"A still picture's surest face is shown at every level if level {bundle.surest_level} shows it."
    ]


def _describe_eyes(bundle: DetectorBundle) -> list[str]:
    if bundle.eyes is None:
        return []
    least = bundle.settings["eyes"]["from_deg"]
    return [
        f"A second network of {len(bundle.eyes):,} bytes tells where a face's eyes are, if it is sure;",
        f"a face that leans by {least:g}° or more is turned upright by them.",
    ]


def _describe_leans(measured: dict[str, Any]) -> list[str]:
    lines = [
        "## Eyes",
        "",
        "Faces turned to either side: the share whose eyes are told; the share of all eyes that are",
        "found within a tenth of the face's width; that of those told; error of their lean, median",
        "and 90%.",
        "",
        "| split | turned | faces | told | within | of those told | lean |",
        "|---|---|---|---|---|---|---|",
    ]
    for split, turns in measured.items():
        for turn, row in turns.items():
            shares = " | ".join(_show(row[key]) for key in ("sure", "near", "near_if_sure"))
            lean = f"{row['roll_median_deg']}°, {row['roll_90_deg']}°"
            lines.append(f"| {split} | {turn}° | {row['faces']} | {shares} | {lean} |")
    return [*lines, ""]


def _describe_row(name: str, row: dict[str, Any]) -> str:
    recall, overlap = _show(row["recall"]), _show(row["recall_iou"])
    counts = f"{row['pictures']} | {row['faces']}"
    return f"| {name} | {counts} | {recall} | {overlap} | {row['false_a_picture']:.2f} |"


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
