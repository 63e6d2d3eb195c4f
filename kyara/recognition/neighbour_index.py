"""Beside a large gallery: an index that proposes which references may be nearest to a face.

The index keeps each reference in a few bytes: an inverted file of product-quantised vectors, searched
with SIMD instructions. What it proposes is compared exactly afterwards, from the references themselves:
it decides who is compared, never how alike they are. It speaks of the references that the gallery had
when it was built: those removed since are left out, those added since are not in it.

The library, FAISS, is in the extra `scale`. `docs/scale.md` has what was measured.

Source: inverted file: Jégou et al. 2011, https://doi.org/10.1109/TPAMI.2010.57; 4-bit codes in
registers: André et al. 2021, https://doi.org/10.1109/TPAMI.2019.2952606
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

LIBRARY = "faiss"
INDEX_FROM = 300_000
"""From so many references on the exact search costs more than the network; see `docs/scale.md`."""
PROPOSED = 200
"""References that are proposed for a face."""
PROBED_SHARE = 1.0
"""Share of the inverted lists that is searched for a face: fewer save little and lose answers."""
MIN_REFERENCES = 1000
"""Fewer do not train the codes."""
TRAINING_REFERENCES_A_LIST = 64
_TRAINING_ROUNDS = 10
_SUBVECTOR = 4
"""Numbers of an embedding that share a code of 4 bits."""
_SEED = 1


def has_library() -> bool:
    """Tell whether FAISS is installed; it is not loaded."""
    return find_spec(LIBRARY) is not None


@dataclass(frozen=True)
class NeighbourIndex:
    """The references of a gallery as an index knows them. It never changes; `remove` makes another.

    Attributes:
        positions: `int64 (I,)`, where each indexed reference is in the gallery now; -1: removed.
        left: how many of them are not removed; in the gallery they come before all that was added since.
        probed: inverted lists that are searched for a face.
    """

    positions: np.ndarray
    left: int
    probed: int
    _lists: Any
    _members: np.ndarray
    _starts: np.ndarray

    @classmethod
    def build(
        cls,
        parts: Iterable[np.ndarray],
        sample: np.ndarray,
        rows: np.ndarray,
    ) -> NeighbourIndex:
        """Build the index of a gallery, with every core that the process may use.

        Args:
            parts: the references in order, `float32 (N, features)` of unit length at a time.
            sample: `float32 (S, features)`, references that the lists and codes are trained on.
            rows: `int64 (R,)`, the character of each reference.

        Raises:
            ImportError: FAISS is not installed.
        """
        import faiss

        dimension, lists = sample.shape[1], count_lists(len(rows))
        subvectors = dimension // (_SUBVECTOR if dimension % _SUBVECTOR == 0 else 1)
        faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
        quantiser = faiss.IndexFlatIP(dimension)
        index = faiss.IndexIVFPQFastScan(
            quantiser, dimension, lists, subvectors, 4, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.cp.seed = _TRAINING_ROUNDS, _SEED
        index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1  # or it warns
        index.train(sample)
        for part in parts:
            index.add(part)
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], np.arange(rows.max() + 2))
        probed = max(1, round(lists * PROBED_SHARE))
        return cls(np.arange(len(rows)), len(rows), probed, index, order, starts)

    def propose(self, face: np.ndarray) -> np.ndarray:
        """Return the positions of references that may be nearest to a face, in no order.

        Args:
            face: `float32 (features,)`, unit length.
        """
        import faiss

        faiss.omp_set_num_threads(1)  # as NumPy has: threads that spin slow the network down
        how = faiss.SearchParametersIVF()
        how.nprobe = self.probed
        found = self._lists.search(face[None], PROPOSED, params=how)[1][0]
        return self._place(found[found >= 0])

    def find_members(self, characters: np.ndarray) -> np.ndarray:
        """Return the positions of all indexed references of some characters.

        Args:
            characters: `int64 (C,)`, rows of the gallery.
        """
        known = characters[characters < len(self._starts) - 1]
        firsts, counts = self._starts[known], np.diff(self._starts)[known]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._place(self._members[np.repeat(firsts, counts) + within])

    def remove(self, gone: np.ndarray) -> NeighbourIndex | None:
        """Return the index without some references; None where too few are left to search it.

        Args:
            gone: `bool (R,)`, by position in the gallery.
        """
        there = self.positions >= 0
        stays = there.copy()
        stays[there] = ~gone[: self.left]
        left = int(stays.sum())
        if 2 * left < len(stays):
            return None
        positions = np.where(stays, np.cumsum(stays) - 1, -1)
        return replace(self, positions=positions, left=left)

    def measure_bytes(self) -> int:
        """Return the memory of the lists and codes, and of where references are."""
        index = self._lists
        codes = index.ntotal * (index.pq.M // 2 + 8) + index.quantizer.ntotal * index.d * 4
        return codes + self.positions.nbytes + self._members.nbytes + self._starts.nbytes

    def _place(self, indexed: np.ndarray) -> np.ndarray:
        positions = self.positions[indexed]
        return positions[positions >= 0]


def count_lists(references: int) -> int:
    """Return how many inverted lists there are: a power of 2 below the square root of the references."""
    return 2 ** int(np.log2(references) / 2)
