"""Synthetic embeddings that are distributed as those of a real gallery, as many as are asked for.

A smoothed bootstrap. A new character stands in the direction of a real one's mean embedding, moved
towards another real one's (its differences from the mean of all get random signs along the axes of
their covariance, which keeps the covariance and the heavy tails, and repeats nobody). Around it lie the
deviations of a third real character's references from their mean, all with the same random signs along
the axes of the covariance of such deviations: their number, their lengths and the angles between them
are real. So are the similarities within a character, between characters and to the most similar other
character; `tests/unit/bench/test_synthetic.py` compares them with those of the model that serves.

Characters are drawn in blocks, each from its own seed: any block can be drawn again.

Source: the smoothed bootstrap: Silverman and Young 1987, https://doi.org/10.1093/biomet/74.3.469
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kyara.recognition.gallery import scale_to_unit

CHARACTERS_A_BLOCK = 4096
SMOOTHING = 0.67
"""Share of a new character's direction that is not its model's; fitted to how similar each character's
most similar other one is."""


@dataclass(frozen=True)
class Block:
    """Some characters.

    Attributes:
        features: `float32 (R, features)`, unit length, sorted by character.
        rows: `int64 (R,)`, the character of each, counted through all blocks.
        queries: `float32 (Q, features)`, unit length: one more face of each character that has several.
        query_rows: `int64 (Q,)`, whom they show.
    """

    features: np.ndarray
    rows: np.ndarray
    queries: np.ndarray
    query_rows: np.ndarray


class SyntheticFaces:
    """Draws characters like those of a gallery."""

    def __init__(self, features: np.ndarray, rows: np.ndarray, smoothing: float = SMOOTHING) -> None:
        """Measure a real gallery.

        Args:
            features: `float (R, features)` of any length above 0.
            rows: `int64 (R,)`, the character of each reference, sorted; every one has some.
            smoothing: see `SMOOTHING`.
        """
        unit = scale_to_unit(features.astype(np.float32))
        self._starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        self._counts = np.diff(np.r_[self._starts, len(rows)])
        means = np.add.reduceat(unit, self._starts) / self._counts[:, None]
        self._lengths = np.linalg.norm(means, axis=1).astype(np.float32)
        directions = scale_to_unit(means)
        self._middle = directions.mean(axis=0)
        self._offsets = directions - self._middle
        self._deviations = unit - np.repeat(means, self._counts, axis=0)
        self._between_axes = np.linalg.eigh(self._offsets.T @ self._offsets)[1]
        self._within_axes = np.linalg.eigh(self._deviations.T @ self._deviations)[1]
        self._smoothing = np.float32(smoothing)

    @property
    def dimension(self) -> int:
        return self._offsets.shape[1]

    def draw(self, seed: int, number: int, characters: int = CHARACTERS_A_BLOCK) -> Block:
        """Draw one block.

        Args:
            seed: of the whole gallery.
            number: of the block; its characters are counted from `number * characters` on.
            characters: how many.
        """
        rng = np.random.default_rng([seed, number])
        models = rng.integers(0, len(self._counts), characters)
        centres = self._draw_centres(models, rng)
        counts = self._counts[models]
        owners = np.repeat(np.arange(characters), counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        deviations = self._deviations[self._starts[models][owners] + within]
        moved = deviations
        faces = scale_to_unit(centres[owners] * self._lengths[models][owners, None] + moved)
        asked = (counts[owners] > 1) & (within == rng.integers(0, counts)[owners])
        rows = owners + number * characters
        return Block(faces[~asked], rows[~asked], faces[asked], rows[asked])

    def _draw_centres(self, near, rng: np.random.Generator) -> np.ndarray:
        """Draw directions: `float32 (characters, features)`, unit length."""
        far = rng.integers(0, len(self._offsets), len(near))
        noise = self._offsets[far]
        share = self._smoothing
        return scale_to_unit(self._middle + np.sqrt(1 - share**2) * self._offsets[near] + share * noise)

    def _draw_signs(self, characters: int, rng: np.random.Generator) -> np.ndarray:
        signs = rng.integers(0, 2, (characters, self.dimension), np.int8)
        return (2 * signs - 1).astype(np.float32)

    def draw_many(self, seed: int, references: int) -> Iterator[Block]:
        """Draw blocks until there are so many references; the last block is drawn whole."""
        drawn, number = 0, 0
        while drawn < references:
            block = self.draw(seed, number)
            yield block
            drawn += len(block.rows)
            number += 1
