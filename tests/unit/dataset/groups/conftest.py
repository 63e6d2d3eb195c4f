"""A library of drawn faces in groups, and a model that can be taught."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from grouped_library import write_unknown
from sqlalchemy import Engine

from kyara.dataset.library.groups.deciding import GroupJournal
from kyara.dataset.library.groups.making import make_groups
from kyara.dataset.library.opening import open_library
from kyara.recognition.classifier import Classifier

LEAST = 0.8
"""Average cosine of the drawn characters' faces, as the tiny model sees them."""


@pytest.fixture
def classifier(tiny_bundle: Path, tmp_path: Path) -> Classifier:
    return Classifier(tiny_bundle, taught=tmp_path / "taught.db")


@pytest.fixture
def place(classifier: Classifier, tmp_path: Path) -> str:
    """Five faces of one drawn character, four of another, three of a third; no groups yet."""
    return write_unknown(tmp_path, classifier)


@pytest.fixture
def engine(place: str) -> Iterator[Engine]:
    with open_library(place) as engine:
        yield engine


@pytest.fixture
def grouped(engine: Engine, classifier: Classifier) -> Engine:
    """The library with its three groups: 1 has five faces, 2 has four, 3 has three."""
    made = make_groups(engine, classifier.backbone.fingerprint, LEAST)
    assert (made.faces, made.grouped, made.groups, made.alone) == (12, 12, 3, 0)
    return engine


@pytest.fixture
def journal(grouped: Engine, classifier: Classifier) -> GroupJournal:
    return GroupJournal(grouped, classifier, "rin")
