"""Whole pictures, the whole way: what is counted, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run_kyara
from PIL import Image
from videos import EXAMPLE

from kyara.dataset.manifest import read_manifest
from kyara.evaluation.pictures import (
    LookedAt,
    NamedFace,
    evaluate_pictures,
    list_wrong_names,
    measure_looked,
)
from kyara.evaluation.protocols import Options, Unknowns
from kyara.recognition.answers import Answer, FaceAnswers
from kyara.recognition.characters import Character
from kyara.vision.boxes import Box


def say(*answers: tuple[str, float], known: bool = True) -> NamedFace:
    """Return a face of which a model says this."""
    said = tuple(Answer(Character(label, {}, {}), confidence, None) for label, confidence in answers)
    return NamedFace(Box(0, 0, 9, 9), FaceAnswers("known" if known else "unknown", said))


LOOKED = [
    LookedAt(Path("right"), "rin", (say(("rin", 0.95), ("miku", 0.02)),)),
    LookedAt(Path("second"), "rin", (say(("miku", 0.6), ("rin", 0.3)),)),
    LookedAt(Path("two"), "miku", (say(("rin", 0.5), known=False), say(("miku", 0.7)))),
    LookedAt(Path("missed"), "miku", ()),
    LookedAt(Path("stranger"), "", (say(("rin", 0.92)), say(("rin", 0.2), known=False))),
    LookedAt(Path("quiet"), "", (say(("miku", 0.4), known=False),)),
]


def test_what_a_visitor_reads_is_counted():
    measured = measure_looked(LOOKED, {"rin": 1, "miku": 7})
    assert (measured["pictures"], measured["faces"], measured["with_a_face"]) == (6, 7, 0.8333)
    known = measured["known"]
    assert (known["pictures"], known["first"], known["among_five"]) == (4, 0.5, 0.75)
    assert known["by_references"]["1"] == {"pictures": 2, "first": 0.5, "among_five": 1.0}
    assert known["by_references"]["2 to 4"]["first"] is None
    assert known["by_references"]["5 and more"] == {"pictures": 2, "first": 0.5, "among_five": 0.5}
    assert measured["strangers"] == {
        "pictures": 2,
        "faces": 3,
        "faces_named": 0.3333,
        "faces_probable": 0.0,
        "pictures_named": 0.5,
    }
    names = measured["names"]
    assert (names["all"]["given"], names["all"]["right"]) == (4, 2)
    assert (names["from 0.9"]["given"], names["from 0.9"]["share_right"]) == (2, 0.5)
    assert sum(entry["count"] for entry in measured["details"]["calibration_bins"]) == 5


def test_probable_names_are_counted_apart():
    guess = (Answer(Character("rin", {}, {}), 0.6, None),)
    perhaps = NamedFace(Box(0, 0, 9, 9), FaceAnswers("probably", guess))
    looked = [LookedAt(Path("a"), "rin", (perhaps,)), LookedAt(Path("b"), "", (perhaps,))]
    measured = measure_looked(looked, {"rin": 1})
    assert measured["names"]["all"]["given"] == 0
    assert (measured["names"]["probably"]["given"], measured["names"]["probably"]["right"]) == (2, 1)
    assert measured["strangers"]["faces_named"] == 0
    assert measured["strangers"]["faces_probable"] == 1
    assert list_wrong_names(looked) == []


def test_wrong_names_come_the_surest_first():
    wrong = [(one.path.name, face.said.answers[0].label) for one, face in list_wrong_names(LOOKED)]
    assert wrong == [("stranger", "rin"), ("second", "miku")]


def test_pictures_without_a_face_are_measured_too():
    measured = measure_looked([LookedAt(Path("missed"), "rin", ())], {})
    assert measured["ece"] is None
    assert measured["names"]["all"]["share_right"] is None


@pytest.mark.slow
def test_the_command_goes_the_whole_way(tiny_bundle: Path, tmp_path: Path) -> None:
    with Image.open(EXAMPLE) as image:
        image.convert("RGB").save(tmp_path / "drawn.png")
    (tmp_path / "index.csv").write_text("path,label,split\ndrawn.png,someone_else,test\n")
    out = tmp_path / "out"
    done = run_kyara(
        *("evaluate", tiny_bundle, tmp_path, "--protocol", "pictures", "--json", "--out", out),
    )
    measured = json.loads(done.stdout)
    assert (measured["pictures"], measured["faces"], measured["known"]["pictures"]) == (1, 3, 0)
    assert measured["strangers"]["faces"] == 3
    page = (out / "report.html").read_text()
    assert "Wrong names" in page
    assert page.count("A stranger") == measured["names"]["all"]["given"]


def test_strangers_of_a_dataset_are_forgotten_first(tiny_classifier, tmp_path):
    """Whoever is shown as a stranger is not among the answers."""
    with Image.open(EXAMPLE) as image:
        image.convert("RGB").save(tmp_path / "drawn.png")
    (tmp_path / "index.csv").write_text("path,label,split\ndrawn.png,nobody,test\n")
    gone = tiny_classifier.labels[0]
    unknowns = Unknowns("gone", (tmp_path / "drawn.png",), frozenset({gone}))
    evaluation = evaluate_pictures(
        tiny_classifier, read_manifest(tmp_path), Options("pictures"), unknowns=[unknowns]
    )
    asked, stranger = evaluation.looked
    assert any(answer.label == gone for face in asked.faces for answer in face.said.answers)
    assert not any(answer.label == gone for face in stranger.faces for answer in face.said.answers)
    assert evaluation.metrics["strangers"]["pictures"] == 2
