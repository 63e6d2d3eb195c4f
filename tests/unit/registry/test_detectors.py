"""Which face detector serves: the gate, the history, the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kyara.cli import main
from kyara.registry.detectors import promote_detector
from kyara.registry.gate import GateError
from kyara.training.recipes.detector.looks import LOOKS
from kyara.vision.detector_bundle import (
    find_default_detector,
    find_detector_bundle,
    write_detector_bundle,
)

DATA: dict[str, Any] = {"settings": LOOKS, "thresholds": [0.6], "default_level": 0, "provenance": {}}


def make_detector(models: Path, name: str, recall: float | None) -> None:
    write_detector_bundle(models / name, name.encode(), DATA)
    if recall is not None:
        measured = {"val": {"curve": {"0.1": {"recall": recall}}, "average_precision": recall}}
        (models / name / "metrics.json").write_text(json.dumps(measured))


def run(models: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, [*words, "--models", str(models)])
    return done.exit_code, done.output


def test_promoted_and_taken_back_step_by_step(tmp_path):
    make_detector(tmp_path, "detector-a", 0.8)
    make_detector(tmp_path, "detector-b", 0.9)
    for name in ("detector-a", "detector-b"):
        assert run(tmp_path, "promote", name)[0] == 0
        assert find_detector_bundle(tmp_path).name == name
        assert find_default_detector(tmp_path) == "network"
    assert run(tmp_path, "rollback", "--detector")[0] == 0
    assert find_detector_bundle(tmp_path).name == "detector-a"
    code, told = run(tmp_path, "rollback", "--detector")
    assert (code, told) == (0, "The cascade alone finds the faces again.\n")
    assert find_default_detector(tmp_path) == "cascade"
    code, told = run(tmp_path, "rollback", "--detector")
    assert code == 1
    assert "nothing to take back" in told


def test_a_worse_one_needs_a_reason(tmp_path):
    make_detector(tmp_path, "detector-a", 0.9)
    make_detector(tmp_path, "detector-b", 0.8)
    assert run(tmp_path, "promote", "detector-a")[0] == 0
    code, told = run(tmp_path, "promote", "detector-b")
    assert code == 1
    assert "falls from 0.900 to 0.800" in told
    assert run(tmp_path, "promote", "detector-b", "--force", "--reason", "smaller")[0] == 0
    history = json.loads((tmp_path / "detector.json").read_text())["history"]
    assert [(step["name"], step["reason"]) for step in history] == [
        ("detector-a", ""),
        ("detector-b", "smaller"),
    ]


def test_one_that_nobody_measured_is_refused(tmp_path):
    make_detector(tmp_path, "detector-a", None)
    with pytest.raises(GateError, match=r"has no figures of val"):
        promote_detector("detector-a", tmp_path)
