"""Report stores on a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_samples import OpenStore

from kyara.reports import ReportStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "user_report"


@pytest.fixture
def open_store(folder: Path) -> Iterator[OpenStore]:
    opened: list[ReportStore] = []

    def open_one(**options: Any) -> ReportStore:
        opened.append(ReportStore(folder, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> ReportStore:
    return open_store()
