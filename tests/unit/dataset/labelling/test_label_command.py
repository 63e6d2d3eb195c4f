"""`python -m kyara label`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from command_line import ROOT, run_kyara
from inboxes import fill_inbox
from waiting import hold_process

from kyara.dataset.review.labelling.preparing import hold_preparing, read_progress
from kyara.dataset.review.labelling.suggestions import read_suggestions


def test_prepare_looks_at_the_inbox_once(dataset, tiny_model_folder, tmp_path):
    ids = fill_inbox(dataset, 6)
    places = ("--dataset", dataset, "--models", tiny_model_folder, "--bottlenecks", tmp_path / "cache")
    done = run_kyara("label", "--prepare", *places)
    assert done.stdout.startswith("6 faces: ")
    found = read_suggestions(dataset)
    assert found and sorted(found.faces) == ids
    assert read_progress(dataset).done == 6
    with hold_preparing(dataset):
        busy = run_kyara("label", "--prepare", *places, check=False)
        assert read_progress(dataset).running
    assert busy.returncode == 1
    assert "is looking at" in busy.stderr


def test_bad_input_gives_one_line(dataset, tmp_path):
    done = run_kyara("label", "--prepare", "--dataset", dataset, "--models", tmp_path, check=False)
    assert done.returncode == 1
    assert "No model serves" in done.stderr
    assert "No model serves" in read_progress(dataset).error  # the page can tell, too
    both = run_kyara("label", "--prepare", "--no-prepare", check=False)
    assert both.returncode == 2


def test_the_command_starts_the_site_and_ends_it(dataset, tiny_model_folder, tmp_path):
    fill_inbox(dataset, 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = {
        "PORT": port,
        "HOST": "127.0.0.1",
        "KYARA_REPORT_FOLDER": str(tmp_path / "reports"),
        "KYARA_INSTANCE_FOLDER": str(tmp_path / "instance"),
    }
    command = [sys.executable, "-m", "kyara", "label", "--no-browser", "--no-prepare"]
    command += ["--dataset", str(dataset), "--models", str(tiny_model_folder)]
    with hold_process(
        command,
        cwd=Path(ROOT),
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"http://127.0.0.1:{port}/operator/label"), line
        with pytest.raises(HTTPError) as caught:
            urlopen(f"http://127.0.0.1:{port}/operator/label", timeout=30)
        assert caught.value.code == 404  # there is no account yet
        caught.value.close()
        # a second one finds the site that runs
        again = subprocess.run(
            command, cwd=Path(ROOT), env={**os.environ, **settings}, capture_output=True, text=True
        )
        assert again.returncode == 0
        assert "runs already" in again.stdout
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
        process.stdout.read()
