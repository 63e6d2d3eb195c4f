"""A trained detector → a bundle: the LiteRT file, thresholds, what it reaches, a card."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kyara.dataset.boxed import BoxedPicture
from kyara.errors import BadInputError
from kyara.evaluation.detection import Looked, measure_recall_at
from kyara.evaluation.detectors import (
    FLOOR,
    METRICS_FILE,
    look_at_pictures,
    measure_detector,
    measure_network,
    save_metrics,
)
from kyara.training.recipes.detector.looks import write_network
from kyara.vision.detector_bundle import DetectorBundle, load_detector_bundle, write_detector_bundle
from kyara.vision.detectors.network import NetworkDetector

LEVEL_FALSE_A_PICTURE = (0.02, 0.05, 0.1, 0.3, 0.8)
"""The thresholds of the levels leave so many false boxes a picture on `val`."""
LEVELS = {"default_level": 1, "surest_level": 3, "plays_level": 2}
"""A still picture's surest face is shown at every level if the `surest_level` shows it. With those of
the default level, false boxes are about a tenth a picture then."""


def export_detector(
    model: Any,
    target: Path,
    pictures: Sequence[BoxedPicture],
    provenance: dict[str, Any],
    progress: Callable[[int], object] = lambda count: None,
    *,
    start: Path | None = None,
) -> DetectorBundle:
    """Write a detector's bundle; whole pictures of `val` choose its thresholds, `test` is reported.

    Args:
        model: as `train_detector` gives it.
        target: folder of the bundle.
        pictures: with boxes, of all splits.
        provenance: what it was made from.
        progress: told of each picture that was looked at.
        start: folder of the detector that it went on from; its eye network, if any, goes on beside it.

    Raises:
        BadInputError: there is no picture of `val`.
    """
    whole = [picture for picture in pictures if not picture.portrait]
    val = [picture for picture in whole if picture.split == "val"]
    if not val:
        raise BadInputError("Thresholds are chosen on pictures of the split val; the data has none.")
    tells_eyes = any(face.eyes for picture in pictures for face in picture.faces)
    draft = {"thresholds": [0.5], "default_level": 0, "provenance": provenance}
    drafted = write_network(model, target, draft, tells_eyes=tells_eyes)
    detector = NetworkDetector(drafted)
    on_val = look_at_pictures(detector, val, progress)
    thresholds = choose_thresholds(on_val)
    settings, eyes, metrics = drafted.settings, None, {}
    if start and (eyes := (before := load_detector_bundle(start)).eyes):
        settings = {**settings, "eyes": before.settings["eyes"]}
        metrics["eyes"] = json.loads((start / METRICS_FILE).read_text(encoding="utf-8"))["eyes"]
    data = {"settings": settings, "thresholds": thresholds, **LEVELS}
    bundle = write_detector_bundle(target, drafted.network, {**draft, **data}, eyes)
    metrics["val"] = measure_network(on_val, bundle)
    if test := [picture for picture in whole if picture.split == "test"]:
        metrics["test"] = measure_detector(NetworkDetector(bundle), test, progress)
    save_metrics(target, metrics)
    return bundle


def choose_thresholds(looked: Sequence[Looked]) -> list[float]:
    """Return the least score of each level, from fewer faces to more, strictly falling."""
    chosen: list[float] = []
    for rate in LEVEL_FALSE_A_PICTURE:
        threshold = max(measure_recall_at(looked, rate)["threshold"] or 0.0, FLOOR)
        limit = chosen[-1] * 0.9 if chosen else 0.95
        chosen.append(round(min(threshold, limit), 4))
    return chosen
