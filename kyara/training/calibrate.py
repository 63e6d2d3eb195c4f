"""What a bundle chooses on `val`: how head and gallery merge, how sure it is, when it says "unknown".

Everything is arithmetic on what the head and the gallery say of labelled faces that neither training nor
the gallery saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from kyara.evaluation.metrics import (
    fit_temperature,
    measure_labels,
    measure_log_loss,
    measure_micro_f1,
    trace_thresholds,
)
from kyara.recognition.answers import (
    GATE_MEASURES,
    gather_measures,
    merge_scores,
    score_open_set,
    weigh_measures,
)
from kyara.recognition.bundle import Bundle, Calibration
from kyara.recognition.head import score_features
from kyara.recognition.identities import Identities

SCALE_FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0)
"""Tried for `similarity_scale`, relative to the scale at which gallery and head are equally loud."""
GALLERY_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TOP1_TOLERANCE = 0.001
"""Settings whose top-1 is this near to the best are taken for equal; the likelihood decides."""
LOSS_TOLERANCE = 0.002
"""Of those, settings whose loss is this near to the least are equal, too: the loudest gallery wins."""
LABEL_FLOORS = tuple(np.linspace(0, 0.5, 51).tolist())
NOBODY = -1
HEADLESS_SCALE = 24.0
"""Where there is no head to match: any scale does, the temperature undoes it."""
KNOWN_SHARE = 0.3
KNOWN_LEAST = 1.5
PROBABLE_LEAST = 0.0
SETTLED_ABOVE = 1.0
"""Log-odds: what is called known is right in four of five cases at least (1.5), what is probable in one
of two; a first view settles a face that it makes surer than known."""


FITTED = ("score", "similarity", "prototype", "headed")
"""Measures that a gate is fitted over. The number of references and the lead are not among them: who has
many references is the first answer to most strangers, too, and far ahead."""


@dataclass(frozen=True)
class Evidence:
    """What the parts of a model say of labelled faces.

    Attributes:
        head: `float32 (N, classes)` logits; NaN where a character has no column.
        nearest: `float32 (N, classes)`, highest cosine to a reference; NaN where there is none.
        prototype: `float32 (N, classes)`, cosine to the mean of the references; NaN likewise.
        targets: `int64 (N,)`, the column of each face's character; `NOBODY` where it has none.
        references: `int (classes,)`, how many each character has; None: none.
    """

    head: np.ndarray
    nearest: np.ndarray
    prototype: np.ndarray
    targets: np.ndarray
    references: np.ndarray | None = None

    def merge(self, calibration: Calibration) -> np.ndarray:
        """Return the scores that serving would give: `float32 (N, classes)`."""
        return merge_scores(self.head, self.nearest, self.prototype, calibration)

    @property
    def headed(self) -> np.ndarray:
        """Which characters have a column of the head: `bool (classes,)`."""
        return np.asarray(~np.isnan(self.head).all(axis=0))

    def score_open_set(self, scores: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Say how much the faces look like somebody known, with scores of `merge` or `merge_without`."""
        return score_open_set(
            scores, self.nearest, calibration, self.references, self.prototype, self.headed
        )

    def merge_without(self, calibration: Calibration) -> np.ndarray:
        """Return the scores of a model that does not know the face's own character."""
        scores = self.merge(calibration)
        (own,) = np.nonzero(self.targets != NOBODY)
        scores[own, self.targets[own]] = -np.inf
        return scores


def gather_evidence(bundle: Bundle, features: np.ndarray, targets: np.ndarray) -> Evidence:
    """Ask a bundle's head and gallery apart.

    Args:
        bundle: calibrated or not.
        features: `float32 (N, features)` as its backbone gives them.
        targets: `int64 (N,)`, the character of each face.
    """
    head = np.full((len(features), len(bundle.characters)), np.nan, np.float32)
    head[:, bundle.head_rows] = score_features(features, bundle.head_weight, bundle.head_bias)
    identities = Identities.of_bundle(bundle)
    return Evidence(head, *identities.gallery.compare(features), targets, identities.references)


