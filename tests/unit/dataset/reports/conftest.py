"""Report stores on a folder of the test's own, with their database in it and in PostgreSQL, in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_samples import Ask, OpenStore
from sqlalchemy import create_engine

from kyara.dataset.review.reports import ReportStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "user_report"


@pytest.fixture(params=["file", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """The URL of the database; None for a file in the folder."""
    return None if request.param == "file" else request.getfixturevalue("postgres_url")


@pytest.fixture
def open_store(folder: Path, database: str | None) -> Iterator[OpenStore]:
    opened: list[ReportStore] = []

    def open_one(**options: Any) -> ReportStore:
        opened.append(ReportStore(folder, database, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def ask(folder: Path, database: str | None) -> Iterator[Ask]:
    """Asks or changes the database itself, without our own code."""
    engine = create_engine(database or f"sqlite:///{folder / 'reports.db'}")

    def ask_one(sql: str) -> list[tuple]:
        with engine.begin() as connection:
            answer = connection.exec_driver_sql(sql)
            return [tuple(row) for row in answer] if answer.returns_rows else []

    yield ask_one
    engine.dispose()


@pytest.fixture
def store(open_store: OpenStore) -> ReportStore:
    return open_store()
