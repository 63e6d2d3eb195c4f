"""Third stage, beside the head: features → similarity to the nearest known face of each character."""

from __future__ import annotations

import numpy as np


def scale_to_unit(features: np.ndarray) -> np.ndarray:
    """Scale each row of `float (N, features)` to unit length."""
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def compare_with_gallery(
    features: np.ndarray, references: np.ndarray, rows: np.ndarray, classes: int
) -> np.ndarray:
    """Return each face's highest cosine similarity to the references of every character.

    Args:
        features: `float32 (N, features)`.
        references: `float32 (R, features)`, unit length.
        rows: `int64 (R,)`, the character of each reference.
        classes: number of characters.

    Returns:
        `float32 (N, classes)` in -1 to 1; NaN where a character has no reference.
    """
    similarities = np.full((len(features), classes), np.nan, np.float32)
    cosines = scale_to_unit(features) @ references.T
    for row in np.unique(rows):
        similarities[:, row] = cosines[:, rows == row].max(axis=1)
    return similarities


def choose_references(features: np.ndarray, count: int) -> np.ndarray:
    """Choose the faces of one character whose average best stands for them all.

    Greedy herding: each step takes the face that brings the chosen ones' mean nearest to the mean
    of all.

    Args:
        features: `float32 (N, features)` of one character.
        count: how many to choose, at most N.

    Returns:
        `int64 (min(count, N),)` positions, in the order chosen.

    Source: Rebuffi et al. 2017 (iCaRL), https://arxiv.org/abs/1611.07725
    """
    unit = scale_to_unit(features)
    mean = unit.mean(axis=0)
    chosen: list[int] = []
    total = np.zeros_like(mean)
    for step in range(min(count, len(unit))):
        distances = np.linalg.norm(mean - (total + unit) / (step + 1), axis=1)
        distances[chosen] = np.inf
        chosen.append(int(distances.argmin()))
        total += unit[chosen[-1]]
    return np.array(chosen, np.int64)
