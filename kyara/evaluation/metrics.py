"""Measures of recognition: what scikit-learn and SciPy lack, and their own in the shapes used here.

Curves over a threshold all come from `trace_thresholds`: for one character, for all of them together and
for one label of several. What is accepted is always `value >= threshold`.

Importing this module imports scikit-learn: nothing that serves may import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest
from sklearn import metrics as sklearn_metrics

from kyara.recognition.head import softmax

metrics: Any = sklearn_metrics  # its types know neither zero_division=0 nor arrays as results

CALIBRATION_BINS = 15
SEPARATORS = ("top", "gap", "spread")
"""What may tell a right first answer from a wrong one; see `measure_separators`."""


class ClassMeasures(NamedTuple):
    """How well each class is found; 0 where a ratio has nothing to divide by.

    Attributes:
        precision: `float64 (classes,)`, share of the answers "this class" that are right.
        recall: `float64 (classes,)`, share of the class that is found.
        f1: `float64 (classes,)`, harmonic mean of the two.
        support: `int64 (classes,)`, members of the class.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


@dataclass(frozen=True)
class ThresholdCurve:
    """What is accepted at each threshold; thresholds rise.

    Attributes:
        thresholds: `float64 (T,)`, every value that occurs.
        precision: `float64 (T,)`, share of what is accepted that is right.
        recall: `float64 (T,)`, share of what should be found that is accepted and right.
        f1: `float64 (T,)`, harmonic mean of the two.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    @property
    def best(self) -> int:
        """Position of the highest F1; of equal ones the lowest threshold."""
        return int(self.f1.argmax())


def measure_top_k(scores: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Return the share of rows whose target is among the k highest scores.

    Args:
        scores: `float (N, classes)`.
        targets: `int (N,)` columns.
        k: 1 or more.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == targets[:, None]).any(axis=1).mean())


def measure_classes(predicted: np.ndarray, targets: np.ndarray, classes: int) -> ClassMeasures:
    """Return precision, recall, F1 and support of every class.

    Args:
        predicted: `int (N,)`.
        targets: `int (N,)`.
        classes: how many.
    """
    return _measure_each(predicted, targets, range(classes))


def measure_labels(predicted: np.ndarray, truth: np.ndarray) -> ClassMeasures:
    """Return the same of every label where a picture may have several: `bool (N, labels)` each."""
    # scikit-learn takes a single column for the two classes 0 and 1
    return _measure_each(predicted, truth, [1] if truth.shape[1] == 1 else None)


def _measure_each(predicted: np.ndarray, truth: np.ndarray, labels: Any) -> ClassMeasures:
    return ClassMeasures(
        *metrics.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    )


def measure_micro_f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the F1 of all decisions about all labels together; 0 where nothing is said or true.

    Args:
        predicted: `bool (N, labels)`.
        truth: `bool (N, labels)`.
    """
    return float(metrics.f1_score(truth.ravel(), predicted.ravel(), zero_division=0))


