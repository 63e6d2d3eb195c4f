"""Last stage: scores and similarities → ranked answers with calibrated confidence, or "unknown"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kyara.bundle import Calibration
from kyara.head import softmax


@dataclass(frozen=True)
class Answer:
    """One ranked character.

    Attributes:
        label: the character.
        confidence: calibrated probability, 0 to 1, that it is this one of the known characters.
        similarity: highest cosine, -1 to 1, to a reference face of the character; None without one.
    """

    label: str
    confidence: float
    similarity: float | None


@dataclass(frozen=True)
class FaceAnswers:
    """What Kyara says of one crop.

    Attributes:
        verdict: `unknown` where the face is probably nobody whom the model knows.
        answers: best first; given for an unknown face too, as guesses.
    """

    verdict: Literal["known", "unknown"]
    answers: tuple[Answer, ...]


def choose_answers(
    scores: np.ndarray,
    similarities: np.ndarray,
    labels: tuple[str, ...],
    calibration: Calibration,
    top_k: int = 5,
) -> list[FaceAnswers]:
    """Rank the characters of each face.

    Args:
        scores: `float32 (N, classes)` logits.
        similarities: `float32 (N, classes)`, NaN where a character has no reference.
        labels: of the classes.
        calibration: the bundle's.
        top_k: answers a face, at least 1; never more than there are classes.

    Returns:
        One entry a face.

    Raises:
        ValueError: shapes differ, or `top_k` is below 1.
    """
    if scores.shape != similarities.shape or scores.shape[1] != len(labels) or top_k < 1:
        raise ValueError(
            f"Expected (N, {len(labels)}) scores and similarities and top_k ≥ 1; "
            f"received {scores.shape}, {similarities.shape}, {top_k}."
        )
    confidences = softmax(scores, calibration.temperature)
    familiar = measure_familiarity(scores, similarities) >= calibration.familiarity_threshold
    return [
        FaceAnswers(
            "known" if familiar[face] else "unknown",
            tuple(
                Answer(labels[row], float(confidences[face, row]), _as_optional(similarities[face, row]))
                for row in np.argsort(-confidences[face], kind="stable")[:top_k]
            ),
        )
        for face in range(len(scores))
    ]


def _as_optional(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)


def measure_familiarity(scores: np.ndarray, similarities: np.ndarray) -> np.ndarray:
    """Say how much each face looks like somebody the model knows.

    The best character's maximum logit; a model with a gallery adds the cosine to that character's
    nearest reference, in logit units.

    Args:
        scores: `float32 (N, classes)` logits.
        similarities: `float32 (N, classes)`, NaN where a character has no reference.

    Returns:
        `float64 (N,)`; higher is more familiar. The scale is the bundle's own.

    Source: the maximum logit as an open-set score: Vaze et al. 2022, https://arxiv.org/abs/2110.06207
    """
    best = scores.argmax(axis=1)
    faces = np.arange(len(scores))
    cosine = np.nan_to_num(similarities[faces, best].astype(np.float64), nan=0.0)
    return scores[faces, best].astype(np.float64) + COSINE_IN_LOGITS * cosine


COSINE_IN_LOGITS = 10.0
