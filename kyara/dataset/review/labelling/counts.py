"""How many drawings each character has, and which have too few to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kyara.dataset.folder import IndexedFace

FEWEST_DRAWINGS = 5
"""As `dataset check --fewest`."""
FEWEST_SOURCES = 3
"""One for each split: a character with fewer cannot be trained on and tested."""


@dataclass(frozen=True)
class CharacterCount:
    """What the dataset has of one character.

    Attributes:
        label: of the character.
        drawings: labelled faces.
        sources: videos, pictures or reports that they come from.
        training: drawings that may be trained on.
    """

    label: str
    drawings: int
    sources: int
    training: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is too few: of `drawings`, `sources`, `training`."""
        found = {
            "drawings": self.drawings < FEWEST_DRAWINGS,
            "sources": self.sources < FEWEST_SOURCES,
            "training": not self.training,
        }
        return tuple(name for name, few in found.items() if few)


def count_characters(index: Iterable[IndexedFace]) -> list[CharacterCount]:
    """Count the rows of an index, by label, sorted."""
    of_label: dict[str, list[IndexedFace]] = {}
    for row in index:
        of_label.setdefault(row.label, []).append(row)
    return [
        CharacterCount(
            label,
            len(rows),
            len({row.group for row in rows}),
            sum(row.split == "train" for row in rows),
        )
        for label, rows in sorted(of_label.items())
    ]
