"""What the report tests draw, and how they look at a report folder without our own code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.review.reports import ReportStore

TOKEN = "token-of-a-visitor"
OpenStore = Callable[..., ReportStore]
Ask = Callable[[str], list[tuple]]


def draw_crop(seed: int, size_px: int = 24) -> np.ndarray:
    """A crop that no other seed gives."""
    return np.random.default_rng(seed).integers(0, 256, (size_px, size_px + 1, 3), dtype=np.uint8)


def list_files(folder: Path) -> list[str]:
    """Everything in the folder but the database and the lock."""
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.startswith(("reports.db", ".lock")))


def query(folder: Path, sql: str, *values: Any) -> list[tuple]:
    """Ask or change the database file itself."""
    connection = sqlite3.connect(folder / "reports.db")
    try:
        with connection:
            return connection.execute(sql, values).fetchall()
    finally:
        connection.close()
