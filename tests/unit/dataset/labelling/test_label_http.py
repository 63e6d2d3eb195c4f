"""The labelling page's routes: faces, decisions, undo, names, and the model in its own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from inboxes import check_folder, fill_inbox, read_labels
from operators import OperatorClient, log_in, make_operator

from kyara.dataset.review.labelling.suggestions import Suggestion, Suggestions, write_suggestions

PROBLEM = "application/problem+json"


@pytest.fixture
def dataset(app) -> Path:
    return Path(app.config["DATASET_FOLDER"])


@pytest.fixture
def ids(dataset: Path) -> list[str]:
    return fill_inbox(dataset, 8)


@pytest.fixture
def rival(app, operator) -> Iterator[OperatorClient]:
    make_operator(app, "mio")
    yield log_in(app, "mio")


def decide(client: OperatorClient, action: str, label: str | None, **faces: str):
    body = {"action": action, "faces": faces, "label": label}
    return client.post("/operator/label/decisions", **body)


def test_the_page_opens_and_lists_the_inbox(operator, ids, dataset):
    assert "Labelling" in operator.page("/operator/label")
    answer = operator.get("/operator/label/faces").json
    assert [face["id"] for face in answer["faces"]] == ids
    assert answer["total"] == answer["unseen"] == len(ids)
    assert answer["model"] is None
    first = answer["faces"][0]
    assert (first["version"], first["label"], first["kind"]) == ("", None, "unseen")
    assert (first["source"], first["time_s"]) == ("video0.webm", 0)
    picture = operator.get(f"/operator/label/pictures/{ids[0]}")
    assert picture.data == (dataset / "inbox" / f"{ids[0]}.png").read_bytes()
    assert picture.content_type == "image/png"
    assert operator.get("/operator/label/pictures/nobody").status_code == 404
    assert operator.get("/operator/label/pictures/..%2Flabels.db").status_code in (400, 404)
    assert len(operator.get("/operator/label/faces?limit=3").json["faces"]) == 3


def test_an_empty_dataset_is_an_empty_inbox(operator):
    answer = operator.get("/operator/label/faces").json
    assert (answer["faces"], answer["total"], answer["characters"]) == ([], 0, [])


def test_faces_come_in_the_model_s_order_with_names(operator, ids, dataset, tiny_classifier):
    answers = (("aka_ribbon", 0.95), ("ao_glasses", 0.01))
    faces = {
        ids[5]: Suggestion("uncertain", "", answers),
        ids[2]: Suggestion("new", "cluster 0", answers),
        ids[7]: Suggestion("sure", "aka_ribbon", answers),
    }
    version = tiny_classifier.bundle.version
    write_suggestions(dataset, Suggestions("tiny", version, "2026-01-01T00:00:00", "", faces))
    answer = operator.get("/operator/label/faces").json
    rest = [face for face in ids if face not in faces]
    assert [face["id"] for face in answer["faces"]] == [ids[5], ids[2], ids[7], *rest]
    assert answer["unseen"] == len(rest)
    assert answer["model"]["serves"]
    assert answer["faces"][0]["answers"] == [["aka_ribbon", 0.95], ["ao_glasses", 0.01]]
    assert answer["names"]["aka_ribbon"] == {"name": "Aka Ribbon", "work": "The Drawn Four"}


def test_a_decision_and_its_undo_tell_faces_and_counts(operator, ids, dataset):
    answer = decide(operator, "action-1", "aka_ribbon", **{ids[0]: "", ids[1]: ""}).json
    assert [(face["label"], face["version"]) for face in answer["faces"]] == [
        ("aka_ribbon", "action-1")
    ] * 2
    assert answer["characters"] == [
        {
            "label": "aka_ribbon",
            "drawings": 2,
            "sources": 2,
            "warnings": ["drawings", "sources"],
        }
    ]
    assert read_labels(dataset) == {ids[0]: "aka_ribbon", ids[1]: "aka_ribbon"}
    listed = operator.get("/operator/label/faces").json
    assert [face["id"] for face in listed["faces"]] == ids[2:]
    assert listed["history"] == [{"id": "action-1", "faces": ids[:2]}]
    # what is confirmed can be asked for where it lies now
    assert operator.get(f"/operator/label/pictures/{ids[0]}").status_code == 200
    undone = operator.post("/operator/label/undo", action="action-2", undoes="action-1").json
    assert [face["label"] for face in undone["faces"]] == [None, None]
    assert undone["characters"][0]["drawings"] == 0
    check_folder(dataset, ids)


def test_a_repeat_is_answered_as_the_first_was(operator, ids, dataset):
    first = decide(operator, "action-1", "aka_ribbon", **{ids[0]: ""})
    again = decide(operator, "action-1", "aka_ribbon", **{ids[0]: ""})
    assert (again.status_code, again.json) == (200, first.json)


def test_of_two_operators_the_second_is_shown_the_newer_label(operator, rival, ids, dataset):
    decide(operator, "action-1", "aka_ribbon", **{ids[0]: ""})
    answer = decide(rival, "action-2", "ao_glasses", **{ids[0]: "", ids[1]: ""})
    assert (answer.status_code, answer.content_type) == (409, PROBLEM)
    (face,) = answer.json["faces"]
    assert (face["id"], face["label"], face["operator"]) == (ids[0], "aka_ribbon", "rin")
    assert answer.json["names"]["aka_ribbon"]["name"] == "Aka Ribbon"
    assert read_labels(dataset) == {ids[0]: "aka_ribbon"}
    # who has seen it may change it
    assert decide(rival, "action-3", "ao_glasses", **{ids[0]: "action-1"}).status_code == 200


def test_another_operator_s_action_cannot_be_undone(operator, rival, ids, dataset):
    decide(operator, "action-1", "aka_ribbon", **{ids[0]: ""})
    answer = rival.post("/operator/label/undo", action="action-2", undoes="action-1")
    assert (answer.status_code, answer.content_type) == (409, PROBLEM)
    assert "rin's decision" in answer.json["detail"]
    assert rival.get("/operator/label/faces").json["history"] == []
    assert read_labels(dataset) == {ids[0]: "aka_ribbon"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("decisions", {}),
        ("decisions", {"action": "action-1", "faces": {}, "label": "x"}),
        ("decisions", {"action": "action-1", "faces": {"face0000": None}, "label": "x"}),
        ("decisions", {"action": "action-1", "faces": ["face0000"], "label": "x"}),
        ("decisions", {"action": "short", "faces": {"face0000": ""}, "label": "x"}),
        ("decisions", {"action": "action-1", "faces": {"face0000": ""}}),
        ("decisions", {"action": "action-1", "faces": {"face0000": ""}, "label": 5}),
        ("undo", {"action": "action-1"}),
        ("characters", {"name": ""}),
        ("characters", {"name": "x" * 101}),
    ],
)
def test_a_body_of_another_shape_is_refused(operator, ids, dataset, path, body):
    answer = operator.post(f"/operator/label/{path}", **body)
    assert (answer.status_code, answer.content_type) == (422, PROBLEM)
    assert not (dataset / "labels.db").exists() or read_labels(dataset) == {}


def test_a_new_character_is_found_by_a_part_of_the_name(operator, ids, dataset):
    made = operator.post(
        "/operator/label/characters", name="Charles Montgomery Burns", work="Springfield"
    )
    assert (made.status_code, made.json["label"]) == (201, "charles_montgomery_burns")
    found = operator.get("/operator/label/characters?query=burns").json["characters"]
    assert found == [
        {
            "label": "charles_montgomery_burns",
            "name": "Charles Montgomery Burns",
            "work": "Springfield",
        }
    ]
    again = operator.post("/operator/label/characters", name="Charles Montgomery Burns")
    assert again.status_code == 409
    assert "Charles Montgomery Burns (charles_montgomery_burns) has this name" in again.json["detail"]
    known = operator.post("/operator/label/characters", name="Aka Ribbon")
    assert known.status_code == 409  # the model's own
    other = operator.post("/operator/label/characters", name="平沢 唯", label="k_on/yui")
    assert other.json == {"label": "k_on/yui", "name": "平沢 唯", "work": ""}
    assert operator.post("/operator/label/characters", name="?!").status_code == 400
    # the model's characters are found, too; and labels of the folder that nobody named
    decide(operator, "action-1", "some_one", **{ids[0]: ""})
    for query, label in (("ao", "ao_glasses"), ("one some", "some_one")):
        found = operator.get(f"/operator/label/characters?query={query}").json["characters"]
        assert label in {entry["label"] for entry in found}
    names = json.loads((dataset / "characters.json").read_text(encoding="utf-8"))
    assert names["k_on/yui"]["name"] == {"zh": "平沢 唯"}


def test_the_model_is_asked_in_a_process_of_its_own(operator, ids, dataset):
    started = operator.post("/operator/label/prepare")
    assert started.status_code == 202
    assert started.json["running"]
    process = operator.client.application.extensions["kyara_review"].preparing
    assert process.wait(120) == 0
    progress = operator.get("/operator/label/prepare").json
    assert progress == {"running": False, "done": len(ids), "total": len(ids), "error": ""}
    answer = operator.get("/operator/label/faces").json
    assert answer["model"]["name"] == "tiny"
    assert answer["unseen"] == 0
    assert {face["kind"] for face in answer["faces"]} <= {"uncertain", "new", "sure"}
    right = [
        face["answers"][0][0] == ("aka_ribbon", "ao_glasses", "midori_bun", "kiiro_star")[n % 4]
        for n, face in enumerate(sorted(answer["faces"], key=lambda face: face["id"]))
    ]
    assert np.mean(right) >= 0.5


def test_a_start_finishes_what_a_crash_left(app, make_app, dataset, ids):
    journal = app.extensions["kyara_review"].open_faces()
    journal.accept(ids[:1], "aka_ribbon", "rin")
    app.extensions["kyara_review"].close()
    # as if the process had died between journal and move
    (dataset / "faces" / "aka_ribbon" / f"{ids[0]}.png").rename(dataset / "inbox" / f"{ids[0]}.png")
    (dataset / "faces" / "index.csv").unlink()
    make_app()
    check_folder(dataset, ids)


def test_a_damaged_journal_says_so_and_leaves_the_rest_of_the_site_alone(
    app, operator, tiny_model_folder, dataset
):
    dataset.mkdir(parents=True)
    (dataset / "labels.db").write_bytes(b"no database" * 100)
    answer = operator.get("/operator/label/faces")
    assert (answer.status_code, answer.content_type) == (503, PROBLEM)
    assert "The journal of labels" in answer.json["detail"]
    assert operator.get("/healthz").status_code == 200
