"""What the features say of a label that somebody gave to a crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kyara.recognition.answers import FaceAnswers

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier

OBJECTION_GAP = 0.3
"""The features object where the label's nearest reference is farther (in cosine) than anybody's by more.

The model may well be wrong, or there would be no report; so the label need not be the nearest one, only
be within sight. Measured in docs/operators.md.
"""


@dataclass(frozen=True)
class Opinion:
    """How a crop stands to a label.

    Attributes:
        answers: what the model says now.
        similarity: cosine to the label's nearest reference; None where it has none.
        nearest: cosine to anybody's nearest reference; None where nobody has one.
    """

    answers: FaceAnswers
    similarity: float | None
    nearest: float | None

    @property
    def objects(self) -> bool:
        """Whether the label is too far from what the features say, or cannot be compared at all."""
        if self.similarity is None or self.nearest is None:
            return True
        return self.nearest - self.similarity > OBJECTION_GAP


def form_opinion(classifier: Classifier, features: np.ndarray, label: str | None) -> Opinion:
    """Compare a crop with the references of a label.

    Args:
        classifier: a frozen view.
        features: `float32 (features,)`, one row of what `backbone.extract` returns.
        label: of a character; None, or one that the model does not know, cannot be compared.
    """
    _, similarities = classifier.score(features[None])
    answers = classifier.answer(features[None])[0]
    labels = classifier.labels
    own = float(similarities[0, labels.index(label)]) if label in labels else float("nan")
    nearest = float(np.nanmax(similarities)) if np.isfinite(similarities).any() else None
    return Opinion(answers, own if np.isfinite(own) else None, nearest)
