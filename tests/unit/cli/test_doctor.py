"""`python -m kyara doctor`: a sound installation, and one trouble after the other."""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import run_kyara
from services import find_free_port

import kyara.recognition.neighbour_index
from app import DEFAULTS
from kyara.cli.checks import CHECKS, examine
from kyara.cli.checks.finding import Finding


@pytest.fixture
def config(tmp_path: Path, tiny_model_folder: Path) -> dict[str, Any]:
    """A sound configuration; its model may be damaged."""
    shutil.copytree(tiny_model_folder, tmp_path / "model")
    folders = {
        "MODEL_FOLDER": tmp_path / "model",
        "REPORT_FOLDER": tmp_path / "user_report",
        "INSTANCE_FOLDER": tmp_path / "instance",
    }
    return {**DEFAULTS, **{name: str(folder) for name, folder in folders.items()}}


def check(name: str, config: dict[str, Any], **changes: Any) -> Finding:
    return CHECKS[name]({**config, **changes})


def test_a_sound_installation_has_no_problem(config, monkeypatch):
    monkeypatch.setenv("PORT", "0")
    findings = examine(config)
    assert list(findings) == list(CHECKS)
    assert {name for name, found in findings.items() if found.state == "problem"} == set()
    for found in findings.values():
        assert found.found.endswith(".")
        assert bool(found.advice) == (found.state != "ok")
    assert "tiny" in findings["model"].found


def test_the_command_prints_words_or_json_and_its_status_tells(config, monkeypatch):
    for name in ("MODEL_FOLDER", "REPORT_FOLDER", "INSTANCE_FOLDER"):
        monkeypatch.setenv(f"KYARA_{name}", config[name])
    monkeypatch.setenv("PORT", "0")
    assert "This installation works." in run_kyara("doctor").stdout
    Path(config["MODEL_FOLDER"], "registry.json").unlink()
    done = run_kyara("doctor", "--json", check=False)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["sound"] is False
    assert [one["name"] for one in document["checks"]] == list(CHECKS)
    (model,) = [one for one in document["checks"] if one["name"] == "model"]
    assert model["state"] == "problem"
    assert "No model serves" in model["found"]
    assert model["advice"]


def test_a_large_gallery_wants_the_library_that_searches_it(config, monkeypatch):
    assert check("gallery", config).state == "ok"
    found = check("gallery", config, INDEX_FROM=1)
    assert (found.state, found.found.split()[-3:]) == ("ok", ["through", "an", "index."])
    monkeypatch.setattr(kyara.recognition.neighbour_index, "has_library", lambda: False)
    found = check("gallery", config, INDEX_FROM=1)
    assert found.state == "warning"
    assert 'faiss is missing: pip install "kyara[scale]".' in found.found


def test_a_damaged_bundle_is_found_by_its_hash(config):
    network = Path(config["MODEL_FOLDER"]) / "tiny" / "backbone.tflite"
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    found = check("model", config)
    assert found.state == "problem"
    assert "backbone.tflite" in found.found
    assert check("answer", config).state == "problem"


@pytest.mark.parametrize(
    ("name", "folder", "file"),
    [
        ("report database", "REPORT_FOLDER", "reports.db"),
        ("operators", "INSTANCE_FOLDER", "operators.db"),
        ("taught characters", "MODEL_FOLDER", "taught.db"),
    ],
)
def test_a_damaged_database_is_found(config, name, folder, file):
    path = Path(config[folder]) / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\xa5" * 8192)
    found = check(name, config)
    assert found.state == "problem"
    assert file in found.found


def test_a_report_folder_that_is_a_file_is_found(config):
    Path(config["REPORT_FOLDER"]).touch()
    found = check("report folder", config)
    assert found.state == "problem"
    assert "cannot be written" in found.found


def test_a_disk_without_room_is_found(config):
    assert check("disk", config, REPORT_QUOTA_BYTES=10**18).state == "warning"


def test_a_secret_key_that_others_read_or_that_is_short_is_found(config):
    folder = Path(config["INSTANCE_FOLDER"])
    folder.mkdir()
    key = folder / "secret_key"
    key.write_text("x" * 40)
    key.chmod(0o644)
    from kyara.web.operator.accounts import SECRET_FILE

    assert key.name == SECRET_FILE
    assert "Others may read" in check("instance folder", config).found
    key.chmod(0o600)
    assert check("instance folder", config).state == "ok"
    assert check("instance folder", config, SECRET_KEY="short").state == "problem"


def test_a_port_in_use_and_too_few_threads_are_warned_of(config, monkeypatch):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        monkeypatch.setenv("PORT", str(listener.getsockname()[1]))
        assert check("port", config).state == "warning"
    monkeypatch.setenv("PORT", "99999")
    assert check("port", config).state == "problem"
    monkeypatch.setenv("THREADS", "8")
    found = check("threads", config)
    assert found.state == "warning"
    assert "KYARA_MAX_QUEUED" in found.advice
    monkeypatch.setenv("THREADS", "many")
    assert check("threads", config).state == "problem"


def test_a_package_of_another_version_is_warned_of_and_a_missing_one_is_a_problem(
    config, monkeypatch, tmp_path
):
    pins = tmp_path / "requirements.txt"
    monkeypatch.setattr("kyara.cli.checks.machine.REQUIREMENTS", pins)
    pins.write_text("Flask==0.1\n")
    assert check("packages", config).state == "warning"
    pins.write_text("Flask==0.1\nno-such-package==1.0\n")
    assert "no-such-package" in check("packages", config).found


def test_missing_browser_libraries_are_found(config, monkeypatch, tmp_path):
    monkeypatch.setattr("kyara.cli.checks.machine.VENDOR", tmp_path)
    assert "opencv.wasm" in check("browser libraries", config).found


@pytest.mark.parametrize(
    ("name", "key", "scheme"),
    [
        ("database", "DATABASE_URL", "postgresql+psycopg://kyara@"),
        ("database", "REPORT_DATABASE_URL", "nosuch://"),
        ("redis", "REDIS_URL", "redis://"),
    ],
)
def test_a_service_that_does_not_answer_is_found(config, name, key, scheme):
    found = check(name, config, **{key: f"{scheme}127.0.0.1:{find_free_port()}/0"})
    assert found.state == "problem"
    assert f"KYARA_{key}" in found.found


def test_a_file_store_that_does_not_answer_is_found(config):
    assert check("file store", config, FILES_URL="nosuch://bucket").state == "problem"


def test_services_that_answer_are_sound(config, postgres_url, redis_url):
    assert check("database", config, DATABASE_URL=postgres_url).state == "ok"
    assert check("redis", config, REDIS_URL=redis_url).state == "ok"


def test_a_check_that_fails_itself_is_a_problem(config):
    findings = examine({**config, "REPORT_QUOTA_BYTES": "many"})
    assert findings["disk"].state == "problem"
    assert findings["model"].state == "ok"
