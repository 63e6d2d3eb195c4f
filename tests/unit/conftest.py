"""What tests of several modules begin with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bundle_damage import make_mixed_bundle
from export_library import write_library
from videos import EXAMPLE

from kyara.recognition.bundle import Bundle, load_bundle
from kyara.vision.images import read_image


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    return read_image(EXAMPLE)


@pytest.fixture(scope="module")
def bundle(tiny_model_folder: Path) -> Bundle:
    return load_bundle(tiny_model_folder / "tiny")


@pytest.fixture
def mixed(tiny_bundle: Path, tmp_path: Path) -> Path:
    return make_mixed_bundle(tiny_bundle, tmp_path / "model" / "mixed")


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    return tmp_path / "taught.db"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library."""
    return write_library(tmp_path)


@pytest.fixture
def pictures(library: Path) -> Path:
    """The folder of its pictures."""
    return library.parent / "pictures"
