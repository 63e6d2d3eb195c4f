"""`POST /api/explain`: good requests, hostile ones, and a busy server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from apiflask import APIFlask
from drawings import LABELS, draw_face
from flask.testing import FlaskClient
from hostile import as_url, hostile_bodies

from kyara.recognition.explain import METHODS
from kyara.vision.images import encode_png, read_image
from kyara.web.crops import SentCrops
from kyara.web.public.explanations import explainer
from kyara.web.serving.admission import Deadline


def decode(data_url: str) -> np.ndarray:
    """Return the pixels of a data URL."""
    return SentCrops([data_url]).decode_one(Deadline(10))


@pytest.mark.parametrize("method", METHODS)
def test_an_answer_is_explained_by_every_method(client, crop: str, method: str):
    question = {"crop": crop, "label": LABELS[2], "method": method, "language": "ja"}
    answer = client.post("/api/explain", json=question)
    assert answer.status_code == 200
    assert (answer.json["label"], answer.json["method"]) == (LABELS[2], method)
    assert decode(answer.json["heatmap"]).shape == (320, 320, 3)
    assert answer.json["took_ms"] > 0
    names = {near["label"]: near["name"] for near in answer.json["nearest"]}
    assert LABELS[2] in names
    assert names.get("aka_ribbon", "赤リボン") == "赤リボン"
    assert all("thumbnail" not in near for near in answer.json["nearest"])


def test_the_best_answer_is_the_default_and_the_map_has_the_crops_shape(client, tiny_data):
    pixels = read_image(tiny_data / "aka_ribbon" / "000.png")[:, 8:80]
    url = as_url(encode_png(np.ascontiguousarray(pixels)))
    headers = {"Accept-Language": "zh-CN"}
    best = client.post("/api/identify", json={"crops": [url]}).json["faces"][0]["answers"][0]
    answer = client.post("/api/explain", json={"crop": url}, headers=headers).json
    assert (answer["label"], answer["method"]) == (best["label"], "occlusion")
    assert decode(answer["heatmap"]).shape == (320, 240, 3)


@pytest.fixture
def teaching_client(app: APIFlask) -> FlaskClient:
    """A client of an application that has taught characters of its own."""
    pixels = np.asarray(draw_face(3, np.random.default_rng(9)))
    app.extensions["kyara_model"].classifier.teach("drawn_twice", [pixels], {"en": "Drawn Twice"})
    return app.test_client()


def test_only_taught_references_have_thumbnails(teaching_client):
    pixels = np.asarray(draw_face(3, np.random.default_rng(9)))
    url = as_url(encode_png(pixels))
    answer = teaching_client.post("/api/explain", json={"crop": url, "label": "drawn_twice"}).json
    taught = [near for near in answer["nearest"] if near["taught"]]
    assert [near["name"] for near in taught] == ["Drawn Twice"]
    assert decode(taught[0]["thumbnail"]).shape == (96, 96, 3)
    others = [near for near in answer["nearest"] if not near["taught"]]
    assert others
    assert all("thumbnail" not in near for near in others)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"label": "nobody"}, 400, "knows nobody by the label 'nobody'"),
        ({"label": ""}, 400, "knows nobody"),
        ({"label": 5}, 422, "label: Not a valid string."),
        ({"label": "x" * 201}, 422, "label: Longer than"),
        ({"method": "grad-cam"}, 400, "needs the gradients"),
        ({"method": "<script>"}, 400, "There is no method '<script>'"),
        ({"method": "x" * 41}, 422, "method: Longer than"),
        ({"method": None}, 422, "method: Field may not be null."),
        ({"language": "fr"}, 422, "language: Must be one of"),
        ({"crop": [1]}, 422, "crop: Not a valid string."),
        ({"crop": ""}, 400, "A crop is a data URL"),
        ({"top_k": 1}, 422, "top_k: Unknown field."),
    ],
)
def test_a_bad_question_gets_a_sentence(client, crop: str, change, status: int, words: str):
    answer = client.post("/api/explain", json={"crop": crop, **change})
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert words in answer.json["detail"]


def hostile_questions() -> Iterator[tuple[str, bytes, str]]:
    """The hostile bodies of /api/identify, those with a single crop turned into its question here."""
    for name, body, content_type in hostile_bodies():
        if body.startswith(b'{"crops": [') and len(body) < 1_000_000:
            try:
                asked = json.loads(body)
            except (ValueError, RecursionError):
                continue
            if set(asked) == {"crops"} and len(asked["crops"]) == 1:
                body = json.dumps({"crop": asked["crops"][0]}).encode()
        yield name, body, content_type


def test_each_hostile_body_gets_a_sentence(client):
    questions = list(hostile_questions())
    assert sum(body.startswith(b'{"crop": ') for _, body, _ in questions) > 100
    wrong = []
    for name, body, content_type in questions:
        answer = client.post("/api/explain", data=body, content_type=content_type or None)
        problem = answer.get_json(silent=True) or {}
        if not 400 <= answer.status_code < 500 or not problem.get("detail", "").endswith("."):
            wrong.append((name, answer.status_code, answer.text[:200]))
        assert answer.content_type == "application/problem+json", name
    assert not wrong


def test_two_explanations_at_once_are_enough(client, crop: str):
    with explainer(), explainer():
        answer = client.post("/api/explain", json={"crop": crop})
        assert client.post("/api/identify", json={"crops": [crop]}).status_code == 200
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert client.post("/api/explain", json={"crop": crop}).status_code == 200


def test_the_openapi_document_tells_the_methods(client):
    document = client.get("/api/openapi.json").json
    schema = document["components"]["schemas"]["ExplainIn"]
    assert schema["properties"]["method"]["enum"] == list(METHODS)
    assert schema["required"] == ["crop"]
