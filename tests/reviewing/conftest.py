"""A desk on a report store and a dataset of the test's own; no model is needed to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from review_samples import CHARACTERS, Send

from kyara.reports import Report, ReportStore
from kyara.reviewing import KnownNames, ReviewDesk


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReportStore]:
    store = ReportStore(tmp_path / "user_report")
    yield store
    store.close()


@pytest.fixture
def open_desk(store: ReportStore, dataset: Path) -> Callable[[], ReviewDesk]:
    return lambda: ReviewDesk(store, dataset, lambda: KnownNames.of(CHARACTERS))


@pytest.fixture
def desk(open_desk: Callable[[], ReviewDesk]) -> ReviewDesk:
    return open_desk()


@pytest.fixture
def send(store: ReportStore) -> Send:
    """Send a report: `send("Aka Ribbon", seed=3, sender="…")`; the seed is the picture."""

    def send(label: str, seed: int = 1, sender: str | None = None) -> Report:
        crop = np.random.default_rng(seed).integers(0, 256, (30, 31, 3), dtype=np.uint8)
        return store.add(crop, label, sender=sender)[0]

    return send
