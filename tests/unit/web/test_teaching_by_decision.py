"""*Known from now on*: what operators accept, label or give as files is answered at once, and undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import as_url
from inboxes import fill_inbox

from kyara.storage.events import TAUGHT

QUEUE = "/operator/reports/queue"


@pytest.fixture
def crop(tiny_data: Path) -> str:
    return as_url((tiny_data / "kiiro_star" / "000.png").read_bytes())


def send(client, crop: str, label: str) -> str:
    return client.post("/api/reports", json={"crop": crop, "label": label}).json["id"]


def identify(client, crop: str) -> str:
    (face,) = client.post("/api/identify", json={"crops": [crop]}).json["faces"]
    return face["answers"][0]["label"]


def decide(operator, action: str, **more):
    queue = operator.get(f"{QUEUE}?state=all").json["reports"]
    reports = [{"id": one["id"], "revision": one["revision"]} for one in queue]
    return operator.post("/operator/reports/decide", reports=reports, action=action, **more)


def count_taught(app, label: str) -> int:
    return len(app.extensions["kyara_model"].classifier.taught.get(label, ()))


def test_an_accepted_report_is_known_at_once_and_undo_takes_it_back(app, client, operator, crop):
    send(client, crop, "aka_ribbon")
    done = decide(operator, "accept", known=True, step="the-first-step")
    assert done.json["known"] == ["Aka Ribbon"]
    assert count_taught(app, "aka_ribbon") == 1
    operator.post("/operator/reports/undo", step="the-first-step")
    assert count_taught(app, "aka_ribbon") == 0


def test_without_the_wish_nothing_is_taught(app, client, operator, crop):
    send(client, crop, "aka_ribbon")
    done = decide(operator, "accept")
    assert (done.json["known"], done.json["told"]) == ([], [])
    assert count_taught(app, "aka_ribbon") == 0


def test_a_new_character_is_answered_by_everybodys_next_question(app, client, operator, crop):
    assert identify(client, crop) == "kiiro_star"
    send(client, crop, "Shiro Hat")
    made = operator.post("/operator/label/characters", name="Shiro Hat", work="The Drawn Four")
    done = decide(operator, "correct", label=made.json["label"], known=True)
    assert done.json["known"] == ["Shiro Hat"]
    known = app.extensions["kyara_model"].classifier.character("shiro_hat")
    assert (known.name_in("en"), known.work_in("en")) == ("Shiro Hat", "The Drawn Four")
    assert count_taught(app, "shiro_hat") == 1


def test_who_is_corrected_is_known_as_the_other_one_only(app, client, operator, crop):
    send(client, crop, "aka_ribbon")
    decide(operator, "accept", known=True)
    decide(operator, "correct", label="ao_glasses", known=True)
    assert (count_taught(app, "aka_ribbon"), count_taught(app, "ao_glasses")) == (0, 1)
    decide(operator, "reject")
    assert count_taught(app, "ao_glasses") == 0


def test_a_crop_that_looks_like_somebody_else_is_told(client, operator, crop):
    send(client, crop, "aka_ribbon")
    told = decide(operator, "accept", known=True).json["told"]
    assert told == [
        "The face does not look like the others of Aka Ribbon; undo it if it is somebody else."
    ]


def test_what_is_taught_is_looked_at_once(app, client, operator, crop, tiny_data, monkeypatch):
    backbone = app.extensions["kyara_model"].classifier.backbone
    extract, looked = type(backbone).extract, []

    def count(self, crops):
        looked.append(list(crops))
        return extract(self, looked[-1])

    monkeypatch.setattr(type(backbone), "extract", count)
    more = as_url((tiny_data / "aka_ribbon" / "001.png").read_bytes())
    told = operator.post("/operator/characters/teach", name="Shiro Hat", crops=[crop, more]).json["told"]
    assert told == [
        "2 of 2 faces do not look like the others of Shiro Hat; undo it if it is somebody else."
    ]
    assert [len(crops) for crops in looked] == [2]


def test_labelled_faces_are_known_at_once_and_undone(app, client, operator):
    ids = fill_inbox(Path(app.config["DATASET_FOLDER"]), 2)
    faces = operator.get("/operator/label/faces").json["faces"]
    seen = {face["id"]: face["version"] for face in faces}
    assert set(seen) == set(ids)
    body = {"faces": seen, "label": "aka_ribbon", "known": True, "action": "label-step-1"}
    done = operator.post("/operator/label/decisions", **body).json
    assert done["known"] == ["Aka Ribbon"]
    assert count_taught(app, "aka_ribbon") == 2
    operator.post("/operator/label/undo", action="label-step-2", undoes="label-step-1")
    assert count_taught(app, "aka_ribbon") == 0


def test_a_decision_stands_though_the_gallery_cannot_follow(app, client, operator, crop, monkeypatch):
    send(client, crop, "aka_ribbon")
    monkeypatch.setitem(app.config, "TAUGHT_DATABASE", "")
    model = app.extensions["kyara_model"]
    monkeypatch.setattr(model, "_classifier", type(model.classifier)(model.classifier.bundle))
    done = decide(operator, "accept", known=True)
    assert done.json["counts"]["accepted"] == 1
    (told,) = done.json["told"]
    assert told.startswith("Aka Ribbon is not known by it yet: ")


def test_a_new_name_that_somebody_has_is_told(operator):
    refused = operator.post("/operator/label/characters", name="Ribbon Aka")
    assert refused.status_code == 409
    assert refused.json["detail"].startswith("Aka Ribbon (aka_ribbon) has this name already.")
    other = operator.post("/operator/label/characters", name="Ribbon Aka", label="other/ribbon_aka")
    assert other.status_code == 201


@pytest.mark.parametrize("made", [{"label": "aka_ribbon"}, {"label": "shiro_hat"}, {}])
def test_a_new_character_with_the_label_of_another_is_told_whose_it_is(operator, crop, made):
    operator.post("/operator/label/characters", name="Kuro Coat", label="shiro_hat")
    new = {"name": "Shiro Hat", **made}
    owner = "Aka Ribbon (aka_ribbon)" if made.get("label") == "aka_ribbon" else "Kuro Coat (shiro_hat)"
    what = "label" if made else "name"  # a label is a name too
    refused = operator.post("/operator/label/characters", **new)
    taught = operator.post("/operator/characters/teach", **new, crops=[crop])
    assert refused.status_code == 409
    assert refused.json["detail"].startswith(f"{owner} has this {what} already. Choose who it is from")
    if not made:  # a label that is given is whom the pictures are of
        assert (taught.status_code, taught.json["detail"]) == (409, refused.json["detail"])
    else:
        assert (taught.status_code, taught.json["label"]) == (200, made["label"])


@pytest.mark.parametrize("unreadable", [0, 1, 2])
def test_a_crop_that_cannot_be_read_stops_no_other_from_being_forgotten(
    app, client, operator, tiny_data, report_dir, monkeypatch, unreadable
):
    crops = [as_url((tiny_data / "kiiro_star" / f"{number:03}.png").read_bytes()) for number in range(3)]
    ids = [send(client, one, "aka_ribbon") for one in crops]
    decide(operator, "accept", known=True, step="the-first-step")
    assert count_taught(app, "aka_ribbon") == 3
    (picture,) = report_dir.glob(f"*{ids[unreadable]}*.png")
    picture.write_bytes(b"nothing")
    published: list[str] = []
    monkeypatch.setattr(app.extensions["kyara_events"], "publish", published.append)
    undone = operator.post("/operator/reports/undo", step="the-first-step")
    (told,) = undone.json["told"]
    assert told.startswith("Aka Ribbon may still be known by it: ")
    assert count_taught(app, "aka_ribbon") == 1
    assert published == [TAUGHT]


def test_a_character_is_taught_from_pictures_and_forgets_one(app, client, operator, crop, tiny_data):
    more = as_url((tiny_data / "kiiro_star" / "001.png").read_bytes())
    lesson = {"name": "白ぼうし", "work": "画中人", "crops": [crop, more]}
    taught = operator.post("/operator/characters/teach", **lesson)
    assert taught.status_code == 200, taught.text
    label = taught.json["label"]
    assert taught.json["name"] == "白ぼうし"
    first, second = taught.json["references"]
    with operator.get(first["picture"]) as picture:
        assert picture.content_type == "image/png"
    left = operator.post("/operator/characters/forget", label=label, reference=first["id"])
    assert left.json["references"] == [second]
    again = operator.post("/operator/characters/forget", label=label, reference=first["id"])
    assert again.status_code == 404


@pytest.mark.parametrize(
    ("lesson", "status", "words"),
    [
        ({"name": "Ribbon Aka"}, 409, "Aka Ribbon (aka_ribbon) has this name already"),
        ({"name": "☆"}, 400, "give one as well"),
        ({"label": "No Label!", "name": "x"}, 400, "cannot be taken"),
        ({"name": "x", "crops": []}, 422, "crops"),
        ({"name": "x", "crops": ["data:image/png;base64,AAAA"]}, 415, ""),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(operator, crop, lesson, status, words):
    answer = operator.post("/operator/characters/teach", **{"crops": [crop], **lesson})
    assert answer.status_code == status, answer.text
    assert words in answer.json["detail"]
