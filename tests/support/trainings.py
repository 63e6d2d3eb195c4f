"""Trainings by the real command: killed after the first epoch, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from command_line import ROOT, run_kyara
from waiting import hold_process

from classification import Classifier
from kyara.dataset.manifest import Manifest
from kyara.recognition.embeddings import cut_face
from kyara.training.crops import FindFaces, read_told
from kyara.vision.images import read_image

SMALL = ("--backbone", "mobilenet-v2", "--input-px", "32", "--dimension", "32", "--batch", "16")
SETTINGS = {
    # the moving average must survive the kill, too
    "finetune": (
        *(*SMALL, "--epochs", "2", "--norm-momentum", "0.7"),
        *("--average", "0.5", "--head-from", "5"),
    ),
    "cnn": ("--epochs", "6", "--batch", "16", "--peak-rate", "1e-3"),
    "head": ("--epochs", "8", "--batch", "16", "--peak-rate", "0.02"),
    "multilabel": ("--epochs", "12", "--batch", "16", "--peak-rate", "0.02"),
}


def _read_history(run: Path) -> list:
    path = run / "history.json"
    return json.loads(path.read_text()) if path.exists() else []


def kill_and_resume(recipe: str, data: Path, folder: Path, *more: str | Path) -> Path:
    """Kill a run when its first epoch is kept, run the same command again, return the bundle."""
    run = folder / "run"
    arguments = ["train", data, "--recipe", recipe, "--name", recipe, "--run", run, *SETTINGS[recipe]]
    arguments += ["--models", folder, "--bottlenecks", folder / "bottlenecks", *more]
    with hold_process(
        [sys.executable, "-m", "kyara", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 1000
        while not _read_history(run) and time.monotonic() < deadline:
            assert process.poll() is None, "training ended before its first epoch was kept"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    first = _read_history(run)
    run_kyara(*arguments)
    history = _read_history(run)
    assert history[: len(first)] == first
    assert len(history) == int(SETTINGS[recipe][SETTINGS[recipe].index("--epochs") + 1])
    return folder / recipe


def measure_test(bundle: Path, manifest: Manifest, find: FindFaces = read_told) -> float:
    """Return the share of a dataset's test faces whose first answer is right."""
    faces, classifier = manifest.of_split("test"), Classifier(bundle)
    crops = (
        cut_face(read_image(face.path), box, classifier.bundle.preprocessing)
        for face, box in zip(faces, find(faces), strict=True)
    )
    answers = classifier.identify(crops)
    return float(
        np.mean([face.label == said.answers[0].label for face, said in zip(faces, answers, strict=True)])
    )
