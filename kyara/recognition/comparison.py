"""What faces look like among the characters of one moment, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kyara.recognition.answers import FaceAnswers, choose_answers, score_open_set

if TYPE_CHECKING:
    from kyara.recognition.identities import Identities


@dataclass(frozen=True)
class Comparison:
    """N faces compared with every character.

    Attributes:
        identities: the characters; the columns of what follows.
        scores: `float32 (N, characters)` logits.
        similarities: `float32 (N, characters)`, highest cosine to a reference; NaN where there is none.
        prototypes: `float32 (N, characters)`, cosine to the mean of the references; NaN likewise.
        best: of the best of each face, so many, the numbers are exact; None: of all characters.
    """

    identities: Identities
    scores: np.ndarray
    similarities: np.ndarray
    prototypes: np.ndarray
    best: int | None = None

    def take(self, rows: np.ndarray) -> Comparison:
        """Return the comparison of some of the faces: `int (M,)` positions."""
        return Comparison(
            self.identities, self.scores[rows], self.similarities[rows], self.prototypes[rows], self.best
        )

    @cached_property
    def open_set_scores(self) -> np.ndarray:
        """How much each face looks like somebody known, `float64 (N,)`: see `answers.score_open_set`."""
        known = self.identities
        return score_open_set(
            self.scores,
            self.similarities,
            known.bundle.calibration,
            known.references,
            self.prototypes,
            known.headed,
        )

    def find_settled(self) -> np.ndarray:
        """Tell of which faces the first views say enough: `bool (N,)`."""
        if not self.scores.size:  # no faces, or nobody whom more views could find
            return np.ones(len(self.scores), bool)
        return self.open_set_scores >= self.identities.bundle.calibration.settled_threshold

    def choose(self, top_k: int) -> list[FaceAnswers]:
        """Return what is answered of each face, at most so many characters.

        Raises:
            ValueError: so many were not compared exactly.
        """
        if self.best is not None and top_k > self.best:
            raise ValueError(f"{self.best} characters were compared exactly; {top_k} are wanted.")
        known = self.identities
        return choose_answers(
            self.scores,
            self.similarities,
            known.characters,
            known.bundle.calibration,
            top_k,
            task=known.bundle.task,
            references=known.references,
            prototypes=self.prototypes,
            headed=known.headed,
        )
