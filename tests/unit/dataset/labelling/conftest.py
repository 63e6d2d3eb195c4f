"""A journal on a dataset folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kyara.dataset.review.labelling import LabelJournal


@pytest.fixture
def open_journal(dataset: Path) -> Iterator[Callable[[], LabelJournal]]:
    """Open journals that are closed at the end."""
    opened: list[LabelJournal] = []

    def open_one() -> LabelJournal:
        opened.append(LabelJournal(dataset))
        return opened[-1]

    yield open_one
    for journal in opened:
        journal.close()
