"""Third stage of evaluation: what a model says → the numbers of `metrics.json`. Rates are 0 to 1."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, SupportsFloat

import numpy as np

from kyara.evaluation.metrics import (
    SEPARATORS,
    ThresholdCurve,
    measure_auroc,
    measure_calibration,
    measure_classes,
    measure_interval,
    measure_macro_f1,
    measure_separators,
    measure_top_k,
    trace_thresholds,
)
from kyara.evaluation.queries import Answered
from kyara.recognition.head import softmax

MOST_CONFUSIONS = 100
CURVE_POINTS = 41
"""Points of a curve that `metrics.json` keeps."""


def measure_answers(answered: Answered) -> dict[str, Any]:
    """Return every number about faces of characters whom the model knows.

    Returns:
        `top1`, `top1_interval` (95%), `top5`, `macro_f1` (over the characters that occur), `ece`,
        `known_accepted`, and `details`.
    """
    confidences, correct = answered.confidences, answered.correct
    ece, bins = measure_calibration(confidences.max(axis=1), correct)
    classes = len(answered.labels)
    interval = measure_interval(int(correct.sum()), len(correct))
    return {
        "queries": len(answered.faces),
        "characters": len(np.unique(answered.targets)),
        "ranked_characters": classes,
        "top1": round_rate(measure_top_k(answered.scores, answered.targets, 1)),
        "top1_interval": [round_rate(end) for end in interval],
        "top5": round_rate(measure_top_k(answered.scores, answered.targets, 5)),
        "macro_f1": round_rate(measure_macro_f1(answered.predicted, answered.targets)),
        "ece": round_rate(ece),
        "known_accepted": round_rate(answered.accepted.mean()),
        "details": {
            "calibration_bins": bins,
            "without_temperature": _measure_without_temperature(answered),
            "thresholds": measure_thresholds(answered),
            "characters": measure_characters(answered),
            "works": measure_works(answered),
            "confusions": list_confusions(answered),
        },
    }


def round_rate(value: SupportsFloat) -> float:
    """Round to four decimals, as `metrics.json` has them."""
    return round(float(value), 4)


def _measure_without_temperature(answered: Answered) -> dict[str, Any]:
    """Say how honest the confidences would be without temperature scaling."""
    ece, bins = measure_calibration(softmax(answered.scores).max(axis=1), answered.correct)
    return {"ece": round_rate(ece), "calibration_bins": bins}


def trace_separators(answered: Answered, column: int | None = None) -> dict[str, ThresholdCurve]:
    """Return precision, recall and F1 against the threshold on each separator.

    Args:
        answered: what the model says.
        column: of one character: its own answers only; None is everybody together.

    Returns:
        Separator → curve; empty where nothing was taken for the character.
    """
    rows = np.full(len(answered.faces), True) if column is None else answered.predicted == column
    relevant = len(rows) if column is None else int((answered.targets == column).sum())
    if not rows.any():
        return {}
    separators = measure_separators(answered.confidences[rows])
    return {
        name: trace_thresholds(values, answered.correct[rows], relevant)
        for name, values in separators.items()
    }


def measure_thresholds(answered: Answered) -> dict[str, Any]:
    """Return each separator's curve over all characters, its best point, and how well it separates.

    `auroc` is the chance that a right first answer has a higher value than a wrong one; None where all
    are right or all are wrong.
    """
    separators = measure_separators(answered.confidences)
    correct = answered.correct
    found = {}
    for name, curve in trace_separators(answered).items():
        both = bool(correct.any() and not correct.all())
        values = separators[name]
        auroc = round_rate(measure_auroc(values[correct], values[~correct])) if both else None
        found[name] = {"auroc": auroc, "best": _read_best(curve), "curve": sample_curve(curve)}
    return found


def choose_places(count: int, most: int) -> np.ndarray:
    """Return at most `most` of 0 to count - 1, spread evenly, with both ends: `int64 (n,)`, sorted."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def sample_curve(curve: ThresholdCurve) -> dict[str, list[float]]:
    """Thin a curve to at most `CURVE_POINTS`, spread over its values; the ends and the best stay."""
    places = np.union1d(choose_places(len(curve.thresholds), CURVE_POINTS - 1), curve.best)
    return {
        name: [round_rate(value) for value in getattr(curve, name)[places]]
        for name in ("thresholds", "precision", "recall", "f1")
    }


def _read_best(curve: ThresholdCurve) -> dict[str, float]:
    return {
        "threshold": round_rate(curve.thresholds[curve.best]),
        "precision": round_rate(curve.precision[curve.best]),
        "recall": round_rate(curve.recall[curve.best]),
        "f1": round_rate(curve.f1[curve.best]),
    }


def measure_characters(answered: Answered) -> dict[str, dict[str, Any]]:
    """Return, for each character that occurs: precision, recall, F1, support, best thresholds."""
    measures = measure_classes(answered.predicted, answered.targets, len(answered.labels))
    found = {}
    for column in np.unique(answered.targets):
        best = {name: _read_best(c) for name, c in trace_separators(answered, column).items()}
        found[answered.labels[column]] = {
            "precision": round_rate(measures.precision[column]),
            "recall": round_rate(measures.recall[column]),
            "f1": round_rate(measures.f1[column]),
            "support": int(measures.support[column]),
            "best_thresholds": {name: best[name] for name in SEPARATORS if name in best},
        }
    return found


def measure_works(answered: Answered) -> dict[str, dict[str, Any]]:
    """Return the averages over the characters of each work, by the folder in the label.

    Labels without a folder come under "".
    """
    measures = measure_classes(answered.predicted, answered.targets, len(answered.labels))
    columns: dict[str, list[int]] = defaultdict(list)
    for column in np.unique(answered.targets):
        columns[answered.labels[column].rpartition("/")[0]].append(column)
    works = {}
    for work, own in sorted(columns.items()):
        rows = np.isin(answered.targets, own)
        works[work] = {
            "characters": len(own),
            "queries": int(rows.sum()),
            "top1": round_rate(answered.correct[rows].mean()),
            "top5": round_rate(measure_top_k(answered.scores[rows], answered.targets[rows], 5)),
            "macro_f1": round_rate(measures.f1[own].mean()),
        }
    return works


def list_confusions(answered: Answered, most: int = MOST_CONFUSIONS) -> list[dict[str, Any]]:
    """Return the most frequent mistakes, the worst first: who was taken for whom, how often.

    `share` is of all faces of the character, `confidence` that of the surest of the mistakes. Of equally
    frequent ones those with the larger share come first, then the surer ones.
    """
    wrong = np.flatnonzero(~answered.correct)
    pairs, places, counts = np.unique(
        np.stack([answered.targets[wrong], answered.predicted[wrong]]),
        axis=1,
        return_inverse=True,
        return_counts=True,
    )
    support = np.bincount(answered.targets, minlength=len(answered.labels))
    shares = counts / support[pairs[0]]
    surest = np.zeros(len(counts))
    np.maximum.at(surest, places.ravel(), answered.confidences[wrong].max(axis=1))
    return [
        {
            "label": answered.labels[pairs[0, place]],
            "taken_for": answered.labels[pairs[1, place]],
            "count": int(counts[place]),
            "share": round_rate(shares[place]),
            "confidence": round_rate(surest[place]),
        }
        for place in np.lexsort((-surest, -shares, -counts))[:most]
    ]
