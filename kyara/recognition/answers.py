"""Last stage: scores and similarities → ranked answers with calibrated confidence, or "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kyara.recognition.bundle import Calibration, Character, Task
from kyara.recognition.head import sigmoid, softmax


@dataclass(frozen=True)
class Answer:
    """One ranked character.

    Attributes:
        character: who it is; carried along, so that an answer can be read after the gallery changed.
        confidence: calibrated probability, 0 to 1, that it is this one of the known characters.
        similarity: highest cosine, -1 to 1, to a reference face of the character; None without one.
    """

    character: Character
    confidence: float
    similarity: float | None

    @property
    def label(self) -> str:
        """The character's label."""
        return self.character.label


@dataclass(frozen=True)
class FaceAnswers:
    """What Kyara says of one crop.

    Attributes:
        verdict: `unknown` where the face is probably nobody whom the model knows.
        answers: best first; given for an unknown face too, as guesses.
    """

    verdict: Literal["known", "unknown"]
    answers: tuple[Answer, ...]


def merge_scores(
    head: np.ndarray, nearest: np.ndarray, prototype: np.ndarray, calibration: Calibration
) -> np.ndarray:
    """Merge what the head and the gallery say into one score a character, in logits.

    With w the gallery's weight and s the similarity's scale: head and references give (1-w) head +
    w s nearest; the head alone is taken as it is; references alone give s ((1-w) prototype + w nearest).

    Args:
        head: `float (N, classes)` logits, NaN where a character has no column.
        nearest: `float (N, classes)`, highest cosine to a reference; NaN where there is none.
        prototype: `float (N, classes)`, cosine to the normalised mean of the references; NaN likewise.
        calibration: the bundle's.

    Returns:
        `float32 (N, classes)`; NaN where a character has neither.

    Source: prototypes: Snell et al. 2017, https://arxiv.org/abs/1703.05175; the cosine as a logit:
    Gidaris and Komodakis 2018, https://arxiv.org/abs/1804.09458
    """
    weight, scale = calibration.gallery_weight, calibration.similarity_scale
    without_references = np.where(np.isnan(head), scale * prototype, head)
    merged = (1 - weight) * without_references + weight * scale * nearest
    return np.where(np.isnan(nearest), head, merged).astype(np.float32)


def choose_answers(
    scores: np.ndarray,
    similarities: np.ndarray,
    characters: Sequence[Character],
    calibration: Calibration,
    top_k: int = 5,
    *,
    task: Task = "single",
) -> list[FaceAnswers]:
    """Rank the characters of each face.

    Of independent labels (task `multi`) the answers are those above their own thresholds; where there
    are none the verdict is `unknown` and the likeliest labels are given as guesses.

    Args:
        scores: `float32 (N, classes)` logits.
        similarities: `float32 (N, classes)`, NaN where a character has no reference.
        characters: of the columns.
        calibration: the bundle's.
        top_k: answers a face, at least 1; never more than there are classes.
        task: the bundle's.

    Returns:
        One entry a face.

    Raises:
        ValueError: shapes differ, or `top_k` is below 1.
    """
    if scores.shape != similarities.shape or scores.shape[1] != len(characters) or top_k < 1:
        raise ValueError(
            f"Expected (N, {len(characters)}) scores and similarities and top_k ≥ 1; "
            f"received {scores.shape}, {similarities.shape}, {top_k}."
        )
    if not len(characters):
        return [FaceAnswers("unknown", ())] * len(scores)
    squash = sigmoid if task == "multi" else softmax
    confidences = squash(scores, calibration.temperature)
    if task == "multi":
        passed = confidences >= np.array(calibration.label_thresholds)
    else:
        familiar = measure_familiarity(scores, similarities) >= calibration.familiarity_threshold
        passed = np.repeat(familiar[:, None], len(characters), axis=1)
    return [
        FaceAnswers(
            "known" if passed[face].any() else "unknown",
            tuple(
                Answer(
                    characters[row], float(confidences[face, row]), _as_optional(similarities[face, row])
                )
                for row in _rank(scores[face], passed[face], top_k)
            ),
        )
        for face in range(len(scores))
    ]


def _rank(scores: np.ndarray, passed: np.ndarray, top_k: int) -> np.ndarray:
    """Return the best columns among those that passed, or among all if none did; the best first."""
    columns = np.flatnonzero(passed) if passed.any() else np.arange(len(scores))
    own = scores[columns]
    if len(own) > top_k:  # sorting a hundred thousand takes longer than finding the few to sort
        least = np.partition(own, len(own) - top_k)[len(own) - top_k]
        columns, own = columns[own >= least], own[own >= least]
    return columns[np.argsort(-own, kind="stable")[:top_k]]


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