def calibrate(known: Evidence, unknowns: Evidence, false_accept: float) -> Calibration:
    """Choose everything.

    Args:
        known: faces of characters whom the model knows.
        unknowns: faces whose own character counts as unknown to the model; may be the same faces.
        false_accept: share of strangers that may be taken for known, above 0 and below 1.
    """
    calibration = choose_merging(known)
    temperature = fit_temperature(known.merge(calibration), known.targets)
    threshold = choose_threshold(measure_unknowns(unknowns, calibration), false_accept)
    return replace(
        calibration, temperature=round(temperature, 4), familiarity_threshold=round(threshold, 4)
    )


def calibrate_gate(
    known: Evidence, shown: Evidence, unknowns: Sequence[Evidence], false_accept: float
) -> Calibration:
    """Choose everything, with a gate.

    Args:
        known: faces of characters whom the model knows, as datasets have them.
        shown: the same in whole pictures; may be none.
        unknowns: groups of faces whose own character counts as unknown to the model.
        false_accept: share of strangers that may get a name at all; what is called known, and not only
            probable, may be wrong for `KNOWN_SHARE` of them.
    """
    everybody = join_evidence([known, shown])
    calibration = choose_merging(everybody)
    temperature = fit_temperature(everybody.merge(calibration), everybody.targets)
    calibration = replace(calibration, temperature=round(temperature, 4))
    measures, right, weights = [], [], []
    for groups, are_known in (((known, shown), True), (unknowns, False)):
        present = [one for one in groups if len(one.targets)]
        for one in present:
            scores = one.merge(calibration) if are_known else one.merge_without(calibration)
            measures.append(
                gather_measures(scores, one.nearest, one.references, one.prototype, one.headed)
            )
            right.append(are_known & (scores.argmax(axis=1) == one.targets))
            weights.append(weigh_characters(one.targets) / len(present))
    gate = fit_gate(np.concatenate(measures), np.concatenate(right), np.concatenate(weights))
    calibration = replace(calibration, gate=gate)
    first = sum(len(one.targets) > 0 for one in (known, shown))
    theirs = weigh_measures(np.concatenate(measures[first:]), gate)
    weight = np.concatenate(weights[first:])
    probable = choose_weighted_threshold(theirs, weight, false_accept)
    sure = choose_weighted_threshold(theirs, weight, false_accept * KNOWN_SHARE)
    return replace(
        calibration,
        familiarity_threshold=round(max(sure, KNOWN_LEAST), 4),
        probable_threshold=round(max(probable, PROBABLE_LEAST), 4),
        settled_threshold=round(max(sure, KNOWN_LEAST) + SETTLED_ABOVE, 4),
    )


