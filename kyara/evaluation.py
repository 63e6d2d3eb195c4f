"""Measure a bundle on a dataset, through `Classifier`: the same path that serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from classification import Classifier
from kyara.answers import measure_familiarity
from kyara.backbone import Backbone
from kyara.dataset import Face, Manifest
from kyara.errors import BadInputError
from kyara.head import softmax
from kyara.images import list_pictures, read_image
from kyara.metrics import (
    measure_auroc,
    measure_calibration,
    measure_f1,
    measure_macro_f1,
    measure_top_k,
)

Progress = Callable[[int], None]
"""Called with the number of faces done since the last call."""


def extract_faces(
    backbone: Backbone, faces: list[Face], progress: Progress = lambda done: None
) -> np.ndarray:
    """Return the features of dataset faces as serving computes them: `float32 (N, features)`."""
    rows = []
    for face in faces:
        rows.append(backbone.extract([read_image(face.path)])[0])
        progress(1)
    return np.stack(rows)


def evaluate_bundle(
    classifier: Classifier,
    manifest: Manifest,
    split: str,
    *,
    unknown: Path | None = None,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Measure closed-set recognition on one split, and rejection of strangers where some are given.

    Args:
        classifier: the loaded model.
        manifest: the dataset; labels that the model does not know are refused.
        split: of the manifest.
        unknown: folder of faces of nobody whom the model knows.
        progress: called with 1 after each face.

    Returns:
        What `metrics.json` holds. Rates are 0 to 1.

    Raises:
        BadInputError: an empty split, a label that the model does not know, or no strangers.
    """
    faces = manifest.of_split(split)
    labels = classifier.bundle.labels
    strange = sorted({face.label for face in faces} - set(labels))
    if strange:
        raise BadInputError(f"The model does not know {', '.join(strange[:5])} ({len(strange)} labels).")
    targets = np.array([labels.index(face.label) for face in faces])
    features = extract_faces(classifier.backbone, faces, progress)
    scores, similarities = classifier.score(features)
    confidences = softmax(scores, classifier.bundle.calibration.temperature)
    predicted = scores.argmax(axis=1)
    ece, bins = measure_calibration(confidences.max(axis=1), predicted == targets)
    familiarity = measure_familiarity(scores, similarities)
    threshold = classifier.bundle.calibration.familiarity_threshold
    metrics: dict[str, Any] = {
        "protocol": "closed",
        "split": split,
        "queries": len(faces),
        "characters": len(np.unique(targets)),
        "top1": round(measure_top_k(scores, targets, 1), 4),
        "top5": round(measure_top_k(scores, targets, 5), 4),
        "macro_f1": round(measure_macro_f1(predicted, targets, len(labels)), 4),
        "ece": round(ece, 4),
        "auroc": None,
        "known_accepted": round(float((familiarity >= threshold).mean()), 4),
        "dataset_sha256": manifest.digest(),
        "details": {
            "calibration_bins": bins,
            "f1": _round_each(measure_f1(predicted, targets, len(labels)), labels),
            "confusions": _list_confusions(predicted, targets, labels),
        },
    }
    if unknown is not None:
        strangers = _measure_strangers(classifier, unknown, progress)
        metrics["auroc"] = round(measure_auroc(familiarity, strangers), 4)
        metrics["unknown_queries"] = len(strangers)
        metrics["unknown_rejected"] = round(float((strangers < threshold).mean()), 4)
    return metrics


def _measure_strangers(classifier: Classifier, folder: Path, progress: Progress) -> np.ndarray:
    paths = list_pictures(folder)
    if not paths:
        raise BadInputError(f"{folder} has no pictures.")
    rows = []
    for path in paths:
        rows.append(classifier.backbone.extract([read_image(path)])[0])
        progress(1)
    return measure_familiarity(*classifier.score(np.stack(rows)))


def _round_each(values: np.ndarray, labels: tuple[str, ...]) -> dict[str, float]:
    return {label: round(float(value), 4) for label, value in zip(labels, values, strict=True)}


def _list_confusions(
    predicted: np.ndarray, targets: np.ndarray, labels: tuple[str, ...], most: int = 20
) -> list[dict[str, Any]]:
    """Return the most frequent mistakes: who was taken for whom, how often."""
    wrong = predicted != targets
    pairs, counts = np.unique(np.stack([targets[wrong], predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [
        {"label": labels[pairs[0, n]], "taken_for": labels[pairs[1, n]], "count": int(counts[n])}
        for n in order
    ]
