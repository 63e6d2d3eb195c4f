"""The confusion matrix of the report: only its filled cells, and only the characters that fit a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix

from kyara.evaluation.queries import Answered

MOST_CHARACTERS = 50
"""Of a larger matrix those are shown that are in most mistakes."""


@dataclass(frozen=True)
class Cell:
    """How often one character was taken for another (or rightly for itself).

    Attributes:
        row: of the true character.
        column: of the answer.
        count: faces.
        share: of the true character's faces, 0 to 1.
    """

    row: int
    column: int
    count: int
    share: float


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix, or the part of it with the most mistakes.

    Attributes:
        names: of the rows and columns.
        cells: those that are not empty.
        whole: whether every character that occurs is in it.
    """

    names: tuple[str, ...]
    cells: tuple[Cell, ...]
    whole: bool


def build_matrix(answered: Answered, name: Callable[[str], str], most: int = MOST_CHARACTERS) -> Matrix:
    """Count who was taken for whom."""
    involved = np.unique(np.concatenate([answered.targets, answered.predicted]))
    counts = confusion_matrix(answered.targets, answered.predicted, labels=involved)
    chosen = _choose_confused(counts, most)
    support = np.maximum(counts.sum(axis=1), 1)
    part = counts[np.ix_(chosen, chosen)]
    shares = part / support[chosen][:, None]
    cells = tuple(
        Cell(int(row), int(column), int(part[row, column]), float(shares[row, column]))
        for row, column in np.argwhere(part)
    )
    labels = [answered.labels[column] for column in involved[chosen]]
    return Matrix(tuple(name(label) for label in labels), cells, len(chosen) == len(involved))


def _choose_confused(counts: np.ndarray, most: int) -> np.ndarray:
    """Return all rows if they are few, else those of the most frequent mistakes, in order."""
    if len(counts) <= most:
        return np.arange(len(counts))
    mistakes = counts - np.diag(np.diag(counts))
    worst = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    pairs = np.stack(np.unravel_index(worst, mistakes.shape), axis=1)
    return np.sort(list(dict.fromkeys(pairs.ravel().tolist()))[:most])
