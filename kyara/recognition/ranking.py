"""What ranks characters of somebody's own among the answers, by the measure of the answers themselves.

In: crops. Out: answers, and with them what the page needs to rank faces that its visitor named: each
crop's embedding, the score and the references behind each answer, and the numbers of the calibration.
`static/js/taught/ranking.js` is the other side. A character that somebody named is scored as a taught
one is (`answers.merge_scores`), and what comes first is judged as here (`answers.score_open_set`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kyara.recognition.answers import COSINE_IN_LOGITS, FaceAnswers
from kyara.recognition.bundle import Bundle
from kyara.recognition.gallery import scale_to_unit

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier

UNGATED_WEIGHTS = (0.0, 1.0, COSINE_IN_LOGITS, 0.0, 0.0)
"""What a bundle without a gate weighs the measures with; see `answers.score_open_set`."""
MOST_COMPARED = 500
"""References that the cosines of different characters are measured on."""
STRANGERS_SHARE = 0.95
GROUPED_SHARE = 0.999
"""Of pairs of strangers, those that are less alike than faces that are put together without asking."""

_alike_from: dict[tuple[str, float], float | None] = {}
"""By the bundle's version and the share: a process serves few."""


@dataclass(frozen=True)
class EmbeddedFace:
    """The answers to one crop, and what else is ranked among them.

    Attributes:
        answers: as `Classifier.identify` gives them.
        embedding: `float32 (features,)`, unit length; what a reference made of this crop would be.
        scores: of each answer, in logits.
        references: how many each answered character has.
        prototypes: cosine to the mean of these references; None without any.
        headed: whether each answered character has a column of the head.
    """

    answers: FaceAnswers
    embedding: np.ndarray
    scores: tuple[float, ...]
    references: tuple[int, ...]
    prototypes: tuple[float | None, ...]
    headed: tuple[bool, ...]

    def complete(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return a face as `Classifier.describe` gives it, with the embedding and what a gate weighs."""
        answers = [
            {
                **answer,
                "score": round(score, 5),
                "references": references,
                "prototype": None if prototype is None else round(prototype, 5),
                "headed": headed,
            }
            for answer, score, references, prototype, headed in zip(
                described["answers"],
                self.scores,
                self.references,
                self.prototypes,
                self.headed,
                strict=True,
            )
        ]
        encoded = base64.b64encode(self.embedding.astype("<f4").tobytes()).decode("ascii")
        return {**described, "answers": answers, "embedding": encoded}


def identify_embedded(
    classifier: Classifier, crops: Iterable[np.ndarray], *, top_k: int = 5
) -> list[EmbeddedFace]:
    """Answer who is in each crop, and return their embeddings.

    The answers are those of `Classifier.identify`. The embedding is the mean of all views, as teaching
    makes it, however few of them the answers needed.

    Args:
        classifier: the model.
        crops: `uint8 (H, W, 3)` sRGB each; a generator is read one crop at a time.
        top_k: answers a crop, at least 1.

    Returns:
        One entry a crop, in order.
    """
    view = classifier.frozen()  # everything is of one moment
    each = view.backbone.extract_each(crops)
    features = view.settle(each)
    embeddings = iter(scale_to_unit(each.mean(axis=1)))
    found = []
    for compared in view.compare_each(features, top_k):
        known, chosen = compared.identities, compared.choose(top_k)
        for own, means, answers in zip(compared.scores, compared.prototypes, chosen, strict=True):
            answered = [known.columns[answer.label] for answer in answers.answers]
            found.append(
                EmbeddedFace(
                    answers,
                    next(embeddings),
                    tuple(float(own[column]) for column in answered),
                    tuple(int(known.references[column]) for column in answered),
                    tuple(None if np.isnan(means[c]) else float(means[c]) for c in answered),
                    tuple(bool(known.headed[column]) for column in answered),
                )
            )
    return found


def describe_ranking(bundle: Bundle) -> dict[str, Any] | None:
    """Return the numbers that others are ranked by; None where labels are independent of each other."""
    calibration = bundle.calibration
    if bundle.task != "single":
        return None
    threshold = calibration.familiarity_threshold
    return {
        "temperature": calibration.temperature,
        "similarity_scale": calibration.similarity_scale,
        "gallery_weight": calibration.gallery_weight,
        "gated": bool(calibration.gate),
        "weights": list(calibration.gate or UNGATED_WEIGHTS),
        "familiarity_threshold": threshold if np.isfinite(threshold) else None,
        "probable_threshold": calibration.probable_threshold,
        "alike_from": find_alike_from(bundle),
    }


def find_alike_from(bundle: Bundle, share: float = STRANGERS_SHARE) -> float | None:
    """Return the cosine from which two pictures may well show one character; None where nothing tells.

    Below it they are no more alike than pictures of different characters are in 95 of 100 cases, or
    another share of them, measured on the bundle's own references.
    """
    key = bundle.version, share
    if key not in _alike_from:
        _alike_from[key] = _measure_strangers(bundle, share)
    return _alike_from[key]


def _measure_strangers(bundle: Bundle, share: float) -> float | None:
    count = len(bundle.gallery_rows)
    picks = np.linspace(0, max(0, count - 1), min(count, MOST_COMPARED)).astype(np.int64)
    rows, unit = bundle.gallery_rows[picks], bundle.gallery_features[picks].astype(np.float32)
    cosines = (unit @ unit.T)[rows[:, None] != rows[None]]
    return round(float(np.quantile(cosines, share)), 4) if cosines.size else None
