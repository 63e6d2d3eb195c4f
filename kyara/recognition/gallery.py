"""Third stage, beside the head: features → similarity to the known faces of each character.

A gallery never changes. Adding and removing references makes another one that shares most of its
memory, so whoever holds a gallery may go on using it while the next one is put in its place.

The search is exact: every reference is compared (`compare`), or all of them roughly, in eight bits
(`compare_roughly`), and those exactly that may count. The cosine to a character's prototype (the
normalised mean of its references) is found from the same cosines, without a second product.

A large gallery may have an index (`with_index`), which proposes the characters that a face is compared
with (`propose`); they are compared exactly, too, in a gallery of their own (`narrow`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kyara.recognition.neighbour_index import (
    PROPOSED,
    TRAINING_REFERENCES_A_LIST,
    NeighbourIndex,
    count_lists,
)
from kyara.recognition.quantised import MIN_REFERENCES, QuantisedReferences
from kyara.vision.tracking import scale_to_unit

BLOCK_REFERENCES = 4096
"""References are kept in blocks of about so many: an addition copies one block, not the gallery."""
FEW_FACES = 16
"""So many are compared one after the other: for a product of all of them OpenBLAS first copies all
references, which takes longer."""
_INDEXED_AT_ONCE = 65_536


@dataclass(frozen=True)
class Gallery:
    """References and whom they show.

    Attributes:
        blocks: `float32 (≤ about BLOCK_REFERENCES, features)` each, unit length; R rows together.
            Those that an index knows are `float16`, and scaled when they are read.
        rows: `int64 (R,)`, the character of each reference: a number below `classes`.
        ids: the name of each reference; may be empty strings.
        taught: `bool (R,)`, whether an operator added it.
        lengths: `float32 (classes,)`, length of the sum of each character's references; 0 without one.
        index: proposes whom a face is compared with; None: everybody.
        quantised: the first references in eight bits, for `compare_roughly`; None: there are none.
    """

    blocks: tuple[np.ndarray, ...]
    rows: np.ndarray
    ids: tuple[str, ...]
    taught: np.ndarray
    lengths: np.ndarray
    index: NeighbourIndex | None = None
    quantised: QuantisedReferences | None = None

    @cached_property
    def _order(self) -> np.ndarray | slice:
        """The references sorted by character, once for all searches; all, if that is how they are."""
        if (self.rows[1:] >= self.rows[:-1]).all():
            return slice(None)
        return np.argsort(self.rows, kind="stable")

    @cached_property
    def _edges(self) -> np.ndarray:
        """Where each character begins among the sorted references, and the end: `(classes + 1,)`."""
        return np.searchsorted(self.rows[self._order], np.arange(self.classes + 1))

    @cached_property
    def _present(self) -> np.ndarray | slice:
        """The characters that have a reference; all, if each has one."""
        counts = np.diff(self._edges)
        return slice(None) if counts.all() else np.flatnonzero(counts)

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where each of those begins."""
        return self._edges[:-1][self._present]

    @cached_property
    def _block_starts(self) -> np.ndarray:
        return np.cumsum([0, *map(len, self.blocks)])

    @cached_property
    def _is_half(self) -> np.ndarray:
        return np.array([block.dtype == np.float16 for block in self.blocks], bool)

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
        fits = bool(blocks) and len(blocks[-1]) + len(new[0]) <= BLOCK_REFERENCES
        if fits and blocks[-1].dtype == new[0].dtype:
            new[0] = np.concatenate([blocks.pop(), new[0]])
        blocks += new
        larger = Gallery(
            tuple(blocks),
            np.concatenate([self.rows, rows]),
            (*self.ids, *ids),
            np.concatenate([self.taught, np.full(len(rows), taught)]),
            lengths,
            self.index,
            self.quantised,
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
            self.index.remove(gone) if self.index else None,
            self.quantised.keep(~gone[: len(self.quantised)]) if self.quantised else None,
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
        return self._reduce(self.measure_cosines(features))

    def compare_roughly(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Compare faces with every character as `compare` does, by the quantised references.

        Args:
            features: `float32 (N, features)` of any length.

        Returns:
            As `compare`, and by how much the cosine to a reference may be off at most; that to a
            prototype by `spread` times as much. 0 if all are compared exactly.
        """
        unit = scale_to_unit(features.astype(np.float32, copy=False))
        found = self.quantised.measure_cosines(unit) if self.quantised else None
        if self.quantised is None or found is None:
            return *self.compare(features), 0.0
        added = self.measure_cosines(unit, len(self.quantised))
        return *self._reduce(np.concatenate([found[0], added], axis=1)), found[1]

    @cached_property
    def spread(self) -> np.ndarray:
        """Each character's number of references, divided by the length of their sum.

        `float64 (classes,)`: 1 if they are all alike, more if not, 0 if there are none.
        """
        return np.diff(self._edges) / np.maximum(self.lengths, 1e-12)

    def _reduce(self, cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what `compare` does, of `float32 (N, R)` cosines."""
        nearest = np.full((len(cosines), self.classes), np.nan, np.float32)
        prototype = nearest.copy()
        if cosines.size:
            cosines, present = cosines[:, self._order], self._present
            nearest[:, present] = np.maximum.reduceat(cosines, self._starts, axis=1)
            sums = np.add.reduceat(cosines, self._starts, axis=1)
            prototype[:, present] = sums / np.maximum(self.lengths[present], 1e-12)
        return nearest, prototype

    def measure_cosines(self, features: np.ndarray, start: int = 0) -> np.ndarray:
        """Return the cosine of each face to each reference: `float32 (N, R - start)`.

        Args:
            features: `float32 (N, features)` of any length.
            start: leave out the references before this position.
        """
        unit = scale_to_unit(features.astype(np.float32, copy=False))
        cosines = np.empty((len(unit), len(self.rows) - start), np.float32)
        for first, block in self._enumerate_blocks():
            if first + len(block) <= start:
                continue
            own, place = _read(block[max(0, start - first) :]), max(0, first - start)
            if len(unit) > FEW_FACES:
                cosines[:, place : place + len(own)] = (own @ unit.T).T
                continue
            for row, found in zip(unit, cosines[:, place : place + len(own)], strict=True):
                np.dot(own, row, out=found)
        return cosines

    def take(self, positions: np.ndarray) -> np.ndarray:
        """Return the features of some references: `float32 (N, features)`, unit length."""
        taken = np.empty((len(positions), self.blocks[0].shape[1]), np.float32)
        order = np.argsort(positions, kind="stable")
        numbers = np.searchsorted(self._block_starts, positions[order], side="right") - 1
        starts = _find_starts(numbers)
        ends = np.r_[starts[1:], len(order)]
        for first, end, number in zip(starts, ends, numbers[starts].tolist(), strict=True):
            own = order[first:end]
            taken[own] = self.blocks[number][positions[own] - self._block_starts[number]]
        halved = order[self._is_half[numbers]]
        taken[halved] = scale_to_unit(taken[halved])
        return taken

    def with_quantised(self) -> Gallery:
        """Return this gallery with its references in eight bits as well, if they are many enough."""
        if self.index or len(self.rows) < MIN_REFERENCES:
            return self
        return replace(self, quantised=QuantisedReferences(self.blocks))

    def with_index(self) -> Gallery:
        """Return this gallery with an index of all its references, which are kept as float16 then.

        Raises:
            ImportError: FAISS is not installed.
        """
        count = len(self.rows)
        sampled = min(count, TRAINING_REFERENCES_A_LIST * count_lists(count))
        sample = self.take(np.linspace(0, count - 1, sampled).astype(np.int64))
        at_once = max(1, _INDEXED_AT_ONCE // BLOCK_REFERENCES)
        parts = (
            np.concatenate([_read(block) for block in self.blocks[start : start + at_once]])
            for start in range(0, len(self.blocks), at_once)
        )
        index = NeighbourIndex.build(parts, sample, self.rows)
        halves = tuple(block.astype(np.float16, copy=False) for block in self.blocks)
        return replace(self, blocks=halves, index=index, quantised=None)

    def propose(self, features: np.ndarray) -> np.ndarray:
        """Return the characters whose references may be nearest to a face: `int64`, ascending.

        Those added since the index was built are compared exactly; without an index it is everybody.

        Args:
            features: `float32 (features,)` of any length.
        """
        if self.index is None:
            return np.unique(self.rows)
        left = self.index.left
        positions = self.index.propose(scale_to_unit(features[None].astype(np.float32))[0])
        added = self.measure_cosines(features[None], left)[0]
        if len(added) > PROPOSED:
            best = np.argpartition(-added, PROPOSED)[:PROPOSED]
        else:
            best = np.arange(len(added))
        return np.unique(self.rows[np.concatenate([positions, best + left])])

    def find_positions(self, characters: np.ndarray) -> np.ndarray:
        """Return where the references of some characters are: `int64`, ascending.

        Args:
            characters: `int64`, ascending.
        """
        if self.index is None:
            firsts, counts = self._edges[characters], np.diff(self._edges)[characters]
            places = np.repeat(firsts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
            return places if isinstance(self._order, slice) else np.sort(self._order[places])
        added = np.flatnonzero(np.isin(self.rows[self.index.left :], characters)) + self.index.left
        return np.concatenate([np.sort(self.index.find_members(characters)), added])

    def narrow(self, characters: np.ndarray) -> Gallery:
        """Return a gallery of some characters, which are counted from 0 there, in their order.

        Args:
            characters: `int64 (C,)`, ascending.
        """
        positions = self.find_positions(characters)
        if not len(positions):
            return Gallery.empty(len(characters))
        return Gallery(
            (self.take(positions),),
            np.searchsorted(characters, self.rows[positions]),
            tuple(self.ids[position] for position in positions.tolist()),
            self.taught[positions],
            self.lengths[characters],
        )

    def _enumerate_blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        return zip(self._block_starts.tolist(), self.blocks, strict=False)

    def _measure(self, touched: np.ndarray) -> Gallery:
        """Return this gallery with the lengths of the touched characters' sums measured again."""
        characters = np.unique(touched)
        lengths = self.lengths.copy()
        lengths[characters] = 0
        positions = self.find_positions(characters)
        positions = positions[np.argsort(self.rows[positions], kind="stable")]
        rows = self.rows[positions]
        starts = _find_starts(rows)
        ends = np.r_[starts[1:], len(rows)]
        for first in range(0, len(starts), BLOCK_REFERENCES):  # so that not all are copied at once
            some = slice(first, first + BLOCK_REFERENCES)
            own = positions[starts[first] : ends[some][-1]]
            sums = np.add.reduceat(self.take(own), starts[some] - starts[first], axis=0)
            lengths[rows[starts[some]]] = np.linalg.norm(sums, axis=1)
        return replace(self, lengths=lengths)


def _read(block: np.ndarray) -> np.ndarray:
    """Return references as they are compared: `float32`, unit length."""
    return block if block.dtype == np.float32 else scale_to_unit(block.astype(np.float32))


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