def join_evidence(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence of several groups of faces, asked of one bundle, as one."""
    return Evidence(
        np.concatenate([part.head for part in parts]),
        np.concatenate([part.nearest for part in parts]),
        np.concatenate([part.prototype for part in parts]),
        np.concatenate([part.targets for part in parts]),
        parts[0].references,
    )


def weigh_characters(targets: np.ndarray) -> np.ndarray:
    """Return weights with which every character counts the same: `float64 (N,)`, 1 together.

    Args:
        targets: `int64 (N,)`; faces of `NOBODY` count as one character each.
    """
    _, own, counts = np.unique(targets, return_inverse=True, return_counts=True)
    weights = np.where(targets == NOBODY, 1.0, 1 / counts[own])
    return weights / max(weights.sum(), 1e-12)


def fit_gate(measures: np.ndarray, right: np.ndarray, weights: np.ndarray) -> tuple[float, ...]:
    """Fit the log-odds that the first answer is right.

    Args:
        measures: `float64 (N, 6)`, as `gather_measures` returns them.
        right: `bool (N,)`.
        weights: `float64 (N,)`, above 0.

    Returns:
        A constant, and a weight for each measure; 0 for those that are not `FITTED`.

    Source: Platt 1999; as a fusion of scores in speaker verification: Brümmer et al. 2007
    """
    columns = [GATE_MEASURES.index(name) for name in FITTED]
    fitted = measures[:, columns]
    mean, deviation = fitted.mean(axis=0), np.maximum(fitted.std(axis=0), 1e-6)
    model = LogisticRegression(C=10.0, max_iter=1000)
    model.fit((fitted - mean) / deviation, right, sample_weight=weights * len(right) / weights.sum())
    slopes = np.zeros(len(GATE_MEASURES))
    slopes[columns] = np.asarray(model.coef_)[0] / deviation
    constant = float(np.asarray(model.intercept_)[0] - slopes[columns] @ mean)
    return tuple(round(value, 6) for value in (constant, *slopes.tolist()))


def choose_weighted_threshold(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the least value that at most a share of the weight lies above."""
    order = np.argsort(-values, kind="stable")
    above = np.cumsum(weights[order]) / weights.sum()
    place = int(np.searchsorted(above, share, side="right"))
    return float(values[order[min(place, len(order) - 1)]]) + 1e-6


def choose_merging(evidence: Evidence) -> Calibration:
    """Choose how loud the gallery speaks: the best top-1, then the best likelihood, then the loudest.

    Who is taught is heard by the gallery alone: where the head is no better, it has no say.
    Characters with many faces must not drown those with few: top-1 is the mean of that over faces and of
    that over characters. The evidence is of faces that neither training nor the gallery saw.

    Returns:
        A calibration with `similarity_scale` and `gallery_weight`; the rest is left as it is by default.
    """
    base = match_scale(evidence)
    settings = [
        Calibration(similarity_scale=round(base * factor, 4), gallery_weight=weight)
        for factor in SCALE_FACTORS
        for weight in GALLERY_WEIGHTS
    ]
    rates = np.array([measure_balanced_top1(evidence.merge(one), evidence.targets) for one in settings])
    ties = np.flatnonzero(rates >= rates.max() - TOP1_TOLERANCE)
    losses = np.array(
        [_measure_loss(evidence.merge(settings[place]), evidence.targets) for place in ties]
    )
    equal = ties[losses <= losses.min() + LOSS_TOLERANCE]
    return settings[max(equal, key=lambda place: settings[place].gallery_weight)]


def match_scale(evidence: Evidence) -> float:
    """Return how many logits a cosine is worth where head and gallery are equally loud.

    How loud is how far the true character stands above the average one, in the median.
    """
    loudness = []
    for values in (evidence.head, evidence.nearest):
        rows = np.arange(len(values))
        own = values[rows, evidence.targets]
        heard = ~np.isnan(own)
        if not heard.any():
            return HEADLESS_SCALE
        loudness.append(float(np.median(own[heard] - np.nanmean(values[heard], axis=1))))
    head, nearest = loudness
    return head / nearest if head > 0 and nearest > 0 else HEADLESS_SCALE


def measure_balanced_top1(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of top-1 over faces and of top-1 over characters, 0 to 1."""
    predicted = scores.argmax(axis=1)
    recall = recall_score(targets, predicted, labels=np.unique(targets), average="macro")
    return float((predicted == targets).mean() + recall) / 2


def _measure_loss(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean negative log-likelihood at the best temperature."""
    return measure_log_loss(scores, targets, fit_temperature(scores, targets))


def measure_unknowns(evidence: Evidence, calibration: Calibration) -> np.ndarray:
    """Return how familiar faces look to a model from which their own character is left out.

    The same as `Classifier.without` for each face, without building a model for each: `float64 (N,)`.
    """
    return evidence.score_open_set(evidence.merge_without(calibration), calibration)


def choose_threshold(unknowns: np.ndarray, false_accept: float) -> float:
    """Return the open-set score from which a face is called known.

    Args:
        unknowns: `float (N,)`, open-set scores of faces of nobody whom the model knows.
        false_accept: share of them that may pass.
    """
    return float(np.quantile(unknowns, 1 - false_accept))


def choose_label_thresholds(probabilities: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
    """Return for each label the threshold with the highest F1, but none below a common floor.

    A label that is rare and hard to tell has its highest F1 where nearly every picture gets it. The
    floor keeps such thresholds up: it is the one with the highest sum of micro- and macro-F1.

    Args:
        probabilities: `float (N, labels)` of pictures that training did not see.
        truth: `bool (N, labels)`.

    Returns:
        One threshold a label; 1 for a label that never occurs.

    Source: Lipton et al. 2014, https://arxiv.org/abs/1402.1892
    """
    own = np.ones(truth.shape[1])
    for column in np.flatnonzero(truth.any(axis=0)):
        hits = truth[:, column]
        curve = trace_thresholds(probabilities[:, column], hits, int(hits.sum()))
        own[column] = curve.thresholds[curve.best]

    def measure(floor: float) -> float:
        predicted = probabilities >= np.maximum(own, floor)
        return measure_micro_f1(predicted, truth) + float(measure_labels(predicted, truth).f1.mean())

    floor = max(LABEL_FLOORS, key=measure)
    return tuple(np.maximum(own, floor).tolist())
