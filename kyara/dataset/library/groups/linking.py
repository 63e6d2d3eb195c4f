"""Embeddings → groups of faces that look alike.

Average linkage merges the two groups whose faces are most alike on average until none are alike enough.
The average cosine of two groups is the product of their mean embeddings, so sums and sizes are all that
is kept of a group, and only faces that are near each other are candidates: memory grows with the faces,
not with their square. scikit-learn's average linkage over all pairs gives the same groups where every
pair is a candidate (see its test); over a graph of neighbours it does not, and is much worse.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kyara.errors import NotInstalledError
from kyara.storage.extras import name_install

NEIGHBOURS = 32
"""Candidates of each face: from 20 on the groups are those of all pairs (measured)."""
BLOCK_FACES = 256
"""Faces that are compared with all others at a time."""
SMALLEST_CLUSTER = 3
"""Of HDBSCAN; 2 makes more and smaller groups (measured)."""
METHODS = ("average", "hdbscan")


def group_faces(
    unit: np.ndarray,
    least: float,
    method: str = "average",
    progress: Callable[[int], Any] = lambda done: None,
) -> np.ndarray:
    """Put look-alikes together.

    Args:
        unit: `float32 (N, features)`, of unit length.
        least: average cosine from which two groups are one; HDBSCAN has no such measure.
        method: one of `METHODS`.
        progress: called with how many faces were compared since.

    Returns:
        `int64 (N,)`: the number of each face's group, from 0; a face that is like no other is alone.

    Raises:
        NotInstalledError: HDBSCAN needs scikit-learn.
    """
    if method == "average":
        return link_faces(unit, least, progress=progress)
    return _find_dense(unit)


def link_faces(
    unit: np.ndarray,
    least: float,
    neighbours: int = NEIGHBOURS,
    progress: Callable[[int], Any] = lambda done: None,
) -> np.ndarray:
    """Group faces by average linkage; see `group_faces`.

    Args:
        unit: `float32 (N, features)`, of unit length.
        least: average cosine from which two groups are one.
        neighbours: so many nearest faces of each are candidates.
        progress: called with how many faces were compared since.

    Source: Sokal & Michener 1958, A statistical method for evaluating systematic relationships (UPGMA).
    """
    count = len(unit)
    sums = np.concatenate([unit, np.zeros_like(unit)])
    sizes = np.ones(2 * count, np.int64)
    near: list[set[int] | None] = [set() for _ in range(count)]
    heap: list[tuple[float, int, int]] = []
    for rows, columns, cosines in _find_candidates(unit, least, neighbours, progress):
        for one, other, cosine in zip(rows.tolist(), columns.tolist(), cosines.tolist(), strict=True):
            ours, theirs = near[one], near[other]
            assert ours is not None and theirs is not None
            if other not in ours:
                ours.add(other)
                theirs.add(one)
                heap.append((-cosine, one, other))
    heapq.heapify(heap)
    parents = list(range(count))
    while heap:
        _, one, other = heapq.heappop(heap)
        ours, theirs = near[one], near[other]
        if ours is None or theirs is None:  # one of them is part of a larger group by now
            continue
        merged, around = len(near), (ours | theirs) - {one, other}
        sums[merged], sizes[merged] = sums[one] + sums[other], sizes[one] + sizes[other]
        near[one] = near[other] = None
        parents[one] = parents[other] = merged
        parents.append(merged)
        near.append(around)
        for neighbour in around:
            theirs = near[neighbour]
            assert theirs is not None
            theirs -= {one, other}
            theirs.add(merged)
        found = np.fromiter(around, np.int64, len(around))
        averages = sums[found] @ sums[merged] / (sizes[found] * sizes[merged])
        for average, neighbour in zip(averages.tolist(), found.tolist(), strict=True):
            if average >= least:
                heapq.heappush(heap, (-average, neighbour, merged))
    return _number(_find_roots(parents)[:count])


def _find_candidates(
    unit: np.ndarray, least: float, neighbours: int, progress: Callable[[int], Any]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Give pairs of faces that are near each other: two rows of positions, and their cosines."""
    kept = min(neighbours, len(unit) - 1)
    if kept < 1:
        return
    for start in range(0, len(unit), BLOCK_FACES):
        cosines = unit[start : start + BLOCK_FACES] @ unit.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        nearest = np.argpartition(cosines, -kept, axis=1)[:, -kept:]
        best = np.take_along_axis(cosines, nearest, axis=1)
        rows, places = np.nonzero(best >= least)
        yield start + rows, nearest[rows, places], best[rows, places]
        progress(len(own))


def _find_roots(parents: list[int]) -> np.ndarray:
    """Return the outermost group of each: a parent has a higher number than its children."""
    roots = list(parents)
    for place in range(len(roots) - 1, -1, -1):
        roots[place] = roots[roots[place]]
    return np.array(roots, np.int64)


def _find_dense(unit: np.ndarray) -> np.ndarray:
    """Group faces where they lie densely; the others are alone.

    Source: McInnes, Healy & Astels 2017, hdbscan: Hierarchical density based clustering.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "HDBSCAN needs scikit-learn, which is not installed: "
            f"`{name_install('library')}` brings it. The method `average` needs nothing."
        ) from error
    if len(unit) < 2 * SMALLEST_CLUSTER:
        return np.arange(len(unit))
    dense = HDBSCAN(
        min_cluster_size=SMALLEST_CLUSTER,
        min_samples=1,
        copy=True,  # type: ignore[arg-type]  # its stub says str
    )
    clusters = dense.fit_predict(unit).astype(np.int64)
    alone = clusters < 0
    clusters[alone] = clusters.max() + 1 + np.arange(alone.sum())
    return _number(clusters)


def _number(groups: np.ndarray) -> np.ndarray:
    """Number groups from 0, in the order of their first faces."""
    _, first, places = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[places]
