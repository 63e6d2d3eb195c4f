"""Evaluation of a model that gives a picture several labels (task `multi`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.tagged import TaggedPictures
from kyara.errors import BadInputError
from kyara.evaluation.measuring import round_rate, sample_curve
from kyara.evaluation.metrics import (
    ClassMeasures,
    measure_average_precision,
    measure_labels,
    measure_micro_f1,
    trace_thresholds,
)
from kyara.evaluation.queries import Progress, extract_pictures, time_answers
from kyara.recognition.classifier import Classifier
from kyara.recognition.head import sigmoid


@dataclass(frozen=True)
class TagEvaluation:
    """What a model of several labels does on a split.

    Attributes:
        metrics: what `metrics.json` holds.
        classifier: the model.
        paths: of the N pictures.
        labels: of the columns.
        truth: `bool (N, labels)`.
        probabilities: `float64 (N, labels)`.
        predicted: `bool (N, labels)`, at the bundle's thresholds.
    """

    metrics: dict[str, Any]
    classifier: Classifier
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray


def evaluate_tags(
    classifier: Classifier,
    data: TaggedPictures,
    split: str,
    progress: Progress = lambda done: None,
) -> TagEvaluation:
    """Measure a model of several labels.

    Args:
        classifier: a model with the task `multi`.
        data: the dataset; its labels are the model's.
        split: of the dataset.
        progress: called with 1 after each picture.

    Raises:
        BadInputError: an empty split, or other labels than the model's.
    """
    queries = data.of_split(split)
    if set(data.labels) != set(classifier.labels):
        odd = sorted(set(data.labels) ^ set(classifier.labels))
        raise BadInputError(
            f"The model and {data.root} do not have the same labels: {', '.join(odd[:5])}."
        )
    order = [data.labels.index(label) for label in classifier.labels]
    truth = queries.truth[:, order]
    pictures = [(path, None) for path in queries.paths]
    features = extract_pictures(classifier.backbone, pictures, progress).mean(axis=1)
    calibration = classifier.bundle.calibration
    probabilities = sigmoid(classifier.score(features)[0], calibration.temperature)
    predicted = probabilities >= np.array(calibration.label_thresholds)
    measures = measure_labels(predicted, truth)
    stored = (
        classifier.bundle.provenance.get("label_frequencies") or data.of_split("train").frequencies()
    )
    frequencies = np.array([stored[label] for label in classifier.labels])
    metrics = {
        "protocol": "multilabel",
        "split": split,
        "queries": len(truth),
        "labels": truth.shape[1],
        "micro_f1": round_rate(measure_micro_f1(predicted, truth)),
        "macro_f1": round_rate(measures.f1.mean()),
        "mean_average_precision": round_rate(_average_precisions(probabilities, truth).mean()),
        "exact_match": round_rate((predicted == truth).all(axis=1).mean()),
        "baselines": measure_baselines(frequencies, truth),
        "model_version": classifier.bundle.version,
        "dataset_sha256": data.digest(),
        "latency_ms": time_answers(classifier, pictures, features),
        "details": {
            "labels": _describe_labels(measures, probabilities, truth, frequencies, classifier),
            "curve": sample_curve(
                trace_thresholds(probabilities.ravel(), truth.ravel(), int(truth.sum()))
            ),
        },
    }
    return TagEvaluation(
        metrics, classifier, queries.paths, tuple(classifier.labels), truth, probabilities, predicted
    )


def measure_baselines(frequencies: np.ndarray, truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the F1 of three ways to answer without looking at the picture.

    `drawn`: each label with the probability of its training frequency; F1 of the expected counts.
    `most_frequent`: the labels that promise the highest micro-F1, for every picture.
    `every_label`: all of them, for every picture, which no blind answer beats in macro-F1.

    Args:
        frequencies: `float (labels,)`, share of the training pictures that have the label.
        truth: `bool (N, labels)`.
    """
    count, support = len(truth), truth.sum(axis=0)
    order = np.argsort(-frequencies, kind="stable")
    promised = 2 * frequencies[order].cumsum() / (np.arange(1, len(order) + 1) + frequencies.sum())
    frequent = np.zeros(len(order))
    frequent[order[: promised.argmax() + 1]] = 1
    answers = {"drawn": frequencies, "most_frequent": frequent, "every_label": np.ones(len(order))}
    return {
        name: _expect_f1(chances * support, chances * count, support)
        for name, chances in answers.items()
    }


def _expect_f1(hits: np.ndarray, predicted: np.ndarray, support: np.ndarray) -> dict[str, float]:
    each = 2 * hits / np.maximum(predicted + support, 1e-12)
    micro = 2 * hits.sum() / max(predicted.sum() + support.sum(), 1e-12)
    return {"micro_f1": round_rate(micro), "macro_f1": round_rate(each.mean())}


def _average_precisions(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    columns = range(truth.shape[1])
    return np.array([measure_average_precision(probabilities[:, n], truth[:, n]) for n in columns])


def _describe_labels(
    measures: ClassMeasures,
    probabilities: np.ndarray,
    truth: np.ndarray,
    frequencies: np.ndarray,
    classifier: Classifier,
) -> dict[str, Mapping[str, Any]]:
    """Return the numbers of each label, and its precision and recall against the threshold."""
    areas = _average_precisions(probabilities, truth)
    thresholds = classifier.bundle.calibration.label_thresholds
    found = {}
    for column, label in enumerate(classifier.labels):
        support = int(measures.support[column])
        found[label] = {
            "precision": round_rate(measures.precision[column]),
            "recall": round_rate(measures.recall[column]),
            "f1": round_rate(measures.f1[column]),
            "support": support,
            "average_precision": round_rate(areas[column]),
            "threshold": round_rate(thresholds[column]),
            "training_frequency": round_rate(frequencies[column]),
            "curve": sample_curve(trace_thresholds(probabilities[:, column], truth[:, column], support)),
        }
    return found
