"""`python -m kyara teach` and `forget`, run as their user runs them."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import run_kyara
from PIL import Image
from strangers import NEW, STRANGERS
from videos import EXAMPLE

from classification import Classifier
from kyara.cli import main, teach


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
    from kyara.vision.detectors.lbp_cascade import CascadeDetector

    picture = np.asarray(Image.open(EXAMPLE).convert("RGB"))
    box = CascadeDetector().find(picture)[0].box
    margin = box.width // 4
    left, top = max(box.x - margin, 0), max(box.y - margin, 0)
    alone = picture[top : box.y + box.height + margin, left : box.x + box.width + margin]
    assert len(CascadeDetector().find(alone)) == 1
    Image.fromarray(alone).save(tmp_path / "alone.png")
    done = run_kyara("teach", NEW, tmp_path / "alone.png", EXAMPLE, folder / "0.png", *place)
    lines = done.stdout.splitlines()
    assert lines[0].endswith("alone.png: the face that was found")
    assert "the whole picture, because" in lines[1]
    assert "faces were found" in lines[1]
    assert lines[2].endswith("the whole picture, because no face was found")
    assert lines[3] == f"{NEW} (Five) is known by 3 taught reference(s)."


def test_teach_lets_go_of_each_picture_before_it_reads_the_next_but_one(place, tmp_path, monkeypatch):
    held: list[weakref.ref] = []
    most = 0

    def read(path: Path) -> np.ndarray:
        nonlocal most
        gc.collect()
        most = max(most, sum(one() is not None for one in held))
        pixels = np.random.default_rng(len(held)).integers(40, 255, (600, 800, 3), np.uint8)
        held.append(weakref.ref(pixels))
        return pixels

    monkeypatch.setattr(teach, "read_image", read)
    names = [str(tmp_path / f"{number}.png") for number in range(6)]
    done = CliRunner().invoke(main, ["teach", NEW, *names, *map(str, place)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "6 taught reference(s)" in done.output
    assert most == 1


def test_bars_around_a_picture_change_nothing_that_is_taught(place, tmp_path, folder, tiny_bundle):
    from kyara.vision.detectors.lbp_cascade import CascadeDetector

    picture = np.maximum(np.asarray(Image.open(EXAMPLE).convert("RGB")), 40)
    box = CascadeDetector().find(picture)[0].box
    margin = box.width // 4
    left, top = max(box.x - margin, 0), max(box.y - margin, 0)
    alone = picture[top : box.y + box.height + margin, left : box.x + box.width + margin]
    nobody = np.maximum(np.asarray(Image.open(folder / "0.png").convert("RGB")), 40)
    taught = []
    for name, bars in (("plain", (0, 0)), ("barred", (300, 120))):
        pictures = []
        for number, pixels in enumerate((alone, nobody)):
            pictures.append(tmp_path / f"{name}{number}.png")
            Image.fromarray(np.pad(pixels, (bars, (0, 90 if bars[0] else 0), (0, 0)))).save(pictures[-1])
        done = run_kyara("teach", f"{NEW}_{name}", *pictures, "--json", *place)
        taught.append([(image["box"], image["taken"]) for image in json.loads(done.stdout)["images"]])
    plain, barred = taught
    assert [why.split(",")[0] for _, why in plain] == ["the face that was found", "the whole picture"]
    assert barred == [({**box, "y": box["y"] + 300}, why) for box, why in plain]
    classifier = Classifier(tiny_bundle, taught=tmp_path / "taught.db")
    one, other = (
        [classifier.draw_thumbnail(reference) for reference in classifier.taught[f"{NEW}_{name}"]]
        for name in ("plain", "barred")
    )
    for shown, same in zip(one, other, strict=True):
        assert shown is not None and same is not None
        assert np.array_equal(shown, same)


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
