"""The operators' page of groups over HTTP: what it lists, decides and refuses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grouped_library import read_rows, write_grouped
from PIL import Image
from sqlalchemy import update

from kyara.dataset.library.opening import open_library
from kyara.dataset.library.tables import FaceRow
from kyara.recognition.classifier import Classifier

PATH = "/operator/groups"


@pytest.fixture
def place(tiny_classifier: Classifier, tmp_path: Path) -> str:
    return write_grouped(tmp_path / "scanned", tiny_classifier)


@pytest.fixture
def rows(place: str) -> Iterator[Any]:
    with open_library(place) as engine:
        yield lambda: read_rows(engine)


def test_the_groups_are_listed_the_largest_first(rin):
    page = rin.page(PATH)
    assert "Who is it?" in page
    listed = rin.get(f"{PATH}/list").json
    assert [(one["id"], one["size"], one["name"]) for one in listed["groups"]] == [
        (1, 5, ""),
        (2, 4, ""),
        (3, 3, ""),
    ]
    assert (listed["total"], listed["ungrouped"], listed["outdated"]) == (3, 0, 0)
    assert listed["head"] == {"step": 0, "undo": None, "redo": None}
    shown = rin.get(f"{PATH}/2").json
    assert len(shown["faces"]) == 4
    assert shown["suggestions"][0]["label"] == "ao_glasses"
    assert listed["groups"][1]["cover"] == min(shown["faces"])


def test_a_face_is_sent_as_a_small_picture_until_its_file_changes(rin, tmp_path):
    answer = rin.get(f"{PATH}/faces/1")
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.data)).size == (96, 96)
    for path in (tmp_path / "scanned" / "pictures").iterdir():
        path.write_bytes(b"?")
    answer = rin.get(f"{PATH}/faces/1")
    assert (answer.status_code, "has changed" in answer.json["detail"]) == (404, True)
    assert rin.get(f"{PATH}/faces/99").status_code == 404
    assert rin.get(f"{PATH}/faces/../../etc/passwd").status_code == 404


def test_a_name_is_taught_and_everything_can_be_taken_back(rin, site, rows):
    classifier = site.extensions["kyara_model"].classifier
    done = rin.post(f"{PATH}/name", seen=0, groups=[1], name="Rei", work="Drawn").json
    assert (done["action"], done["told"], done["head"]["undo"]) == ("name", "", "name")
    assert len(classifier.taught["rei"]) == 5
    assert done["outdated"] == 7
    assert rin.post(f"{PATH}/answer").json == {"outdated": 0}
    named = [(row["label"], row["confidence"]) for row in rows()[:5]]
    assert named == [("rei", 1.0)] * 5
    (named,) = rin.get(f"{PATH}/list?state=named").json["groups"]
    assert (named["id"], named["name"], named["size"]) == (1, "Rei", 5)
    undone = rin.post(f"{PATH}/undo", seen=done["head"]["step"]).json
    assert undone["head"] == {"step": 0, "undo": None, "redo": "name"}
    assert classifier.taught == {}
    again = rin.post(f"{PATH}/redo", seen=0).json
    assert again["head"]["undo"] == "name"
    assert len(classifier.taught["rei"]) == 5


def test_splitting_merging_and_what_is_no_face(rin):
    faces = rin.get(f"{PATH}/1").json["faces"]
    split = rin.post(f"{PATH}/split", seen=0, groups=[1], faces=faces[:2]).json
    (part,) = split["groups"]
    near = rin.get(f"{PATH}/{part}").json["near"]
    assert near[0]["id"] == 1
    merged = rin.post(f"{PATH}/merge", seen=split["head"]["step"], groups=[1, part]).json
    assert rin.get(f"{PATH}/1").json["size"] == 5
    seen = merged["head"]["step"]
    assert rin.post(f"{PATH}/not-a-face", seen=seen, groups=[2, 3]).status_code == 200
    assert [one["id"] for one in rin.get(f"{PATH}/list").json["groups"]] == [1]
    assert rin.get(f"{PATH}/list?state=not_a_face").json["total"] == 2


def test_who_saw_something_else_is_refused(rin, rows):
    assert rin.post(f"{PATH}/not-a-face", seen=0, groups=[3]).status_code == 200
    before = rows()
    for path, more in (
        ("name", {"groups": [1], "name": "Rei"}),
        ("merge", {"groups": [1, 2]}),
        ("split", {"groups": [1], "faces": [1]}),
        ("undo", {}),
    ):
        answer = rin.post(f"{PATH}/{path}", seen=0, **more)
        assert (answer.status_code, "meanwhile" in answer.json["detail"]) == (409, True)
    assert rows() == before


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("name", {"groups": [1]}, 400),
        ("name", {"groups": [9], "name": "Rei"}, 404),
        ("name", {"groups": [1], "name": "x" * 101}, 422),
        ("name", {"groups": [1], "name": "Aka Ribbon", "label": "ao_glasses"}, 409),
        ("merge", {"groups": [1]}, 400),
        ("merge", {"groups": []}, 422),
        ("split", {"groups": [1], "faces": []}, 422),
        ("split", {"groups": [1], "faces": [1, 2, 3, 4, 5]}, 400),
        ("split", {"groups": [1], "faces": ["1; DROP TABLE"]}, 422),
        ("undo", {}, 404),
        ("redo", {}, 404),
    ],
)
def test_what_makes_no_sense_is_refused(rin, rows, path, body, status):
    before = rows()
    answer = rin.post(f"{PATH}/{path}", seen=0, **body)
    assert answer.status_code == status, answer.text
    assert answer.json["detail"]
    assert rows() == before


def test_nobody_else_may_look_or_decide(site, rin):
    stranger = site.test_client()
    headers = {"Accept": "application/json"}
    for path in ("/list", "/1", "/faces/1"):
        assert stranger.get(f"{PATH}{path}", headers=headers).status_code == 401
    body = {"seen": 0, "groups": [1]}
    assert stranger.post(f"{PATH}/not-a-face", json=body, headers=headers).status_code == 401
    assert rin.client.post(f"{PATH}/not-a-face", json=body, headers=headers).status_code == 403


def test_faces_of_another_network_are_told(rin, place):
    with open_library(place) as engine, engine.begin() as connection:
        connection.execute(update(FaceRow).values(network="another"))
    shown = rin.get(f"{PATH}/1").json
    assert (shown["asleep"], shown["suggestions"]) == (True, [])
