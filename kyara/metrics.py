"""Measures of recognition in plain NumPy: accuracy, F1, calibration, known against unknown."""

from __future__ import annotations

import numpy as np

from kyara.head import softmax

CALIBRATION_BINS = 15


def measure_top_k(scores: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Return the share of rows whose target is among the k highest scores.

    Args:
        scores: `float (N, classes)`.
        targets: `int (N,)` columns.
        k: 1 or more.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == targets[:, None]).any(axis=1).mean())


def measure_f1(predicted: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """Return the F1 score of every class; 0 for one that is neither predicted nor present.

    Args:
        predicted: `int (N,)`.
        targets: `int (N,)`.
        classes: number of classes.

    Returns:
        `float64 (classes,)` in 0 to 1.
    """
    hits = np.bincount(targets[predicted == targets], minlength=classes)
    sizes = np.bincount(targets, minlength=classes) + np.bincount(predicted, minlength=classes)
    return 2 * hits / np.maximum(sizes, 1)


def measure_macro_f1(predicted: np.ndarray, targets: np.ndarray, classes: int) -> float:
    """Return the mean F1 over the classes that occur in the targets."""
    present = np.unique(targets)
    return float(measure_f1(predicted, targets, classes)[present].mean())


def measure_calibration(
    confidences: np.ndarray, correct: np.ndarray, bins: int = CALIBRATION_BINS
) -> tuple[float, list[dict[str, float]]]:
    """Return the expected calibration error and the bins behind it.

    Args:
        confidences: `float (N,)` in 0 to 1, of the first answer.
        correct: `bool (N,)`, whether that answer was right.
        bins: equally wide bins over 0 to 1.

    Returns:
        The error in 0 to 1, and a dict with `confidence`, `accuracy` and `count` for each filled bin.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    filled = []
    error = 0.0
    for number in np.unique(place):
        inside = place == number
        confidence, accuracy = float(confidences[inside].mean()), float(correct[inside].mean())
        error += abs(confidence - accuracy) * inside.mean()
        filled.append({"confidence": confidence, "accuracy": accuracy, "count": int(inside.sum())})
    return float(error), filled


def fit_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """Find the temperature that makes the targets most likely, by golden-section search.

    Args:
        scores: `float (N, classes)` logits of faces that training did not see.
        targets: `int (N,)`.

    Returns:
        A temperature in 0.05 to 20.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """

    def measure_loss(log_temperature: float) -> float:
        likelihood = softmax(scores, float(np.exp(log_temperature)))[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(likelihood, 1e-12)).mean())

    golden = (np.sqrt(5) - 1) / 2
    low, high = float(np.log(0.05)), float(np.log(20))
    while high - low > 1e-4:
        left, right = high - golden * (high - low), low + golden * (high - low)
        if measure_loss(left) < measure_loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def measure_auroc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Return the chance that a positive scores higher than a negative; ties count half.

    Args:
        positives: `float (N,)`, at least one.
        negatives: `float (M,)`, at least one.

    Raises:
        ValueError: one of them is empty.

    Source: Fawcett 2006, https://doi.org/10.1016/j.patrec.2005.10.010
    """
    if not len(positives) or not len(negatives):
        raise ValueError(f"AUROC needs both kinds; received {len(positives)} and {len(negatives)}.")
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left")
    up_to = np.searchsorted(ordered, positives, "right")
    return float((below + up_to).mean() / 2 / len(negatives))
