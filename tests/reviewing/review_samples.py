"""Whom the review tests know, and how they look at a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kyara.character import Character
from kyara.reports import Report

Send = Callable[..., Report]
CHARACTERS = (
    Character("aka_ribbon", {"en": "Aka Ribbon", "ja": "赤リボン"}, {"en": "The Drawn Four"}),
    Character("ao_glasses", {"en": "Ao Glasses"}, {}),
    Character("works/rin", {"en": "Rin"}, {}),
    Character("other/rin", {"en": "Rin"}, {}),
)


def list_faces(dataset: Path) -> list[str]:
    """Every picture in the dataset."""
    return sorted(
        path.relative_to(dataset / "faces").as_posix() for path in dataset.glob("faces/**/*.png")
    )
