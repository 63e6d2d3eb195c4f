"""From near-duplicates to an index whose splits are grouped, seeded and balanced over the characters."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from kyara.dataset.check.duplicates import find_copies, join_pairs
from kyara.dataset.check.pictures import Picture, Progress
from kyara.dataset.manifest import Face


def group_pictures(
    pictures: Sequence[Picture],
    near_bits: int,
    *,
    keep_groups: bool,
    progress: Progress = lambda done: None,
) -> list[Face]:
    """Give every picture a group that all versions of its drawing share.

    Hashes of a group differ in at most `near_bits` bits. With `keep_groups`, pictures that share a group
    already go on sharing one.

    Returns:
        The faces, in the same order; a group is named by the content of its pictures.
    """
    pairs = [
        (first, second) for first, second, *_ in find_copies(pictures, near_bits, progress).tolist()
    ]
    if keep_groups:
        first: dict[str, int] = {}
        pairs += [(first.setdefault(p.face.group, n), n) for n, p in enumerate(pictures)]
    names = [picture.digest[:12] for picture in pictures]
    for group in join_pairs(len(pictures), pairs):
        name = min(names[item] for item in group)
        for item in group:
            names[item] = name
    return [replace(picture.face, group=name) for picture, name in zip(pictures, names, strict=True)]


def draw_splits(faces: Sequence[Face], val: float, test: float, seed: int) -> list[Face]:
    """Deal the groups of each character into `train`, `val` and `test`.

    A group with several labels goes with its most frequent one. A character with too few groups for a
    split of the asked size, rounded, keeps all of them in `train`.

    Args:
        faces: with their groups.
        val: share of each character's groups, 0 to 1.
        test: the same; both together below 1.
        seed: of the draw.

    Returns:
        The faces, in the same order, with their splits.
    """
    votes: dict[str, Counter[str]] = {}
    for face in faces:
        votes.setdefault(face.group, Counter())[face.label] += 1
    by_label: dict[str, list[str]] = {}
    for group, labels in votes.items():
        by_label.setdefault(min(labels, key=lambda name: (-labels[name], name)), []).append(group)
    split: dict[str, str] = {}
    for groups in by_label.values():
        groups.sort(key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
        of_test, of_val = round(test * len(groups)), round(val * len(groups))
        for place, group in enumerate(groups):
            split[group] = "test" if place < of_test else "val" if place < of_test + of_val else "train"
    return [replace(face, split=split[face.group]) for face in faces]
