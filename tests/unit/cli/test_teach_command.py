"""`python -m kyara teach` and `forget`, run as their user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, run_kyara
from PIL import Image
from strangers import NEW, STRANGERS

from classification import Classifier

EXAMPLE = ROOT / "static" / "vendor" / "example.png"


@pytest.fixture
def place(tiny_model_folder: Path, tmp_path: Path) -> list[str | Path]:
    return ["--models", tiny_model_folder, "--taught", tmp_path / "taught.db"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, crop in enumerate(STRANGERS[:2]):
        (tmp_path / "crops").mkdir(exist_ok=True)
        Image.fromarray(crop).save(tmp_path / "crops" / f"{number}.png")
    return tmp_path / "crops"


def test_teach_and_forget(place, folder, tiny_bundle, tmp_path):
    names = ["--name-en", "Stripes", "--name-ja", "しましま", "--work-en", "Drawn"]
    done = run_kyara("teach", NEW, folder, "--whole", *names, "--json", *place)
    document = json.loads(done.stdout)
    assert (document["label"], document["references"]) == (NEW, 2)
    assert [image["taken"] for image in document["images"]] == ["the whole picture"] * 2
    assert document["images"][0]["box"] == {"x": 0, "y": 0, "width": 80, "height": 80}
    classifier = Classifier(tiny_bundle, taught=tmp_path / "taught.db")
    assert classifier.character(NEW).name == {"en": "Stripes", "ja": "しましま"}
    one, two = classifier.taught[NEW]
    done = run_kyara("forget", NEW, "--reference", one, "--json", *place)
    assert json.loads(done.stdout) == {"label": NEW, "references": 1}
    assert classifier.taught == {NEW: [two]}
    assert "is forgotten" in run_kyara("forget", NEW, *place).stdout
    assert NEW not in classifier.labels


def test_teach_cuts_out_the_only_face_and_says_when_it_does_not(place, tmp_path, folder):
    from kyara.vision.detectors.lbp_cascade import propose_faces

    picture = np.asarray(Image.open(EXAMPLE).convert("RGB"))
    box = propose_faces(picture)[0]
    margin = box.width // 4
    left, top = max(box.x - margin, 0), max(box.y - margin, 0)
    alone = picture[top : box.y + box.height + margin, left : box.x + box.width + margin]
    assert len(propose_faces(alone)) == 1
    Image.fromarray(alone).save(tmp_path / "alone.png")
    done = run_kyara("teach", NEW, tmp_path / "alone.png", EXAMPLE, folder / "0.png", *place)
    lines = done.stdout.splitlines()
    assert lines[0].endswith("alone.png: the face that was found")
    assert "the whole picture, because" in lines[1]
    assert "faces were found" in lines[1]
    assert lines[2].endswith("the whole picture, because no face was found")
    assert lines[3] == f"{NEW} (Five) is known by 3 taught reference(s)."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["teach", "Miku!", "crops/0.png", "--whole"], "cannot be taken"),
        (["teach", "miku", "nothing.png"], "Cannot read"),
        (["teach", "miku", "empty"], "has no pictures"),
        (["teach", "miku", *["crops/0.png"] * 21], "received 21"),
        (["forget", "nobody"], "Nobody is known by the label 'nobody'"),
        (["forget", "aka_ribbon", "--reference", "7"], "Nobody taught a reference '7'"),
    ],
)
def test_bad_input_is_one_line_and_status_1(place, folder, tmp_path, arguments, sentence):
    (tmp_path / "empty").mkdir()
    paths = {"crops/0.png": folder / "0.png", "nothing.png": tmp_path / "nothing.png"}
    given = [paths.get(argument, argument) for argument in arguments]
    given = [tmp_path / "empty" if argument == "empty" else argument for argument in given]
    done = run_kyara(*given, *place, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("kyara: ")
    assert not (tmp_path / "taught.db").exists()


def test_a_file_that_cannot_be_used_is_told(place, folder, tmp_path):
    (tmp_path / "taught.db").write_bytes(b"no database" * 500)
    done = run_kyara("teach", NEW, folder, "--whole", *place, check=False)
    assert done.returncode == 1
    assert "What was taught cannot be changed" in done.stderr.splitlines()[-1]
