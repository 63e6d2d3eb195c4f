"""The README's own code is run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT
from PIL import Image

from scripts.local_site import Server

README = (ROOT / "README.md").read_text(encoding="utf-8")


def read_block(language: str) -> str:
    """Return the README's first code block in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


@pytest.fixture
def face_folder(tiny_data: Path, tmp_path: Path) -> Path:
    shutil.copyfile(tiny_data / "aka_ribbon" / "000.png", tmp_path / "face.png")
    return tmp_path


def test_the_curl_example_answers(face_folder, report_dir, tiny_model_folder):
    shutil.copyfile(ROOT / "static" / "vendor" / "example.png", face_folder / "screenshot.png")
    with Server(report_dir, model=tiny_model_folder) as server:
        script = read_block("bash").replace("http://127.0.0.1:5000", server.url)
        done = subprocess.run(
            ["bash", "-euc", script], cwd=face_folder, capture_output=True, text=True, check=True
        )
    answer, shown = json.loads(done.stdout), json.loads(read_block("json"))
    (image,), (shown_image,) = answer["images"], shown["images"]
    with Image.open(face_folder / "screenshot.png") as picture:
        assert (image["width"], image["height"]) == picture.size
    assert image["source"] == shown_image["source"]
    assert len(image["faces"]) >= 2
    for one, other in (
        (answer, shown),
        (image, shown_image),
        (image["faces"][0], shown_image["faces"][0]),
    ):
        assert set(one) == set(other)
    assert set(image["faces"][0]["answers"][0]) == set(shown_image["faces"][0]["answers"][0])


def test_the_python_example_runs_with_the_shipped_model(face_folder):
    done = subprocess.run(
        [sys.executable, "-c", read_block("python")],
        cwd=face_folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in {"known", "probably", "unknown"}


def test_the_page_on_operating_names_every_configuration_key():
    from app import DEFAULTS

    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")

    of_flask = re.compile("MAX_CONTENT_LENGTH|BOOTSTRAP_|BABEL_|AUTO_404|VALIDATION_ERROR")
    for name in DEFAULTS:
        assert f"KYARA_{name}" in page or of_flask.match(name), name
