"""Fixtures: a tiny model that the real code trains, and a fresh app and report store for every test."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask
from command_line import ROOT, run_kyara
from drawings import write_dataset
from flask.testing import FlaskClient
from operators import OperatorClient, log_in, make_operator

from classification import Classifier
from kyara.recognition.bundle import BACKBONE_FILE

pytest_plugins = [
    "app_fixtures",  # other settings, another model
    "service_fixtures",  # PostgreSQL, Redis and S3
    "shared_models",  # machines that share them
]
# What the tiny model is made by: when one of these changes it is trained again.
_LEARNING_SOURCES = (
    "dataset/index.py",
    "dataset/manifest.py",
    "recognition/answers.py",
    "recognition/backbone.py",
    "recognition/bundle*.py",
    "recognition/gallery.py",
    "training/augment.py",
    "training/backbones.py",
    "training/batches.py",
    "training/calibrate.py",
    "training/checkpoints.py",
    "training/convert.py",
    "training/export.py",
    "training/losses.py",
    "training/networks.py",
    "training/plan.py",
    "training/recipes/finetune.py",
    "training/start_weights.py",
    "training/trained.py",
    "vision/images.py",
)
START = ROOT / "model" / "people-8491"
TINY_NAMES = {
    "aka_ribbon": {
        "name": {"en": "Aka Ribbon", "zh": "红丝带", "ja": "赤リボン"},
        "work": {"en": "The Drawn Four", "zh": "四个画中人", "ja": "描かれた四人"},
    },
    "ao_glasses": {
        "name": {"en": "Ao Glasses", "zh": "蓝眼镜", "ja": "青めがね"},
        "work": {"en": "The Drawn Four", "zh": "四个画中人", "ja": "描かれた四人"},
    },
}


def pytest_configure() -> None:
    """Hear Ctrl-C, as will what tests start: a shell has its background jobs ignore it, and theirs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that may take longest first, so that no process is left alone with one at the end."""
    limits: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        limits[item.path] = max(limits.get(item.path, 0.0), marker.args[0] if marker else 0.0)
    items.sort(key=lambda item: -limits[item.path])


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest) -> Path:
    """A folder with `data/` (drawn faces) and `model/` (a bundle trained on them that serves).

    It goes on from the shipped network: from random weights some machines' training takes one drawn
    character for another. Training takes a minute or two, so the result is kept in pytest's cache under
    a hash of what made it.
    """
    sources = [path for name in _LEARNING_SOURCES for path in sorted((ROOT / "kyara").glob(name))]
    sources += [Path(__file__), ROOT / "tests" / "support" / "drawings.py", START / BACKBONE_FILE]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    assert request.config.cache is not None
    cache = request.config.cache.mkdir("kyara_tiny")
    folder = cache / key
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of this test run may be training it
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                made = Path(scratch) / key
                _train_tiny(made)
                made.rename(folder)
    return folder


def _train_tiny(folder: Path) -> None:
    data = write_dataset(folder / "data", 40)
    names = folder / "names.json"
    names.write_text(json.dumps(TINY_NAMES), encoding="utf-8")
    models = folder / "model"
    run_kyara(
        *(
            "train",
            data,
            "--name",
            "tiny",
            "--models",
            models,
            "--run",
            folder / "run",
            "--names",
            names,
            "--bottlenecks",
            folder / "bottlenecks",
        ),
        *("--start-weights", START, "--dimension", "256", "--input-px", "75"),
        *("--epochs", "2", "--batch", "16", "--learning-rate", "1e-3"),
        *("--bn-momentum", "0.7", "--ema-momentum", "0"),
    )
    shutil.rmtree(folder / "run")  # a checkpoint has some hundred MiB
    run_kyara("evaluate", models / "tiny", data, "--save", "--out", folder / "evaluation")
    run_kyara("promote", "tiny", "--models", models)


@pytest.fixture(scope="session")
def tiny_model_folder(tiny: Path) -> Path:
    """The model folder with the tiny bundle."""
    return tiny / "model"


@pytest.fixture(scope="session")
def tiny_data(tiny: Path) -> Path:
    """The drawn faces that the tiny bundle was trained on."""
    return tiny / "data"


@pytest.fixture
def tiny_bundle(tiny_model_folder: Path) -> Path:
    """The tiny bundle's folder; do not change it."""
    return tiny_model_folder / "tiny"


@pytest.fixture(scope="session")
def tiny_classifier(tiny_model_folder: Path) -> Classifier:
    """The tiny bundle, loaded."""
    return Classifier(tiny_model_folder / "tiny")


@pytest.fixture
def report_dir(tmp_path: Path) -> Path:
    """A fresh folder for reports."""
    return tmp_path / "user_report"


@pytest.fixture
def app(make_app: Callable[..., APIFlask]) -> APIFlask:
    """A fresh application with the tiny model."""
    return make_app()


@pytest.fixture
def client(app) -> FlaskClient:
    """A client of the fresh application."""
    return app.test_client()


@pytest.fixture
def operator(app: APIFlask) -> OperatorClient:
    """A client that is logged in as the operator `rin`."""
    make_operator(app, "rin")
    return log_in(app, "rin")
