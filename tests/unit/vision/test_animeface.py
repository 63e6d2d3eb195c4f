"""animeface-2009 behind its process. `make test` installs it; where it is missing the first use does."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from command_line import run_kyara
from videos import EXAMPLE, read_example

from kyara.errors import KyaraError
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detectors import animeface
from kyara.vision.detectors.animeface import check_known_faces, open_animeface


def test_animeface_finds_the_three_faces_of_the_example():
    pixels = read_example(560)
    with open_animeface() as detector:
        found = detector.find(pixels)
        assert detector.find(np.full((90, 160, 3), 255, np.uint8)) == []
        assert detector.find(pixels) == found
    assert len(found) == 3
    assert all(face.score >= 0.7 for face in found)
    areas = [face.box.width * face.box.height for face in found]
    assert areas == sorted(areas, reverse=True)


def test_collect_takes_animeface_with_its_margin(tmp_path):
    inbox = tmp_path / "inbox"
    run_kyara("collect", EXAMPLE, "--out", inbox, "--detector", "animeface-2009", "--longest", "560")
    entries = [json.loads(line) for line in (inbox / "manifest.jsonl").read_text().splitlines()]
    assert [entry["detector"] for entry in entries] == ["animeface-2009"] * 3
    assert all(0.7 <= entry["score"] <= 1 for entry in entries)
    with open_animeface(threshold=0.7) as detector:
        bare = max(face.box.width for face in detector.find(read_example(560)))
    scale = 1390 / 560
    assert max(entry["box"]["width"] for entry in entries) == pytest.approx(bare * 1.6 * scale, rel=0.1)


class Fixed:
    """A detector that always finds the same."""

    name, version, box_scale = "fixed", "1", 1.0

    def __init__(self, faces: list[FoundFace]) -> None:
        self.faces = faces

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        return self.faces


def test_a_detector_that_finds_nothing_fails_the_self_test():
    with pytest.raises(KyaraError, match=r"fails its self-test.*Pillow 12"):
        check_known_faces(Fixed([]))
    check_known_faces(Fixed([FoundFace(Box(0, 0, 9, 9), 1.0)]))


def test_a_worker_that_cannot_start_is_one_clear_sentence(monkeypatch):
    """The environment of the tests has no animeface."""
    from pathlib import Path

    monkeypatch.setattr(animeface, "prepare_environment", lambda tell: Path(sys.executable))
    with pytest.raises(KyaraError, match=r"animeface-2009 (failed: it )?has ended unexpectedly"):
        with open_animeface():
            pass


def test_the_worker_answers_in_json_lines_whatever_it_is_sent(tmp_path):
    (tmp_path / "animeface.py").write_text("print('noise')\n\ndef detect(image):\n    return []\n")
    worker = animeface._WORKER
    done = subprocess.run(
        [sys.executable, "-P", worker],
        input='{"png": "bm90IGEgUE5H"}\nno json\n',
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(answer) for answer in answers] == [["error"], ["error"]]
