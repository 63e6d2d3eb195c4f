"""A small library, and the folder of its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from export_library import write_library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path)


@pytest.fixture
def pictures(library: Path) -> Path:
    return library.parent / "pictures"
