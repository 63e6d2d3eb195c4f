"""What `identify` prints, writes and draws of a face that is known, probable or unknown."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from paper_bundle import make_paper_bundle
from PIL import Image, ImageColor
from verdict_models import THRESHOLDS, write_verdict_model
from videos import EXAMPLE, slide_example, write_video

from kyara.cli.identify_output import say_who
from kyara.recognition.answers import Answer, FaceAnswers, Verdict
from kyara.vision.drawing import KNOWN_COLOUR, UNKNOWN_COLOUR


@pytest.fixture(scope="module")
def probable(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that says `probably` of every face."""
    models = tmp_path_factory.mktemp("probable")
    return write_verdict_model(tiny_model_folder / "tiny", models, "probably")


@pytest.mark.parametrize("verdict", THRESHOLDS)
def test_identify_prints_the_verdict_before_the_answers(
    tiny_bundle: Path, tiny_data: Path, tmp_path: Path, verdict: Verdict
) -> None:
    model = write_verdict_model(tiny_bundle, tmp_path, verdict)
    crop = tiny_data / "aka_ribbon" / "000.png"
    said = run_kyara("identify", crop, "--whole", "--model", model, "--top-k", "1").stdout
    first, second, third = said.splitlines()
    assert first == f"{crop}: 1 face(s)"
    assert second == f"  1. {verdict} (96×96 at 0,0)"
    assert third.endswith("Aka Ribbon — The Drawn Four")


def test_csv_and_json_hand_the_verdict_on(probable: Path, tiny_data: Path) -> None:
    crop = tiny_data / "aka_ribbon" / "000.png"
    asked = ("identify", crop, "--whole", "--model", probable, "--top-k", "1")
    (row,) = csv.DictReader(io.StringIO(run_kyara(*asked, "--csv").stdout))
    (image,) = json.loads(run_kyara(*asked, "--json").stdout)["images"]
    (face,) = image["faces"]
    assert (row["verdict"], row["label"]) == ("probably", "aka_ribbon")
    assert (face["verdict"], face["answers"][0]["label"]) == ("probably", "aka_ribbon")


@pytest.mark.parametrize(
    ("verdict", "words"), [("known", "A 54%"), ("probably", "probably A"), ("unknown", "unknown")]
)
def test_only_who_is_known_is_written_as_a_name_alone(verdict: Verdict, words: str) -> None:
    character = make_paper_bundle().characters[0]
    assert say_who(FaceAnswers(verdict, (Answer(character, 0.54, None),)), "en") == words


def test_a_probable_name_is_not_drawn_as_a_fact(probable: Path, tmp_path: Path) -> None:
    run_kyara("identify", EXAMPLE, "--model", probable, "--annotate", tmp_path)
    with Image.open(tmp_path / "example.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    known, unsure = map(ImageColor.getrgb, (KNOWN_COLOUR, UNKNOWN_COLOUR))
    assert not (pixels == known).all(axis=2).any()
    assert (pixels == unsure).all(axis=2).sum() > 1000


def test_a_video_names_nobody_who_is_only_probable(probable: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", slide_example(16, 6), rate=8)
    subtitles = tmp_path / "clip.vtt"
    options = ("--model", probable, "--level", "0", "--every", "0.25", "--webvtt", subtitles)
    video = json.loads(run_kyara("identify", clip, *options, "--json").stdout)["video"]
    assert [track["verdict"] for track in video["tracks"]] == ["probably"] * 3
    assert video["people"] == []
    assert subtitles.read_text() == "WEBVTT\n"
