"""Last stage: scores and similarities → ranked answers with calibrated confidence, or "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kyara.recognition.bundle import Calibration, Character, Task
from kyara.recognition.head import sigmoid, softmax

Verdict = Literal["known", "probably", "unknown"]
GATE_MEASURES = ("score", "similarity", "lead", "references", "prototype", "headed")
"""What a gate may weigh: the best score, the cosine to the nearest reference of whom it belongs to, how
far the second best score lies behind, the logarithm of 1 + the references of whom it belongs to, the
cosine to the mean of these references, and 1 if the character has a column of the head, else 0."""


@dataclass(frozen=True)
class Answer:
    """One ranked character.

    Attributes:
        character: who it is; carried along, so that an answer can be read after the gallery changed.
        confidence: calibrated probability, 0 to 1, that it is this one: with a gate among all people,
            strangers included, else among the known characters.
        similarity: highest cosine, -1 to 1, to a reference face of the character; None without one.
    """

    character: Character
    confidence: float
    similarity: float | None

    @property
    def label(self) -> str:
        return self.character.label


@dataclass(frozen=True)
class FaceAnswers:
    """What Kyara says of one crop.

    Attributes:
        verdict: `known`: the first answer is a name to rely on; `probably`: it may well be right, and is
            not to be taken for a fact; `unknown`: the face is likely nobody whom the model knows.
        answers: best first; given for an unknown face too, as guesses.
    """

    verdict: Verdict
    answers: tuple[Answer, ...]


def merge_scores(
    head: np.ndarray, nearest: np.ndarray, prototype: np.ndarray, calibration: Calibration
) -> np.ndarray:
    """Merge what the head and the gallery say into one score a character, in logits.

    With w the gallery's weight and s the similarity's scale: head and references give (1-w) head +
    w s nearest; the head alone is taken as it is; references alone give s ((1-w) prototype + w nearest).

    Args:
        head: `float (N, classes)` logits, NaN where a character has no column.
        nearest: `float (N, classes)`, highest cosine to a reference; NaN if there is none.
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
    references: np.ndarray | None = None,
    prototypes: np.ndarray | None = None,
    headed: np.ndarray | None = None,
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
        references: `int (classes,)`, how many each character has; None: none.
        prototypes: `float32 (N, classes)`, cosine to the mean of the references, NaN where there is
            none; None: of nobody.
        headed: `bool (classes,)`, who has a column of the head; None: nobody.

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
    verdicts: list[Verdict]
    if task == "multi":
        confidences = sigmoid(scores, calibration.temperature)
        passed = confidences >= np.array(calibration.label_thresholds)
        verdicts = ["known" if one.any() else "unknown" for one in passed]
    else:
        open_set_scores = score_open_set(
            scores, similarities, calibration, references, prototypes, headed
        )
        confidences = measure_confidence(scores, open_set_scores, calibration)
        passed = np.ones(scores.shape, bool)
        verdicts = [choose_verdict(one, calibration) for one in open_set_scores.tolist()]
    return [
        FaceAnswers(
            verdicts[face],
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


def choose_verdict(open_set_score: float, calibration: Calibration) -> Verdict:
    """Say what a face with an open-set score is called."""
    if open_set_score >= calibration.familiarity_threshold:
        return "known"
    probable = calibration.probable_threshold
    return "probably" if probable is not None and open_set_score >= probable else "unknown"


def score_open_set(
    scores: np.ndarray,
    similarities: np.ndarray,
    calibration: Calibration,
    references: np.ndarray | None = None,
    prototypes: np.ndarray | None = None,
    headed: np.ndarray | None = None,
) -> np.ndarray:
    """Say how much each face looks like somebody the model knows.

    With a gate the log-odds that the first answer is right, which for a stranger it never is; without
    one the best character's logit, and of a model with a gallery also the cosine to that character's
    nearest reference, in logit units.

    Args:
        scores: `float32 (N, classes)`; at least one class.
        similarities: `float32 (N, classes)`, NaN where a character has no reference.
        calibration: the bundle's.
        references: `int (classes,)`, how many each character has; None: none.
        prototypes: `float32 (N, classes)`, cosine to the mean of the references, NaN where there is
            none; None: of nobody.
        headed: `bool (classes,)`, who has a column of the head; None: nobody.

    Returns:
        `float64 (N,)`; higher is more familiar. Without a gate the scale is the bundle's own.

    Source: the maximum logit as an open-set score: Vaze et al. 2022, https://arxiv.org/abs/2110.06207;
    a regression over several signs: Platt 1999
    """
    measures = gather_measures(scores, similarities, references, prototypes, headed)
    if calibration.gate:
        return weigh_measures(measures, calibration.gate)
    return measures[:, 0] + COSINE_IN_LOGITS * measures[:, 1]


def weigh_measures(measures: np.ndarray, gate: Sequence[float]) -> np.ndarray:
    """Return the log-odds that a gate gives: `float64 (N,)`.

    Args:
        measures: `float64 (N, 6)`, as `gather_measures` returns them.
        gate: as in `Calibration`.
    """
    return gate[0] + measures[:, : len(gate) - 1] @ np.array(gate[1:], np.float64)


def gather_measures(
    scores: np.ndarray,
    similarities: np.ndarray,
    references: np.ndarray | None = None,
    prototypes: np.ndarray | None = None,
    headed: np.ndarray | None = None,
) -> np.ndarray:
    """Return `GATE_MEASURES` of each face: `float64 (N, 6)`; arguments as of `score_open_set`."""
    best = scores.argmax(axis=1)
    faces = np.arange(len(scores))
    first = scores[faces, best].astype(np.float64)
    cosine = _take_cosines(similarities, faces, best)
    lead = np.zeros(len(scores))
    if scores.shape[1] > 1:
        lead = first - np.partition(scores, -2, axis=1)[:, -2].astype(np.float64)
    none = np.zeros(len(scores))
    many = none if references is None else np.log1p(references[best])
    mean = none if prototypes is None else _take_cosines(prototypes, faces, best)
    head = none if headed is None else headed[best].astype(np.float64)
    return np.stack([first, cosine, np.minimum(lead, MOST_LEAD), many, mean, head], axis=1)


def _take_cosines(cosines: np.ndarray, faces: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.nan_to_num(cosines[faces, columns].astype(np.float64), nan=0.0)


def measure_confidence(
    scores: np.ndarray, open_set_scores: np.ndarray, calibration: Calibration
) -> np.ndarray:
    """Return each answer's calibrated probability: `float64 (N, classes)`.

    With a gate the first answer's is the gate's; the others keep their odds against it in the softmax,
    as far as what the first leaves allows. Without one it is the softmax over the known characters.

    Args:
        scores: `float32 (N, classes)`.
        open_set_scores: as `score_open_set` returns it.
        calibration: the bundle's.
    """
    shares = softmax(scores, calibration.temperature)
    if not calibration.gate:
        return shares
    first = 1 / (1 + np.exp(-np.clip(open_set_scores, -500, 500)))[:, None]
    best = shares.max(axis=1, keepdims=True)
    others = np.minimum(shares * first / best, 1 - first)
    return np.where(shares == best, first, others)


COSINE_IN_LOGITS = 10.0
MOST_LEAD = 1e6
"""A lead over a character who cannot be answered (minus infinity) is not without bounds."""
