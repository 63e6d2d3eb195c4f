"""Second stage of inspection: perceptual hashes → pictures that show the same drawing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kyara.dataset.check.pictures import Picture, Progress
from kyara.vision.phash import HASH_BITS, HASH_SIDE, have_same_colours

MIRROR = np.packbits(np.tile(np.arange(HASH_SIDE) % 2, HASH_SIDE)).view(np.uint64)
"""`hash ^ MIRROR` is the hash of the mirror image: the odd horizontal frequencies change sign."""
_BLOCK_ROWS = 64
"""Small enough for a processor's cache: blocks of 256 rows take nearly twice as long."""


@dataclass(frozen=True)
class Copies:
    """Pictures that show the same drawing.

    Attributes:
        pictures: two or more.
        bits: most bits that differ between two that were found alike, 0 to 255.
        mirrored: whether some are mirror images of others.
    """

    pictures: tuple[Picture, ...]
    bits: int
    mirrored: bool

    @property
    def splits(self) -> list[str]:
        """The splits they lie in."""
        return sorted({picture.face.split for picture in self.pictures})

    @property
    def labels(self) -> list[str]:
        return sorted({picture.face.label for picture in self.pictures})

    @property
    def files(self) -> int:
        """How many different files they are."""
        return len({picture.digest for picture in self.pictures})

    def to_json(self) -> dict[str, Any]:
        pictures = [
            {"path": p.name, "label": p.face.label, "split": p.face.split} for p in self.pictures
        ]
        return {"pictures": pictures, "bits": self.bits, "mirrored": self.mirrored}


def find_near_pairs(
    hashes: np.ndarray, most_bits: int, progress: Progress = lambda done: None
) -> np.ndarray:
    """Compare every picture with every other, as it is and mirrored.

    The search is exact. An index by parts of the hash (multi-index hashing) does not help here: at 56 of
    256 bits a part would have four bits, and every picture shares some part with every other.

    Args:
        hashes: `uint64 (N, 4)` as `hash_picture` returns them.
        most_bits: pairs that differ in more bits are left out, 0 to 255.
        progress: called with the number of pictures compared since the last call.

    Returns:
        `int64 (P, 4)`: two positions, the lower first; bits that differ; whether one is mirrored.
    """
    columns = np.ascontiguousarray(hashes.T)
    found = [np.zeros((0, 4), np.int64)]
    for start in range(0, len(hashes), _BLOCK_ROWS):
        block = columns[:, start : start + _BLOCK_ROWS]
        later = columns[:, start:]
        plain = _count_bits(block, later)
        mirrored = _count_bits(block ^ MIRROR[:, None], later)
        bits = np.minimum(plain, mirrored)
        rows, others = np.nonzero(bits <= most_bits)
        keep = rows < others
        rows, others = rows[keep], others[keep]
        flipped = (mirrored < plain)[rows, others].astype(np.int64)
        found.append(np.stack([rows + start, others + start, bits[rows, others], flipped], axis=1))
        progress(block.shape[1])
    return np.concatenate(found)


def _count_bits(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Hamming distances `uint8 (some, others)`: one bit is never set, so 255 is the most."""
    total = np.bitwise_count(some[0, :, None] ^ others[0])
    for word in range(1, HASH_BITS // 64):
        total += np.bitwise_count(some[word, :, None] ^ others[word])
    return total


def join_pairs(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups that pairs connect, directly or through others.

    Args:
        count: of all items.
        pairs: of positions below `count`.

    Returns:
        Groups of two and more, each sorted, by their first member.
    """
    edges = np.array(list(pairs), np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(edges.shape[1], bool), edges), shape=(count, count))
    _, group_of = connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for item, group in enumerate(group_of.tolist()):
        groups.setdefault(group, []).append(item)
    return [group for group in groups.values() if len(group) > 1]


def find_copies(
    pictures: Sequence[Picture], near_bits: int, progress: Progress = lambda done: None
) -> np.ndarray:
    """Find the pairs of pictures that show the same drawing.

    That is the same file, or near colours and hashes that differ in at most `near_bits` bits.

    Returns:
        `int64 (P, 4)`: positions in `pictures`, bits that differ, whether one is mirrored.
    """
    shown = np.array([n for n, picture in enumerate(pictures) if not picture.plain], np.int64)
    hashes = np.array([pictures[n].bits for n in shown], np.uint64).reshape(-1, 4)
    pairs = find_near_pairs(hashes, near_bits, progress)
    pairs[:, :2] = shown[pairs[:, :2]] if len(pairs) else pairs[:, :2]
    alike = [_compare_colours(pictures[a], pictures[b], bool(m)) for a, b, _, m in pairs.tolist()]
    pairs = pairs[np.array(alike, bool)]
    first: dict[str, int] = {}
    same = [(first.setdefault(picture.digest, n), n, 0, 0) for n, picture in enumerate(pictures)]
    repeated = [row for row in same if row[0] != row[1]]
    progress(len(pictures) - len(shown))
    return np.concatenate([pairs, np.array(repeated, np.int64).reshape(-1, 4)])


def _compare_colours(first: Picture, second: Picture, mirrored: bool) -> bool:
    """Return whether two pictures have the same colours in the same places."""
    other = second.colours[:, ::-1] if mirrored else second.colours
    return have_same_colours(first.colours, other)


def join_copies(pictures: Sequence[Picture], pairs: np.ndarray) -> Iterator[Copies]:
    """Return the groups that the pairs of `find_copies` make."""
    groups = join_pairs(len(pictures), pairs[:, :2].tolist())
    place = {item: number for number, group in enumerate(groups) for item in group}
    bits, mirrored = [0] * len(groups), [False] * len(groups)
    for first, _, apart, flipped in pairs.tolist():
        number = place[first]
        bits[number] = max(bits[number], apart)
        mirrored[number] |= bool(flipped)
    for number, group in enumerate(groups):
        yield Copies(tuple(pictures[item] for item in group), bits[number], mirrored[number])
