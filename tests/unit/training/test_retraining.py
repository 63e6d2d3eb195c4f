"""Retraining: versions never change, nobody is forgotten, a kill costs little, the page shows it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, run_kyara
from drawings import LABELS, write_dataset
from waiting import hold_process, wait_until

from kyara.dataset.versions import make_version, read_version
from kyara.errors import BadInputError
from kyara.recognition.bundle import load_bundle
from kyara.recognition.characters import Names
from kyara.registry import promote_bundle
from kyara.storage.jobs import list_jobs, read_status
from kyara.training.plan import LayerPlan
from kyara.training.retrain.continuing import continue_head

pytestmark = pytest.mark.timeout(1500)  # many commands, each of which starts anew


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "dataset" / "faces", 6, seed=21)
    (tmp_path / "dataset" / "faces" / LABELS[0]).rename(tmp_path / "dataset" / "faces" / "someone_new")
    return tmp_path / "dataset"


@pytest.fixture
def models(tiny_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_bundle, tmp_path / "models" / "tiny")
    promote_bundle("tiny", tmp_path / "models")
    return tmp_path / "models"


def test_the_same_content_has_the_same_version_and_another_one_another(dataset, tmp_path):
    first = make_version(dataset)
    shutil.copytree(dataset, tmp_path / "copy")
    assert make_version(tmp_path / "copy").id == first.id
    again = read_version(dataset, first.id)
    assert again.manifest.digest() == first.manifest.digest()
    held_out = {face.path for face in first.manifest.faces if face.split != "train"}
    assert len(held_out) >= 4
    write_dataset(tmp_path / "more", 9, seed=22)
    for path in (tmp_path / "more" / LABELS[1]).iterdir():
        shutil.copyfile(path, dataset / "faces" / LABELS[1] / f"more-{path.name}")
    second = make_version(dataset)
    assert second.id != first.id
    assert held_out <= {face.path for face in second.manifest.faces if face.split != "train"}
    (dataset / "faces" / LABELS[1] / "000.png").write_bytes(b"another")
    with pytest.raises(BadInputError, match="no longer what the dataset version"):
        read_version(dataset, first.id)


def test_a_dataset_without_held_out_drawings_is_told_what_to_do(tmp_path):
    with pytest.raises(BadInputError, match="no labelled faces yet"):
        make_version(tmp_path)
    write_dataset(tmp_path / "faces", 2)
    with pytest.raises(BadInputError, match="held out"):
        make_version(tmp_path)


def test_a_killed_retraining_goes_on_and_forgets_nobody(dataset, models, tmp_path):
    runs = tmp_path / "runs"
    places = ("--runs", runs, "--models", models, "--bottlenecks", tmp_path / "cache")
    command = ["retrain", "--dataset", dataset, *places, "--name", "next", "--epochs", "3000"]
    with hold_process(
        [sys.executable, "-m", "kyara", *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:

        def reported() -> bool:
            status = read_status(runs, "next")
            return status is not None and status.epoch > 0 and status.loss is not None

        wait_until(reported, timeout_s=120)
        busy = run_kyara("retrain", "--dataset", dataset, *places, "--name", "other", check=False)
        assert "running already" in busy.stderr
        process.send_signal(signal.SIGKILL)
    status = read_status(runs, "next")
    assert status is not None and status.interrupted and status.stage == "training"
    assert status.seconds_left is None or status.seconds_left >= 0
    before = len(json.loads((runs / "next" / "run" / "history.json").read_text()))
    assert before >= status.epoch
    # enough: the plan of the rest is cut short, as nobody waits for 3,000 epochs here
    for name in ("order.json", "run/plan.json"):
        path = runs / "next" / name
        stored = json.loads(path.read_text())
        stored["plan"]["epochs"] = before + 2
        path.write_text(json.dumps(stored))
    done = run_kyara("retrain", "--resume", "--name", "next", *places)
    assert "Candidate next" in done.stdout
    after = len(json.loads((runs / "next" / "run" / "history.json").read_text()))
    assert after == before + 2
    serving, candidate = load_bundle(models / "tiny"), load_bundle(models / "next")
    assert set(candidate.labels) == {*serving.labels, "someone_new"}
    assert candidate.labels[: len(serving.labels)] == serving.labels
    assert np.array_equal(
        candidate.gallery_features[: len(serving.gallery_rows)], serving.gallery_features
    )
    assert candidate.provenance["dataset_version"] == status.dataset_version
    comparison = json.loads((models / "next" / "comparison.json").read_text())
    assert [one["label"] for one in comparison["new"]] == ["someone_new"]
    assert comparison["forgotten"] == []
    assert "next" in [job.job for job in list_jobs(runs) if job.stage == "done"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # TensorFlow's
def test_whoever_has_no_drawing_in_a_later_version_is_not_forgotten(dataset, models, tmp_path):
    bundle = load_bundle(models / "tiny")
    for turn in range(2):
        folder = tmp_path / f"next-{turn}"
        bundle = continue_head(
            bundle,
            make_version(dataset).manifest,
            Names({}),
            LayerPlan(epochs=1),
            tmp_path / f"run-{turn}",
            folder,
            head_from=20,
            cache=tmp_path / "cache",
            provenance={},
        )
        row = load_bundle(folder).labels.index("someone_new")
        assert (bundle.gallery_rows == row).sum() > 0
        shutil.rmtree(dataset / "faces" / "someone_new", ignore_errors=True)


def test_a_recipe_that_forgets_is_refused_by_the_gate(dataset, models, tmp_path):
    places = ("--runs", tmp_path / "runs", "--models", models, "--bottlenecks", tmp_path / "cache")
    options = ("--recipe", "cnn", "--epochs", "1", "--batch", "8", "--name", "small")
    done = run_kyara("retrain", "--dataset", dataset, *places, *options)
    assert f"1 characters are no longer known: {LABELS[0]}" in done.stdout
    refused = run_kyara("promote", "small", "--models", models, check=False)
    assert refused.returncode == 1
    assert "no longer known" in refused.stderr
    provenance = load_bundle(models / "small").provenance
    assert provenance["dataset_version"]
    assert provenance["recipe"] == "cnn"
