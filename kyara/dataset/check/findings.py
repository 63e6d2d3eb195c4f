"""Fourth stage of inspection: what was read, compared and suspected → findings."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.check.duplicates import Copies, find_copies, join_copies
from kyara.dataset.check.pictures import Picture, Progress, Unreadable, read_pictures
from kyara.dataset.check.suspects import compare_with_labels
from kyara.dataset.manifest import Face, count_labels, list_faces

Extract = Callable[[Sequence[Path], Progress], np.ndarray]
"""Paths of readable pictures → `float32 (N, features)`; calls the second with 1 after each."""
Bar = Callable[[str, int], AbstractContextManager[Progress]]
"""Name and length of a stage → what shows its progress."""


def hide_bar(name: str, length: int) -> AbstractContextManager[Progress]:
    """Show no progress."""
    return nullcontext(lambda done: None)


@dataclass(frozen=True)
class Limits:
    """From where on something is a finding.

    Attributes:
        smallest_px: a picture whose shorter side is below is tiny.
        near_bits: pictures whose hashes differ in at most so many of 255 bits show the same drawing. In
            12,031 drawn faces and 4,638 pieces of game art nearly all pairs up to 56 bits do (the
            differences are a face's expression, the crop, the file's quality), and few above 62.
        fewest: a character with fewer pictures to train on is named.
        neighbours: see `compare_with_labels`.
        least_gap: a picture nearer to another label by more than this (cosine) is a suspect.
    """

    smallest_px: int = 48
    near_bits: int = 56
    fewest: int = 5
    neighbours: int = 10
    least_gap: float = 0.05


@dataclass(frozen=True)
class Suspect:
    """A picture that looks like another character than its label says.

    Attributes:
        picture: the suspect.
        looks_like: the other label.
        score: see `Neighbourhood.score`.
        own: mean cosine to the nearest pictures of its own label.
        other: the same to those of the other label.
        own_nearest: the nearest picture of its own label.
        other_nearest: the nearest of the other label.
    """

    picture: Picture
    looks_like: str
    score: float
    own: float
    other: float
    own_nearest: Picture
    other_nearest: Picture

    def to_json(self) -> dict[str, Any]:
        numbers = {name: round(getattr(self, name), 4) for name in ("score", "own", "other")}
        return {
            "path": self.picture.name,
            "label": self.picture.face.label,
            "looks_like": self.looks_like,
            **numbers,
            "own_nearest": self.own_nearest.name,
            "other_nearest": self.other_nearest.name,
        }


@dataclass(frozen=True)
class Inspection:
    """What was found in a dataset folder; every list is empty if nothing was.

    Attributes:
        root: the folder.
        faces: what it names.
        limits: from where on something is a finding.
        unreadable: files that are missing or no pictures.
        tiny: pictures with a shorter side below the limit.
        plain: pictures with next to nothing in them; they are compared by file content only.
        copies: pictures that show the same drawing, the same file included.
        similar_labels: labels that only case, character width or outer spaces tell apart.
        divided_groups: group of the index → the splits that it lies in.
        few: label → pictures to train on (of the split `train`, if there is one).
        suspects: by falling score; None if nobody looked.
    """

    root: Path
    faces: tuple[Face, ...]
    limits: Limits
    unreadable: list[Unreadable] = field(default_factory=list)
    tiny: list[Picture] = field(default_factory=list)
    plain: list[Picture] = field(default_factory=list)
    copies: list[Copies] = field(default_factory=list)
    similar_labels: list[list[str]] = field(default_factory=list)
    divided_groups: dict[str, list[str]] = field(default_factory=dict)
    few: dict[str, int] = field(default_factory=dict)
    suspects: list[Suspect] | None = None

    @property
    def exact(self) -> list[Copies]:
        """Copies in which a file stands twice."""
        return [copies for copies in self.copies if copies.files < len(copies.pictures)]

    @property
    def near(self) -> list[Copies]:
        """Copies that are different files."""
        return [copies for copies in self.copies if copies.files > 1]

    @property
    def leaks(self) -> list[Copies]:
        """Copies that lie in several splits."""
        return [copies for copies in self.copies if len(copies.splits) > 1]

    @property
    def conflicts(self) -> list[Copies]:
        """Copies that have several labels."""
        return [copies for copies in self.copies if len(copies.labels) > 1]

    def count(self) -> dict[str, int]:
        """Return how many findings of each kind there are; `suspects` only if somebody looked."""
        counts = {
            "leaks": len(self.leaks),
            "divided_groups": len(self.divided_groups),
            "conflicting_labels": len(self.conflicts),
            "similar_labels": len(self.similar_labels),
            "unreadable": len(self.unreadable),
            "plain": len(self.plain),
            "tiny": len(self.tiny),
            "exact_duplicates": len(self.exact),
            "near_duplicates": len(self.near),
            "few_pictures": len(self.few),
        }
        return counts if self.suspects is None else {**counts, "suspects": len(self.suspects)}

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.root),
            "pictures": len(self.faces),
            "labels": len({face.label for face in self.faces}),
            "splits": dict(sorted(Counter(face.split for face in self.faces).items())),
            "limits": asdict(self.limits),
            "counts": self.count(),
            "leaks": [copies.to_json() for copies in self.leaks],
            "divided_groups": self.divided_groups,
            "conflicting_labels": [copies.to_json() for copies in self.conflicts],
            "similar_labels": self.similar_labels,
            "unreadable": [asdict(one) for one in self.unreadable],
            "plain": [picture.name for picture in self.plain],
            "tiny": [{"path": p.name, "width": p.width, "height": p.height} for p in self.tiny],
            "exact_duplicates": [copies.to_json() for copies in self.exact],
            "near_duplicates": [copies.to_json() for copies in self.near],
            "few_pictures": self.few,
            "suspects": None if self.suspects is None else [one.to_json() for one in self.suspects],
        }


def inspect_dataset(
    root: Path,
    limits: Limits | None = None,
    extract: Extract | None = None,
    *,
    faces: tuple[Face, ...] | None = None,
    bar: Bar = hide_bar,
) -> Inspection:
    """Find what is wrong with a dataset folder.

    Args:
        root: a folder as `list_faces` takes it.
        limits: from where on something is a finding.
        extract: the network; None does not look for wrong labels.
        faces: what the folder names, where that is already read.
        bar: shows the progress of each stage.

    Returns:
        The findings.

    Raises:
        BadInputError: no such folder, or an index that cannot be read.
    """
    limits = limits or Limits()
    faces = list_faces(root) if faces is None else faces
    with bar("Reading", len(faces)) as progress:
        pictures, unreadable = read_pictures(root, faces, progress)
    with bar("Comparing", len(pictures)) as progress:
        pairs = find_copies(pictures, limits.near_bits, progress)
    return Inspection(
        root,
        faces,
        limits,
        unreadable,
        tiny=[p for p in pictures if min(p.width, p.height) < limits.smallest_px],
        plain=[p for p in pictures if p.plain],
        copies=sorted(join_copies(pictures, pairs), key=lambda copies: copies.bits),
        similar_labels=find_similar_labels({face.label for face in faces}),
        divided_groups=_find_divided_groups(faces),
        few=_find_few([p.face for p in pictures], {face.label for face in faces}, limits.fewest),
        suspects=None if extract is None else find_suspects(pictures, extract, limits, bar),
    )


def find_similar_labels(labels: set[str]) -> list[list[str]]:
    """Return the labels that only case, character width or outer spaces tell apart, group by group.

    Source:
        Unicode Standard Annex 15 (NFKC) and chapter 3.13 of the Unicode Standard (case folding).
    """
    alike: dict[str, list[str]] = {}
    for label in sorted(labels):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
        alike.setdefault("/".join(part.strip() for part in folded.split("/")), []).append(label)
    return [group for group in alike.values() if len(group) > 1]


def _find_divided_groups(faces: Sequence[Face]) -> dict[str, list[str]]:
    splits: dict[str, set[str]] = {}
    for face in faces:
        splits.setdefault(face.group, set()).add(face.split)
    return {group: sorted(found) for group, found in splits.items() if len(found) > 1}


def _find_few(faces: Sequence[Face], labels: set[str], fewest: int) -> dict[str, int]:
    trained = [face for face in faces if face.split == "train"] or faces
    counts = count_labels(trained)
    few = {label: counts[label] for label in sorted(labels) if counts[label] < fewest}
    return dict(sorted(few.items(), key=lambda item: item[1]))


def find_suspects(
    pictures: Sequence[Picture], extract: Extract, limits: Limits, bar: Bar = hide_bar
) -> list[Suspect]:
    """Rank the pictures that are nearer to another label than to their own.

    Returns:
        Suspects by falling score.
    """
    shown = [picture for picture in pictures if not picture.plain]
    names, labels = np.unique([picture.face.label for picture in shown], return_inverse=True)
    if len(names) < 2:
        return []
    with bar("Looking", len(shown)) as progress:
        features = extract([picture.face.path for picture in shown], progress)
    with bar("Judging", len(shown)) as progress:
        near = compare_with_labels(features, labels, limits.neighbours, progress)
    nearer = np.nan_to_num(near.gap, nan=-np.inf) > limits.least_gap
    ranked = [row for row in np.argsort(-near.score, kind="stable") if nearer[row]]
    return [
        Suspect(
            shown[row],
            str(names[near.label[row]]),
            float(near.score[row]),
            float(near.own[row]),
            float(near.other[row]),
            shown[near.own_nearest[row]],
            shown[near.other_nearest[row]],
        )
        for row in ranked
    ]
