"""Synthetic embeddings that are distributed as those of a real gallery, as many as are asked for.

A smoothed bootstrap. A new character stands between two real ones that are drawn by chance: the offset
of its direction from the mean of all is a mixture of theirs, with weights whose squares add up to 1, so
the covariance stays. Around it lie the deviations of the first one's references from their own mean: how
many there are, how long they are and what angles they have to each other is real. So are similarities
within a character, between characters and to the most similar other character, which
`tests/system/test_synthetic.py` measures on both.

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
"""Weight of the second character in the mixture; fitted to how similar the most similar other one is."""


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
        means = np.add.reduceat(unit, self._starts) / self._counts[:, None].astype(np.float32)
        self._lengths = np.linalg.norm(means, axis=1)
        directions = scale_to_unit(means)
        self._middle = directions.mean(axis=0)
        self._offsets = directions - self._middle
        self._deviations = unit - np.repeat(means, self._counts, axis=0)
        self._weights = np.float32(np.sqrt(1 - smoothing**2)), np.float32(smoothing)

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
        first, second = rng.integers(0, len(self._counts), (2, characters))
        offsets = self._weights[0] * self._offsets[first] + self._weights[1] * self._offsets[second]
        centres = scale_to_unit(self._middle + offsets) * self._lengths[first, None]
        counts = self._counts[first]
        owners = np.repeat(np.arange(characters), counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        deviations = self._deviations[self._starts[first][owners] + within]
        faces = scale_to_unit(centres[owners] + deviations)
        asked = (counts > 1)[owners] & (within == rng.integers(0, counts)[owners])
        rows = owners + number * characters
        return Block(faces[~asked], rows[~asked], faces[asked], rows[asked])

    def draw_many(self, seed: int, references: int) -> Iterator[Block]:
        """Draw blocks until there are so many references; the last block is drawn whole."""
        drawn, number = 0, 0
        while drawn < references:
            block = self.draw(seed, number)
            yield block
            drawn += len(block.rows)
            number += 1
