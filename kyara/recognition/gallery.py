"""Third stage, beside the head: features → similarity to the known faces of each character.

A gallery never changes. Adding and removing references makes another one that shares most of its
memory, so whoever holds a gallery may go on using it while the next one is put in its place.

The search is exact: every reference is compared. The cosine to a character's prototype (the normalised
mean of its references) is found from the same cosines, without a second product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kyara.vision.tracking import scale_to_unit

BLOCK_REFERENCES = 4096
"""References are kept in blocks of about so many: an addition copies one block, not the gallery."""


@dataclass(frozen=True)
class Gallery:
    """References and whom they show.

    Attributes:
        blocks: `float32 (≤ about BLOCK_REFERENCES, features)` each, unit length; R rows together.
        rows: `int64 (R,)`, the character of each reference: a number below `classes`.
        ids: the name of each reference; may be empty strings.
        taught: `bool (R,)`, whether an operator added it.
        lengths: `float32 (classes,)`, length of the sum of each character's references; 0 without one.
    """

    blocks: tuple[np.ndarray, ...]
    rows: np.ndarray
    ids: tuple[str, ...]
    taught: np.ndarray
    lengths: np.ndarray
    _order: np.ndarray = field(init=False, repr=False)
    _starts: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the references by character, once for all searches."""
        order = np.argsort(self.rows, kind="stable")
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_starts", _find_starts(self.rows[order]))

    @classmethod
    def empty(cls, classes: int) -> Gallery:
        none = np.zeros(0, np.int64)
        return cls((), none, (), none.astype(bool), np.zeros(classes, np.float32))

    @property
    def classes(self) -> int:
        """How many characters the rows may speak of; some may have no reference."""
        return len(self.lengths)

    def add(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        ids: Sequence[str],
        *,
        taught: bool,
        classes: int = 0,
    ) -> Gallery:
        """Return a gallery with more references.

        Args:
            features: `float (N, features)` of any length above 0.
            rows: `int64 (N,)`, the character of each.
            ids: the name of each.
            taught: whether an operator added them.
            classes: number of characters, if there are more now.

        Returns:
            Another gallery; this one stays as it is.
        """
        spare = np.zeros(max(0, classes - self.classes), np.float32)
        lengths = np.concatenate([self.lengths, spare])
        if not len(rows):
            return replace(self, lengths=lengths)
        parts = np.split(features, range(BLOCK_REFERENCES, len(rows), BLOCK_REFERENCES))
        blocks, new = list(self.blocks), [scale_to_unit(part.astype(np.float32)) for part in parts]
        if blocks and len(blocks[-1]) + len(new[0]) <= BLOCK_REFERENCES:
            new[0] = np.concatenate([blocks.pop(), new[0]])
        blocks += new
        larger = Gallery(
            tuple(blocks),
            np.concatenate([self.rows, rows]),
            (*self.ids, *ids),
            np.concatenate([self.taught, np.full(len(rows), taught)]),
            lengths,
        )
        return larger._measure(rows)

    def remove(self, gone: np.ndarray) -> Gallery:
        """Return a gallery without some references.

        Args:
            gone: `bool (R,)`.
        """
        if not gone.any():
            return self
        blocks = []
        for start, block in self._enumerate_blocks():
            here = gone[start : start + len(block)]
            if not here.all():
                blocks.append(block[~here] if here.any() else block)
        smaller = Gallery(
            tuple(blocks),
            self.rows[~gone],
            tuple(name for name, leaves in zip(self.ids, gone.tolist(), strict=True) if not leaves),
            self.taught[~gone],
            self.lengths,
        )
        return smaller._measure(self.rows[gone])

    def compare(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compare faces with every character.

        Args:
            features: `float32 (N, features)` of any length.

        Returns:
            Two `float32 (N, classes)`, NaN where a character has no reference: the highest cosine to a
            reference of the character, and the cosine to its prototype.
        """
        nearest = np.full((len(features), self.classes), np.nan, np.float32)
        prototype = nearest.copy()
        if len(self.rows) and len(features):
            cosines = self.measure_cosines(features)[:, self._order]
            present = self.rows[self._order[self._starts]]
            nearest[:, present] = np.maximum.reduceat(cosines, self._starts, axis=1)
            sums = np.add.reduceat(cosines, self._starts, axis=1)
            prototype[:, present] = sums / np.maximum(self.lengths[present], 1e-12)
        return nearest, prototype

    def measure_cosines(self, features: np.ndarray) -> np.ndarray:
        """Return the cosine of each face to each reference: `float32 (N, R)`.

        Args:
            features: `float32 (N, features)` of any length.
        """
        unit = scale_to_unit(features.astype(np.float32, copy=False))
        cosines = np.empty((len(unit), len(self.rows)), np.float32)
        for start, block in self._enumerate_blocks():
            cosines[:, start : start + len(block)] = unit @ block.T
        return cosines

    def take(self, positions: np.ndarray) -> np.ndarray:
        """Return the features of some references: `float32 (N, features)`, unit length."""
        taken = np.empty((len(positions), self.blocks[0].shape[1]), np.float32)
        for start, block in self._enumerate_blocks():
            here = (positions >= start) & (positions < start + len(block))
            taken[here] = block[positions[here] - start]
        return taken

    def _enumerate_blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        start = 0
        for block in self.blocks:
            yield start, block
            start += len(block)

    def _measure(self, touched: np.ndarray) -> Gallery:
        """Return this gallery with the lengths of the touched characters' sums measured again."""
        characters = np.unique(touched)
        lengths = self.lengths.copy()
        lengths[characters] = 0
        parts = -(-len(characters) // BLOCK_REFERENCES)  # so that not all features are copied at once
        for some in np.array_split(characters, parts):
            positions = self._order[np.isin(self.rows[self._order], some)]
            if len(positions):
                rows = self.rows[positions]
                starts = _find_starts(rows)
                sums = np.add.reduceat(self.take(positions), starts, axis=0)
                lengths[rows[starts]] = np.linalg.norm(sums, axis=1)
        return replace(self, lengths=lengths)


def _find_starts(rows: np.ndarray) -> np.ndarray:
    """Return where each run of equal numbers starts."""
    return np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]][: len(rows)])


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
