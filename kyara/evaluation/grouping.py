"""How well faces that nobody knows are put into groups, on faces whose characters are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score, completeness_score, homogeneity_score
from sklearn.metrics.cluster import contingency_matrix

NAMED_SHARE = 0.9
"""Of the faces, to be named by typing one name for each group."""


@dataclass(frozen=True)
class GroupingMeasures:
    """Measures of groups; 0 to 1 but for the counts, 1 is best.

    Attributes:
        faces: how many there are.
        characters: how many there are.
        groups: how many there are, those of one face included.
        largest: groups of two and more faces.
        purity: share of the faces that are of the most frequent character of their group.
        inverse_purity: share of the faces that are in the largest group of their character.
        precision: B-cubed: of a face's group, the share that is of its character; mean over faces.
        recall: B-cubed: of a face's character, the share that is in its group; mean over faces.
        f1: harmonic mean of the two.
        homogeneity: see scikit-learn.
        completeness: see scikit-learn.
        adjusted_rand: pairs that are together in both, corrected for chance.
        groups_per_character: that a character with several faces falls into, mean.
        names: typed, one for each group, the largest first, until `NAMED_SHARE` of the faces have one.
        named_right: share of these faces whose name is right, each group named after the most frequent.

    Source: Amigó et al. 2009, A comparison of extrinsic clustering evaluation metrics (B-cubed, purity).
    """

    faces: int
    characters: int
    groups: int
    largest: int
    purity: float
    inverse_purity: float
    precision: float
    recall: float
    f1: float
    homogeneity: float
    completeness: float
    adjusted_rand: float
    groups_per_character: float
    names: int
    named_right: float

    def to_json(self) -> dict[str, Any]:
        """Return the measures, rounded."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def measure_groups(groups: np.ndarray, characters: Sequence[str]) -> GroupingMeasures:
    """Compare groups with the characters of their faces.

    Args:
        groups: `int (N,)`, the group of each face; a face alone has a group of its own.
        characters: the label of each face.
    """
    table: Any = contingency_matrix(characters, groups).astype(np.int64)
    faces = int(table.sum())
    of_character, of_group = table.sum(axis=1), table.sum(axis=0)
    precision = float((table**2 / of_group[None]).sum() / faces)
    recall = float((table**2 / of_character[:, None]).sum() / faces)
    several = of_character > 1
    spread = (table[several] > 0).sum(axis=1)
    names, right = _count_names(table)
    return GroupingMeasures(
        faces=faces,
        characters=len(of_character),
        groups=len(of_group),
        largest=int((of_group > 1).sum()),
        purity=float(table.max(axis=0).sum() / faces),
        inverse_purity=float(table.max(axis=1).sum() / faces),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall),
        homogeneity=float(homogeneity_score(characters, groups)),
        completeness=float(completeness_score(characters, groups)),
        adjusted_rand=float(adjusted_rand_score(characters, groups)),
        groups_per_character=float(spread.mean()) if len(spread) else 1.0,
        names=names,
        named_right=right,
    )


def _count_names(table: np.ndarray) -> tuple[int, float]:
    """Return how many names are typed, and the share of the faces they name that is named right."""
    sizes = table.sum(axis=0)
    order = np.argsort(-sizes, kind="stable")
    named = np.cumsum(sizes[order])
    names = int(np.searchsorted(named, NAMED_SHARE * table.sum()) + 1)
    right = table.max(axis=0)[order[:names]].sum() / named[names - 1]
    return names, float(right)
