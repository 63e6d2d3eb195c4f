"""Packs on the operators' characters page: shown, installed, removed and made; and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strangers import NEW, STRANGERS

from kyara.recognition.characters import Character
from kyara.recognition.gallery import scale_to_unit
from kyara.recognition.pack_file import read_pack, write_pack
from kyara.recognition.packs import Pack, PackCharacter

PATH = "/operator/characters/packs"
BINARY = "application/octet-stream"


@pytest.fixture
def classifier(app) -> Any:
    return app.extensions["kyara_model"].classifier


@pytest.fixture
def pack(classifier) -> Pack:
    """A pack of somebody new, and of a namesake of somebody known."""
    faces = scale_to_unit(classifier.backbone.extract(STRANGERS)).astype(np.float16)
    members = (
        PackCharacter(Character(NEW, {"en": "<b>Stripes</b>"}, {"en": "Drawn"}), faces[:2]),
        PackCharacter(Character("mika", {"ja": "赤リボン"}, {}), faces[2:]),
    )
    return Pack("extras", "Rin", "CC0-1.0", classifier.backbone.fingerprint, members)


def send(operator, path: str, data: bytes, **headers: str) -> Any:
    headers = {"Accept": "application/json", "X-CSRFToken": operator.token, **headers}
    return operator.client.post(f"{PATH}/{path}", data=data, content_type=BINARY, headers=headers)


def test_a_pack_is_shown_installed_and_removed(operator, client, classifier, pack):
    data = write_pack(pack)
    shown = send(operator, "preview", data)
    assert shown.status_code == 200, shown.text
    sha256 = read_pack(data).sha256
    collision = {"label": "mika", "name": "赤リボン", "work": ""}
    assert shown.json == {
        **{"name": "extras", "author": "Rin", "licence": "CC0-1.0", "sha256": sha256},
        **{"characters": 2, "faces": 4, "new": 1, "joining": 0, "hidden": 0, "colliding": 1},
        "collided": shown.json["collided"],
        "collisions": [{**collision, "others": [classifier.character("aka_ribbon").to_json("en")]}],
    }
    assert classifier.taught == {}
    refused = send(operator, f"install?sha256={sha256}", data)
    assert (refused.status_code, "Choose" in refused.json["detail"]) == (409, True)
    collided = shown.json["collided"]
    done = send(operator, f"install?sha256={sha256}&collided={collided}&collisions=skip", data)
    assert (done.json["characters"], done.json["faces"]) == (1, 2)
    (listed,) = done.json["packs"]
    assert (listed["name"], listed["faces"], listed["fits"]) == ("extras", 2, True)
    assert client.get("/api/characters?query=stripes").json["characters"][0]["label"] == NEW
    page = operator.page("/operator/characters?query=stripes")
    assert "<b>Stripes</b>" not in page and "&lt;b&gt;Stripes" in page
    taken = operator.post(f"{PATH}/remove", name="extras").json
    assert taken == {"characters": 1, "faces": 2, "packs": []}
    assert classifier.taught == {}


def test_what_was_taught_is_downloaded_as_a_pack(operator, classifier):
    classifier.teach(NEW, STRANGERS[:2], {"en": "Stripes"})
    answer = operator.get(f"{PATH}/file?name=mine&author=Rin&licence=CC0-1.0")
    assert answer.headers["Content-Disposition"] == "attachment; filename=mine.pack"
    found = read_pack(answer.data)
    assert (found.name, found.author, found.licence, found.faces) == ("mine", "Rin", "CC0-1.0", 2)


def test_teaching_more_shows_no_picture_of_faces_that_have_none(operator, pack):
    data = write_pack(replace(pack, characters=pack.characters[:1]))
    send(operator, f"install?sha256={read_pack(data).sha256}", data)
    from hostile import as_url

    from kyara.vision.images import encode_png

    taught = operator.post(
        "/operator/characters/teach", label=NEW, crops=[as_url(encode_png(STRANGERS[3]))]
    ).json
    assert len(taught["references"]) == 1
    assert operator.get(taught["references"][0]["picture"]).status_code == 200


def test_another_file_than_the_one_that_was_shown_is_refused(operator, classifier, pack):
    answer = send(operator, f"install?sha256={'0' * 64}&collisions=skip", write_pack(pack))
    assert (answer.status_code, "another than" in answer.json["detail"]) == (409, True)
    assert classifier.taught == {}


def test_a_choice_holds_for_the_collisions_that_were_shown_alone(operator, classifier, pack):
    data = write_pack(pack)
    shown = send(operator, "preview", data).json
    classifier.teach("aka_two", STRANGERS[:1], {"ja": "赤リボン"})
    install = f"install?sha256={shown['sha256']}&collisions=skip"
    for path in (install, f"{install}&collided={shown['collided']}"):
        answer = send(operator, path, data)
        assert (answer.status_code, "others than when it was shown" in answer.json["detail"]) == (
            409,
            True,
        )
    again = send(operator, "preview", data).json
    assert send(operator, f"{install}&collided={again['collided']}", data).status_code == 200


def test_a_taught_database_that_cannot_be_read_leaves_the_page_and_is_told(app, operator, classifier):
    Path(app.config["TAUGHT_DATABASE"]).write_bytes(b"no database" * 999)
    page = operator.page("/operator/characters")
    assert "aka_ribbon" in page
    assert "What was taught cannot be read" in page


@pytest.mark.parametrize("path", ["preview", f"install?sha256={'0' * 64}"])
def test_what_is_no_pack_for_this_model_is_refused_with_a_sentence(operator, pack, path):
    data = write_pack(pack)
    other = write_pack(replace(pack, network="0123456789abcdef"))
    for body, sentence in ((data[:-9], "cut short"), (b"GIF89a", "not a pack"), (b"", "not a pack")):
        answer = send(operator, path, body)
        assert (answer.status_code, sentence in answer.json["detail"]) == (400, True)
    answer = send(operator, "preview", other)
    assert (answer.status_code, "network 0123456789abcdef" in answer.json["detail"]) == (400, True)
    answer = operator.post(f"{PATH}/preview", pack="x")
    assert (answer.status_code, "octet-stream" in answer.json["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("name=mine&author=Rin&licence=CC0-1.0", 404),
        ("name=../mine&author=Rin&licence=CC0-1.0", 400),
        ("name=mine&author=Rin", 422),
    ],
)
def test_a_pack_that_cannot_be_made_is_told(operator, query, status):
    assert operator.get(f"{PATH}/file?{query}").status_code == status


def test_packs_are_operators_alone_and_need_a_token(operator, client, classifier, pack):
    data = write_pack(replace(pack, characters=pack.characters[:1]))
    install = f"install?sha256={read_pack(data).sha256}"
    for path in ("preview", install):
        stranger = client.post(f"{PATH}/{path}", data=data, content_type=BINARY)
        assert stranger.status_code == 401
        forged = send(operator, path, data, **{"X-CSRFToken": "x"})
        assert forged.status_code == 403
    assert client.get(f"{PATH}/file?name=a&author=b&licence=c").status_code == 401
    assert client.post(f"{PATH}/remove", json={"name": "extras"}).status_code == 401
    assert classifier.taught == {}


def test_a_pack_has_the_bound_of_every_body(app, operator):
    size = app.config["MAX_CONTENT_LENGTH"]
    assert send(operator, "preview", bytes(size + 1)).status_code == 413
