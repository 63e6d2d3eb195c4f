"""What a bundle chooses on `val`: how head and gallery merge, how sure it is, when it says "unknown".

Everything is arithmetic on what the head and the gallery say of labelled faces that neither training nor
the gallery saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import recall_score

from kyara.evaluation.metrics import (
    fit_temperature,
    measure_labels,
    measure_log_loss,
    measure_micro_f1,
    trace_thresholds,
)
from kyara.recognition.answers import measure_familiarity, merge_scores
from kyara.recognition.bundle import Bundle, Calibration
from kyara.recognition.head import score_features
from kyara.recognition.identities import Roster

SCALE_FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0)
"""Tried for `similarity_scale`, relative to the scale at which gallery and head are equally loud."""
GALLERY_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TOP1_TOLERANCE = 0.001
"""Settings whose top-1 is this near to the best are taken for equal; the likelihood decides."""
LABEL_FLOORS = tuple(np.linspace(0, 0.5, 51).tolist())
HEADLESS_SCALE = 24.0
"""Where there is no head to match: any scale does, the temperature undoes it."""


@dataclass(frozen=True)
class Evidence:
    """What the parts of a model say of labelled faces.

    Attributes:
        head: `float32 (N, classes)` logits; NaN where a character has no column.
        nearest: `float32 (N, classes)`, highest cosine to a reference; NaN where there is none.
        prototype: `float32 (N, classes)`, cosine to the mean of the references; NaN likewise.
        targets: `int64 (N,)`, the column of each face's character.
    """

    head: np.ndarray
    nearest: np.ndarray
    prototype: np.ndarray
    targets: np.ndarray

    def merge(self, calibration: Calibration) -> np.ndarray:
        """Return the scores that serving would give: `float32 (N, classes)`."""
        return merge_scores(self.head, self.nearest, self.prototype, calibration)


def gather_evidence(bundle: Bundle, features: np.ndarray, targets: np.ndarray) -> Evidence:
    """Ask a bundle's head and gallery apart.

    Args:
        bundle: calibrated or not.
        features: `float32 (N, features)` as its backbone gives them.
        targets: `int64 (N,)`, the character of each face.
    """
    head = np.full((len(features), len(bundle.characters)), np.nan, np.float32)
    head[:, bundle.head_rows] = score_features(features, bundle.head_weight, bundle.head_bias)
    return Evidence(head, *Roster.of_bundle(bundle).gallery.compare(features), targets)


def calibrate(known: Evidence, strangers: Evidence, false_accept: float) -> Calibration:
    """Choose everything.

    Args:
        known: faces of characters whom the model knows.
        strangers: faces whose own character counts as unknown to the model; may be the same faces.
        false_accept: share of strangers that may be taken for known, above 0 and below 1.
    """
    calibration = choose_merging(known)
    temperature = fit_temperature(known.merge(calibration), known.targets)
    threshold = choose_threshold(measure_strangers(strangers, calibration), false_accept)
    return replace(
        calibration, temperature=round(temperature, 4), familiarity_threshold=round(threshold, 4)
    )


def choose_merging(evidence: Evidence) -> Calibration:
    """Choose how loud the gallery speaks: the best top-1, then the best likelihood.

    Characters with many faces must not drown those with few: top-1 is the mean of that over faces and of
    that over characters.

    Args:
        evidence: of faces that neither training nor the gallery saw.

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
    losses = [_measure_loss(evidence.merge(settings[place]), evidence.targets) for place in ties]
    return settings[ties[int(np.argmin(losses))]]


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


def measure_strangers(evidence: Evidence, calibration: Calibration) -> np.ndarray:
    """Return how familiar faces look to a model from which their own character is left out.

    The same as `Classifier.without` for each face, without building a model for each.

    Args:
        evidence: of the faces.
        calibration: how scores are merged.

    Returns:
        `float64 (N,)`.
    """
    rows = np.arange(len(evidence.targets))
    scores = evidence.merge(calibration)
    scores[rows, evidence.targets] = -np.inf
    return measure_familiarity(scores, evidence.nearest)


def choose_threshold(strangers: np.ndarray, false_accept: float) -> float:
    """Return the familiarity from which a face is called known.

    Args:
        strangers: `float (N,)`, familiarity of faces of nobody whom the model knows.
        false_accept: share of them that may pass.
    """
    return float(np.quantile(strangers, 1 - false_accept))


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
