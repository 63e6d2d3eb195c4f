"""Fixtures: applications with other settings, and a model that knows a crowd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from crowded_model import write_crowded_model

from app import create_app

MakeApp = Callable[..., APIFlask]


@pytest.fixture
def make_app(tiny_model_folder: Path, report_dir: Path) -> Iterator[MakeApp]:
    """Make applications like `app`, in its folders, with other settings: `make_app(RATE_LIMITS="…")`."""
    folder = report_dir.parent
    usual = {
        "TESTING": True,
        "MODEL_FOLDER": str(tiny_model_folder),
        "REPORT_FOLDER": str(report_dir),
        "INSTANCE_FOLDER": str(folder / "instance"),
        "DATASET_FOLDER": str(folder / "dataset"),
        "TAUGHT_DATABASE": str(folder / "taught.db"),
    }
    made: list[APIFlask] = []

    def make(**settings: Any) -> APIFlask:
        made.append(create_app({**usual, **settings}))
        return made[-1]

    yield make
    for each in made:
        each.extensions["kyara_reports"].close()
        each.extensions["kyara_review"].close()


@pytest.fixture(scope="session")
def crowded_models(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose model knows a crowd; do not change it."""
    models = tmp_path_factory.mktemp("crowded") / "model"
    write_crowded_model(tiny_model_folder / "tiny", models)
    return models
