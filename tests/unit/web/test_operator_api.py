"""Teaching over HTTP: what an operator may do, and what everybody else may not."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
from app_fixtures import MakeApp
from flask.testing import FlaskClient
from hostile import as_url, encode
from strangers import NEW, STRANGERS

from kyara.errors import BadInputError
from kyara.vision.images import encode_png

TOKEN = "correct-horse-battery"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
CROPS = [as_url(encode_png(crop)) for crop in STRANGERS]


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return make_app(OPERATOR_TOKEN=TOKEN).test_client()


def teach(client: FlaskClient, **enrolment: object) -> Any:
    return client.post(
        "/api/gallery", json={"label": NEW, "crops": CROPS[:2], **enrolment}, headers=OPERATOR
    )


def test_a_taught_character_is_listed_answered_and_forgotten(client):
    answer = teach(client, name={"en": "Stripes", "ja": "しましま"}, work="Drawn")
    assert (answer.status_code, answer.json) == (201, {"label": NEW, "references": 2})
    assert teach(client, crops=CROPS[1:3]).json["references"] == 3
    (listed,) = client.get("/api/gallery", headers=OPERATOR).json["characters"]
    ids = listed.pop("ids")
    assert len(ids) == 3
    assert listed == {
        "label": NEW,
        "name": "Stripes",
        "work": "Drawn",
        "references": 3,
    }
    face = client.post("/api/identify", json={"crops": CROPS[3:], "language": "ja"}).json["faces"][0]
    assert face["answers"][0]["name"] == "しましま"
    found = client.get("/api/characters?query=stripes").json["characters"]
    assert [entry["label"] for entry in found] == [NEW]
    assert client.get("/healthz").json["model"]["characters"] == 5
    one = client.delete(f"/api/gallery/{NEW}?reference={ids[1]}", headers=OPERATOR)
    assert (one.status_code, one.json) == (200, {"label": NEW, "references": 2})
    assert client.delete(f"/api/gallery/{NEW}", headers=OPERATOR).json["references"] == 0
    assert client.get("/api/gallery", headers=OPERATOR).json == {"characters": [], "forgotten": []}
    assert client.get("/healthz").json["model"]["characters"] == 4


def test_a_character_of_the_model_is_forgotten_and_comes_back(client):
    assert client.delete("/api/gallery/aka_ribbon", headers=OPERATOR).status_code == 200
    assert client.get("/api/gallery", headers=OPERATOR).json["forgotten"] == ["aka_ribbon"]
    assert client.get("/api/characters?query=aka").json["characters"] == []
    assert teach(client, label="aka_ribbon").status_code == 201
    (found,) = client.get("/api/characters?query=aka_ribbon&language=ja").json["characters"]
    assert found["name"] == "赤リボン"


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"label": "Miku"}, 400, "cannot be taken"),
        ({"label": "a//b"}, 400, "cannot be taken"),
        ({"label": 3}, 422, "label"),
        ({"crops": []}, 422, "between 1 and 20"),
        ({"crops": CROPS * 6}, 422, "between 1 and 20"),
        ({"crops": None}, 422, "crops"),
        ({"crops": ["hello"]}, 400, "data URL"),
        ({"crops": [CROPS[0], as_url(b"<svg/>")]}, 415, "formats"),
        ({"crops": [as_url(encode("PNG")[:200])]}, 422, "damaged"),
        ({"name": 3}, 422, "Give text"),
        ({"name": {"en": ["x"]}}, 422, "Give text"),
        ({"name": {"fr": "x"}}, 400, "languages"),
        ({"work": "x" * 101}, 400, "more than 100"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_a_wrong_lesson_is_refused_and_nothing_is_kept(client, change, status, words):
    answer = teach(client, **change)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]
    assert client.get("/api/gallery", headers=OPERATOR).json["characters"] == []
    assert not Path(client.application.config["TAUGHT_DATABASE"]).exists()


def test_the_crop_at_fault_is_named(client):
    assert teach(client, crops=[CROPS[0], "hello"]).json["crop"] == 1


@pytest.mark.parametrize("address", ["nobody", "a/b", f"{NEW}?reference=1", "aka_ribbon?reference=1"])
def test_forgetting_what_is_not_there_is_not_found(client, address):
    answer = client.delete(f"/api/gallery/{address}", headers=OPERATOR)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert client.get("/healthz").json["model"]["characters"] == 4


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ünï"],
)
def test_without_the_token_nothing_happens(client, header):
    headers = {} if header is None else {"Authorization": header}
    for answer in (
        client.get("/api/gallery", headers=headers),
        client.post("/api/gallery", json={"label": NEW, "crops": CROPS}, headers=headers),
        client.delete("/api/gallery/aka_ribbon", headers=headers),
    ):
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/healthz").json["model"]["characters"] == 4


def test_without_a_configured_token_there_are_no_such_routes(make_app):
    client = make_app(OPERATOR_TOKEN="").test_client()
    for answer in (
        client.get("/api/gallery", headers=OPERATOR),
        client.post("/api/gallery", json={"label": NEW, "crops": CROPS}, headers=OPERATOR),
        client.delete("/api/gallery/aka_ribbon", headers=OPERATOR),
    ):
        assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
        own, nothing = answer.get_json(), client.get("/api/nothing").get_json()
        assert own == {**nothing, "request_id": own["request_id"]}
    assert "/api/gallery" not in client.get("/api/openapi.json").get_json()["paths"]


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("short", "at least 16"),
        ("x" * 16 + " ", "spaces"),
        ("ü" * 20, "ASCII"),
        (10**20, "a number"),
        ("x" * 40, "8 different"),
        ("my-Secret-operator-token", "'secret'"),
    ],
)
def test_an_unsafe_token_keeps_the_site_from_starting(make_app, token, sentence):
    with pytest.raises(BadInputError, match=f"KYARA_OPERATOR_TOKEN .*{sentence}"):
        make_app(OPERATOR_TOKEN=token)


def test_the_token_comes_from_the_environment(make_app, monkeypatch):
    monkeypatch.setenv("KYARA_OPERATOR_TOKEN", TOKEN)
    assert make_app().test_client().get("/api/gallery", headers=OPERATOR).status_code == 200


def test_the_operator_routes_are_documented(client):
    document = client.get("/api/openapi.json").json
    assert {"/api/gallery", "/api/gallery/{label}"} <= set(document["paths"])
    assert document["components"]["securitySchemes"]["operator"]["scheme"] == "bearer"
    for route, methods in document["paths"].items():
        for method in methods.values():
            assert ("security" in method) == route.startswith("/api/gallery")


def test_a_full_disk_is_told_and_the_site_goes_on(client):
    assert teach(client).status_code == 201
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        answer = teach(client, label="drawn/six", crops=CROPS[2:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, answer.content_type) == (507, "application/problem+json")
    assert "Nothing was changed" in answer.json["detail"]
    assert client.get("/healthz").json["model"]["characters"] == 5
    assert teach(client, label="drawn/six").status_code == 201
