"""Known against unknown: faces that were asked against faces of people whom the model does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.evaluation.measuring import CURVE_POINTS, choose_places, round_rate
from kyara.evaluation.metrics import measure_auroc, measure_fpr_at_tpr, measure_separators, trace_roc
from kyara.evaluation.protocols import Unknowns
from kyara.recognition.classifier import Classifier
from kyara.recognition.head import softmax


@dataclass(frozen=True)
class Separation:
    """The open-set scores that one model gives to known and unknown faces.

    Attributes:
        name: of where the unknowns come from.
        gallery: whether the model had its references.
        threshold: the bundle's; what lies below is called unknown.
        known: `float64 (N,)`, open-set scores of the faces that were asked.
        unknown: `float64 (M,)`, of the unknowns.
        paths: the unknowns' M pictures.
        taken_for: the label that each unknown looks most like.
        separators: name → AUROC of telling the two apart by it instead.
    """

    name: str
    gallery: bool
    threshold: float
    known: np.ndarray
    unknown: np.ndarray
    paths: tuple[Path, ...]
    taken_for: tuple[str, ...]
    separators: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return what `metrics.json` holds of it."""
        false_rate, true_rate, _ = trace_roc(self.known, self.unknown)
        places = choose_places(len(false_rate), CURVE_POINTS)
        return {
            "strangers": self.name,
            "gallery": self.gallery,
            "unknown_queries": len(self.unknown),
            "auroc": round_rate(measure_auroc(self.known, self.unknown)),
            "fpr_at_95_tpr": round_rate(measure_fpr_at_tpr(self.known, self.unknown)),
            "unknown_rejected": round_rate((self.unknown < self.threshold).mean()),
            "known_accepted": round_rate((self.known >= self.threshold).mean()),
            "auroc_of_separators": self.separators,
            "roc": {
                "false_positive_rate": [round_rate(rate) for rate in false_rate[places]],
                "true_positive_rate": [round_rate(rate) for rate in true_rate[places]],
            },
        }


def separate(
    classifier: Classifier, known: np.ndarray, unknowns: Unknowns, unknown: np.ndarray, gallery: bool
) -> Separation:
    """Ask a model about known faces and unknowns, whom it is made to forget first.

    Args:
        classifier: the model, or a view of it.
        known: `float32 (N, views, features)`.
        unknowns: who they are.
        unknown: `float32 (M, views, features)`, theirs.
        gallery: whether this model has its references.
    """
    view = classifier.without(sorted(unknowns.labels & set(classifier.labels)))
    calibration = view.bundle.calibration
    own, others = (view.compare(view.settle(each)) for each in (known, unknown))
    ours = measure_separators(softmax(own.scores, calibration.temperature))
    theirs = measure_separators(softmax(others.scores, calibration.temperature))
    return Separation(
        unknowns.name,
        gallery,
        calibration.familiarity_threshold,
        own.open_set_scores,
        others.open_set_scores,
        unknowns.paths,
        tuple(view.labels[column] for column in others.scores.argmax(axis=1)),
        {name: round_rate(measure_auroc(ours[name], theirs[name])) for name in ours},
    )


def pool_separations(separations: Sequence[Separation]) -> dict[str, Any]:
    """Return the top-level numbers over all unknowns together, as the model served them.

    Args:
        separations: of one model and several groups of unknowns, at least one.
    """
    unknown = np.concatenate([separation.unknown for separation in separations])
    # groups may make the model forget different people: a known face counts once a group
    known = np.concatenate([separation.known for separation in separations])
    threshold = separations[0].threshold
    return {
        "auroc": round_rate(measure_auroc(known, unknown)),
        "fpr_at_95_tpr": round_rate(measure_fpr_at_tpr(known, unknown)),
        "unknown_queries": len(unknown),
        "unknown_rejected": round_rate((unknown < threshold).mean()),
    }
