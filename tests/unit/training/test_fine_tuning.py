"""`train` by its default recipe: gone on with after a kill, exported again, a start for another run.

The smaller backbone is trained here; the default one is by every test run, see `conftest.py`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from drawings import LABELS, write_dataset
from trainings import SETTINGS, SMALL, kill_and_resume, measure_test

from classification import Classifier
from kyara.dataset.manifest import read_manifest
from kyara.recognition.bundle import load_bundle
from kyara.vision.images import read_image

pytestmark = pytest.mark.timeout(1500)  # real trainings: minutes on a busy machine


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("drawn") / "data", 12)


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kill_and_resume("finetune", data, tmp_path_factory.mktemp("made"))


def test_fine_tuning_goes_on_and_its_run_is_exported_again(data, made, tmp_path):
    bundle, run = load_bundle(made), made.parent / "run"
    assert bundle.labels == tuple(sorted(LABELS))
    assert list((run / "tensorboard").rglob("events*"))
    arguments = ("train", data, "--run", run, "--models", tmp_path, "--bottlenecks", tmp_path / "b")
    run_kyara(*arguments, "--name", "again", "--export-only", "--head-from", "100")
    again = load_bundle(tmp_path / "again")
    crop = [read_image(data / LABELS[0] / "000.png")]
    first, second = (Classifier(one).backbone.extract(crop) for one in (bundle, again))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert len(again.head_rows) == 0
    refused = run_kyara(*arguments, "--name", "cut", *SETTINGS["finetune"], "--seed", "9", check=False)
    assert refused.returncode == 1
    assert "another plan" in refused.stderr


def test_what_was_trained_is_gone_on_from(data, made, tmp_path):
    run_kyara(
        *("train", data, "--name", "more", "--run", tmp_path / "run", "--models", tmp_path),
        *(*SMALL, "--epochs", "1", "--bottlenecks", tmp_path / "b"),
        *("--start-weights", made, "--frozen-until", "block_2_add"),
    )
    small, more = load_bundle(made), load_bundle(tmp_path / "more")
    assert small.provenance["plan"]["backbone"] == "mobilenet-v2"
    digest = hashlib.sha256(small.backbone.read_bytes()).hexdigest()
    assert more.provenance["start_weights"] == digest
    assert more.backbone.stat().st_size < 4_000_000
    assert 0 <= measure_test(tmp_path / "more", read_manifest(data)) <= 1
