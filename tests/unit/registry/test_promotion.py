"""Promotion and rollback: the gate is asked, the registry is whole, running sites take it up."""

from __future__ import annotations

import http.client
import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asker import Asker
from command_line import ROOT, run_kyara
from drawings import LABELS
from two_models import FIRST, SECOND, copy_model, write_two_models
from waiting import wait_until

from kyara.errors import BundleError
from kyara.recognition.bundle import load_bundle, save_bundle
from kyara.registry import find_serving, open_models, promote_bundle, read_registry, roll_back
from kyara.registry.candidates import describe_registry
from kyara.registry.gate import GateError
from kyara.registry.history import Registry
from kyara.registry.promotion import judge_stored, promote_candidate
from kyara.storage.atomic import replace_file
from scripts.local_site import Server


@pytest.fixture
def models(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A model folder in which `good` serves."""
    folder = tmp_path / "models"
    copy_model(tiny_bundle, folder, "good")
    promote_bundle("good", folder)
    return folder


def write_swapped(models: Path, name: str = "swapped") -> Path:
    """Write a candidate that takes the first character for the second, and the other way round."""
    bundle = load_bundle(models / "good")
    first, second, *others = bundle.characters
    save_bundle(replace(bundle, characters=(second, first, *others)), models / name)
    return models / name


def history_of(models: Path) -> list[dict[str, Any]]:
    return json.loads((models / "registry.json").read_text())["history"]


def test_a_candidate_that_was_never_measured_is_refused_and_told_what_to_do(models):
    write_swapped(models)
    done = run_kyara("promote", "swapped", "--models", models, check=False)
    assert done.returncode == 1
    assert "give --data DATA" in done.stderr
    assert find_serving(models).name == "good"


def test_a_worse_candidate_is_refused_by_name_unless_it_is_forced(models, tiny_data, tmp_path):
    write_swapped(models)
    measured = ("--data", tiny_data, "--out", tmp_path / "out", "--bottlenecks", tmp_path / "cache")
    done = run_kyara("promote", "swapped", "--models", models, *measured, check=False)
    assert done.returncode == 1
    for label in LABELS[:2]:
        assert f"Recall of {label} falls" in done.stderr
    assert LABELS[2] not in done.stderr
    assert find_serving(models).name == "good"
    comparison = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert comparison["falls"]
    lost = sum(one["lost"] for one in comparison["characters"])
    assert lost == comparison["changed_counts"]["wrong"] > 0
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "data:image/jpeg" in page
    assert "<script" not in page
    reason = ("--force", "--reason", "the labels were mixed up before")
    run_kyara("promote", "swapped", "--models", models, *measured, *reason)
    assert find_serving(models).name == "swapped"
    assert history_of(models)[-1]["forced"] == "the labels were mixed up before"
    assert history_of(models)[-1]["falls"] == comparison["falls"]


def test_an_equal_candidate_passes_by_its_stored_metrics(models, tiny_bundle):
    copy_model(tiny_bundle, models, "same")
    done = run_kyara("promote", "same", "--models", models)
    assert "serves." in done.stdout
    assert "forced" not in history_of(models)[-1]


def test_rollback_restores_what_served_in_less_than_ten_seconds(models, tiny_bundle):
    copy_model(tiny_bundle, models, "same")
    promote_candidate("same", open_models(models), judge_stored)
    started = time.perf_counter()
    done = run_kyara("rollback", "--models", models)
    assert time.perf_counter() - started < 10
    assert "good" in done.stdout
    assert find_serving(models).name == "good"
    assert [step.get("action") for step in history_of(models)] == ["promote", "promote", "rollback"]
    with pytest.raises(BundleError, match="nothing to roll back to"):
        roll_back(models)
    promote_candidate("same", open_models(models), judge_stored)
    assert roll_back(models).name == "good"


def test_rollback_never_restores_what_serves_already(models, tiny_bundle):
    copy_model(tiny_bundle, models, "other")
    for name in ("good", "other", "other"):
        promote_bundle(name, models)
    assert describe_registry(open_models(models))["before"] == "good"
    assert roll_back(models).name == "good"
    assert describe_registry(open_models(models))["before"] == ""
    with pytest.raises(BundleError, match="nothing to roll back to"):
        roll_back(models)


def test_an_older_rollback_to_what_served_already_is_read_as_none():
    steps = [("promote", "a"), ("promote", "b"), ("promote", "b"), ("rollback", "b")]
    history = tuple({"action": action, "name": name, "version": name} for action, name in steps)
    assert [step["name"] for step in Registry("b", history).list_standing()] == ["a", "b"]
    history += ({"action": "rollback", "name": "a", "version": "a"},)
    assert [step["name"] for step in Registry("a", history).list_standing()] == ["a"]


def test_a_rollback_to_a_bundle_that_is_damaged_or_replaced_changes_nothing(models, tiny_bundle):
    copy_model(tiny_bundle, models, "same")
    promote_candidate("same", open_models(models), judge_stored)
    write_swapped(models, "other")
    save_bundle(load_bundle(models / "other"), models / "good")
    with pytest.raises(BundleError, match="replaced since it served"):
        roll_back(models)
    (models / "good" / "head.npz").write_bytes(b"")
    with pytest.raises(BundleError, match="damaged"):
        roll_back(models)
    assert find_serving(models).name == "same"


def test_what_serves_cannot_slip_past_the_gate_by_being_replaced(models):
    write_swapped(models, "good")
    with pytest.raises(GateError, match="replaced while it served"):
        promote_candidate("good", open_models(models), judge_stored)


def test_a_promotion_in_between_is_noticed(models, tiny_bundle):
    for name in ("one", "two"):
        copy_model(tiny_bundle, models, name)

    def judge(serving, candidate):
        promote_bundle("two", models)
        return []

    with pytest.raises(GateError, match="in between"):
        promote_candidate("one", open_models(models), judge)
    assert find_serving(models).name == "two"


def test_promoters_at_once_lose_no_step_of_the_history(models, tiny_bundle):
    code = (
        "import sys; from pathlib import Path; from kyara.registry import promote_bundle\n"
        "for _ in range(3): promote_bundle(sys.argv[2], Path(sys.argv[1]))"
    )
    names = ("one", "two")
    for name in names:
        copy_model(tiny_bundle, models, name)
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(models), name], cwd=ROOT) for name in names
    ]
    assert [process.wait() for process in running] == [0, 0]
    steps = [step["name"] for step in history_of(models)[1:]]
    assert sorted(steps) == ["one"] * 3 + ["two"] * 3
    assert read_registry(models).serving == steps[-1]


def test_no_request_is_dropped_and_no_answer_mixes_models_while_they_change(
    tiny_bundle, tiny_data, tmp_path, report_dir
):
    from hostile import as_url

    models = tmp_path / "models"
    first, second = write_two_models(tiny_bundle, models)
    promote_bundle(FIRST, models)
    crop = as_url((tiny_data / LABELS[0] / "000.png").read_bytes())
    with Server(report_dir, model=models) as server:

        def read_version() -> str:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.request("GET", "/healthz")
            model = json.loads(connection.getresponse().read())["model"]
            connection.close()
            return model["version"]

        done = threading.Event()
        askers = [Asker(server.port, {"crops": [crop] * 4, "top_k": 4}, done) for _ in range(3)]
        for asker in askers:
            asker.start()
        took = []
        for _ in range(2):
            promote_bundle(SECOND, models)
            took.append(wait_until(lambda: read_version() == second.version))
            roll_back(models)
            took.append(wait_until(lambda: read_version() == first.version))
        done.set()
        for asker in askers:
            asker.join()
    assert [asker.wrong for asker in askers] == [[], [], []]
    expected = {(FIRST, first.version), (SECOND, second.version)}
    assert set().union(*(asker.versions for asker in askers)) == expected
    assert max(took) < 2, took


def test_a_broken_bundle_is_logged_once_and_the_old_one_goes_on(tiny_bundle, tmp_path, make_app, caplog):
    models = tmp_path / "models"
    write_two_models(tiny_bundle, models)
    promote_bundle(FIRST, models)
    app = make_app(MODEL_FOLDER=str(models))
    queue = app.extensions["kyara_model"]
    old = queue.classifier
    old.teach("taught_one", [np.full((96, 96, 3), 90, np.uint8)])
    (models / SECOND / "head.npz").write_bytes(b"")
    caplog.clear()
    with caplog.at_level(logging.ERROR, logger="kyara"):
        registry = {"serving": SECOND, "history": []}
        replace_file(models / "registry.json", json.dumps(registry))
        wait_until(lambda: caplog.records)
        wait_until(lambda: queue.classifier is old)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "damaged" in caplog.records[0].message
    # whole again: it is taken up, with what was taught
    write_two_models(tiny_bundle, models)
    promote_bundle(SECOND, models)
    wait_until(lambda: queue.classifier is not old)
    assert queue.classifier.bundle.name == SECOND
    assert "taught_one" in queue.classifier.labels
    health = app.test_client().get("/healthz").json
    assert health and health["model"]["name"] == SECOND


def test_a_site_without_a_model_takes_up_the_first_promotion(tiny_bundle, tmp_path, make_app):
    models = tmp_path / "models"
    write_two_models(tiny_bundle, models)
    app = make_app(MODEL_FOLDER=str(models))
    assert app.test_client().get("/healthz").status_code == 503
    promote_bundle(FIRST, models)
    wait_until(lambda: app.test_client().get("/healthz").status_code == 200)