def measure_macro_f1(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean F1 over the classes that occur in the targets."""
    present = np.unique(targets)
    return float(metrics.f1_score(targets, predicted, labels=present, average="macro", zero_division=0))


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


def measure_log_loss(scores: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """Return the mean negative log-likelihood of the targets at a temperature.

    Args:
        scores: `float (N, classes)` logits.
        targets: `int (N,)`.
        temperature: above 0.
    """
    likelihood = softmax(scores, temperature)[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def fit_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """Find the temperature that makes the targets most likely.

    Args:
        scores: `float (N, classes)` logits of faces that training did not see.
        targets: `int (N,)`.

    Returns:
        A temperature in 0.05 to 20.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    found: Any = minimize_scalar(
        lambda log_temperature: measure_log_loss(scores, targets, float(np.exp(log_temperature))),
        bounds=(np.log(0.05), np.log(20)),
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def measure_auroc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Return the chance that a positive scores higher than a negative; ties count half.

    Args:
        positives: `float (N,)`, at least one.
        negatives: `float (M,)`, at least one.

    Raises:
        ValueError: one of them is empty.
    """
    return float(metrics.roc_auc_score(*_join_kinds(positives, negatives)))


def trace_roc(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the receiver operating characteristic.

    Args:
        positives: `float (N,)`, at least one.
        negatives: `float (M,)`, at least one.

    Returns:
        False positive rate, true positive rate and threshold, `float64 (T,)` each, from (0, 0) at an
        infinite threshold to (1, 1) at the lowest value.

    Raises:
        ValueError: one of them is empty.
    """
    return metrics.roc_curve(*_join_kinds(positives, negatives), drop_intermediate=False)


def _join_kinds(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth (1 or 0) and the values of both kinds, as scikit-learn takes them."""
    counts = len(positives), len(negatives)
    if not all(counts):
        raise ValueError(f"An ROC needs both kinds; received {counts[0]} and {counts[1]}.")
    return np.repeat([1, 0], counts), np.concatenate([positives, negatives]).astype(np.float64)


def measure_fpr_at_tpr(positives: np.ndarray, negatives: np.ndarray, tpr: float = 0.95) -> float:
    """Return the smallest share of negatives let through where at least `tpr` of positives are.

    Args:
        positives: `float (N,)`, at least one.
        negatives: `float (M,)`, at least one.
        tpr: above 0, at most 1.

    Source: Hendrycks and Gimpel 2017, https://arxiv.org/abs/1610.02136
    """
    false_rate, true_rate, _ = trace_roc(positives, negatives)
    return float(false_rate[true_rate >= tpr - 1e-12].min())


def measure_separators(confidences: np.ndarray) -> dict[str, np.ndarray]:
    """Return three numbers per face that may tell a right first answer from a wrong one.

    Args:
        confidences: `float (N, classes)`, rows sum to 1.

    Returns:
        `float64 (N,)` each: `top`, the highest; `gap`, the highest minus the second; `spread`, the
        standard deviation of the row.

    Source: the Simpsons study, https://github.com/alexattia/SimpsonRecognition
    """
    best = -np.sort(-confidences.astype(np.float64), axis=1)[:, :2]
    second = best[:, 1] if best.shape[1] > 1 else np.zeros(len(best))
    return {"top": best[:, 0], "gap": best[:, 0] - second, "spread": confidences.std(axis=1)}


def trace_thresholds(values: np.ndarray, hits: np.ndarray, relevant: int) -> ThresholdCurve:
    """Return precision, recall and F1 at every threshold on a value.

    Args:
        values: `float (N,)` of what may be accepted, at least one.
        hits: `bool (N,)`, whether accepting it is right.
        relevant: how many there are to be found, at least the number of hits.

    Raises:
        ValueError: no values.
    """
    if not len(values):
        raise ValueError("A threshold needs values to separate; received none.")
    # scikit-learn's curves know only the hits among the values, and cost 25 times as much
    thresholds, starts = np.unique(np.sort(values.astype(np.float64)), return_index=True)
    accepted = len(values) - starts
    right = np.sort(values[hits].astype(np.float64))
    found = len(right) - np.searchsorted(right, thresholds, "left")
    return ThresholdCurve(
        thresholds, found / accepted, found / max(relevant, 1), 2 * found / (accepted + relevant)
    )


def measure_average_precision(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under a label's precision-recall steps; 0 where it never occurs.

    Args:
        values: `float (N,)`, at least one.
        truth: `bool (N,)`.
    """
    return float(metrics.average_precision_score(truth, values)) if truth.any() else 0.0


def measure_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the range in which a rate lies with 95% confidence, for this many faces.

    Args:
        hits: 0 to `count`.
        count: at least 1.

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    interval = binomtest(hits, count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def measure_sign_test(lost: int, won: int) -> float:
    """Return the chance of at least so many losses among the changes if losses were a coin's toss.

    The exact one-sided form of McNemar's test for the same pictures asked twice: `lost` were right and
    are wrong now, `won` the reverse.

    Source: McNemar 1947, https://doi.org/10.1007/BF02295996
    """
    return float(binom.sf(lost - 1, lost + won, 0.5))
