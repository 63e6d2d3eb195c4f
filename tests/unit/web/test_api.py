"""The HTTP API: good requests, hostile ones, and a full queue."""

from __future__ import annotations

import json
import textwrap
import threading

import pytest
from drawings import LABELS
from encoding import encode_image
from hostile import as_url, crops_of, encode, hostile_bodies
from PIL import Image
from verdict_models import write_verdict_model
from waiting import wait_until

from kyara.vision.images import encode_png, read_image

HOSTILE = list(hostile_bodies())


@pytest.fixture
def drawn_crop(tiny_data) -> str:
    return as_url(encode_png(read_image(tiny_data / "aka_ribbon" / "000.png")))


def test_identify_answers_a_drawn_character_in_japanese(client, drawn_crop):
    answer = client.post("/api/identify", json={"crops": [drawn_crop], "language": "ja"}).json
    (face,) = answer["faces"]
    assert answer["model"]["name"] == "tiny"
    assert face["verdict"] == "known"
    assert face["answers"][0]["label"] == "aka_ribbon"
    assert face["answers"][0]["name"] == "赤リボン"
    assert face["answers"][0]["work"] == "描かれた四人"
    assert -1 <= face["answers"][0]["similarity"] <= 1
    assert sum(entry["confidence"] for entry in face["answers"]) == pytest.approx(1, abs=1e-3)


def test_identify_follows_the_browsers_language(client, drawn_crop):
    headers = {"Accept-Language": "zh-CN,zh;q=0.9"}
    answer = client.post("/api/identify", json={"crops": [drawn_crop]}, headers=headers).json
    assert answer["faces"][0]["answers"][0]["name"] == "红丝带"


def test_identify_answers_five_256_px_crops_in_order(client, tiny_data):
    files = [tiny_data / LABELS[n % 4] / "002.png" for n in range(5)]
    crops = []
    for file in files:
        pixels = read_image(file)
        crops.append(as_url(encode_png(pixels.repeat(3, axis=0).repeat(3, axis=1)[:256, :256])))
    answer = client.post("/api/identify", json={"crops": crops, "top_k": 2})
    assert answer.status_code == 200
    assert [len(face["answers"]) for face in answer.json["faces"]] == [2] * 5
    assert [face["answers"][0]["label"] for face in answer.json["faces"]] == [
        f.parent.name for f in files
    ]


def test_identify_says_probably_where_the_name_is_no_fact(make_app, drawn_crop, tiny_bundle, tmp_path):
    write_verdict_model(tiny_bundle, tmp_path / "probable", "probably")
    client = make_app(MODEL_FOLDER=str(tmp_path / "probable")).test_client()
    (face,) = client.post("/api/identify", json={"crops": [drawn_crop]}).get_json()["faces"]
    assert face["verdict"] == "probably"
    assert face["answers"][0]["label"] == "aka_ribbon"
    assert 'kyara_verdicts_total{verdict="probably"} 1.0' in client.get("/metrics").text


def test_the_openapi_document_tells_the_verdicts(client):
    schema = client.get("/api/openapi.json").json["components"]["schemas"]["FaceOut"]
    verdict = schema["properties"]["verdict"]
    assert verdict["enum"] == ["known", "probably", "unknown"]
    for name in verdict["enum"]:
        assert f"`{name}`" in verdict["description"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_identify_tells_the_format_by_content_not_by_claim(client, kind):
    crop = as_url(encode(kind), "text/html")
    assert client.post("/api/identify", json={"crops": [crop]}).status_code == 200


def test_the_hostile_table_has_200_inputs():
    assert len(HOSTILE) >= 200
    assert len({name for name, _, _ in HOSTILE}) == len(HOSTILE)


def test_each_hostile_input_gets_a_sentence_and_the_next_good_one_an_answer(client, drawn_crop):
    wrong = []
    for name, body, content_type in HOSTILE:
        answer = client.post("/api/identify", data=body, content_type=content_type or None)
        problem = answer.get_json(silent=True) or {}
        sentence = problem.get("detail", "")
        if (
            not 400 <= answer.status_code < 500
            or len(sentence.split()) < 3
            or not sentence.endswith(".")
        ):
            wrong.append((name, answer.status_code, answer.text[:200]))
        assert answer.content_type == "application/problem+json", name
        assert problem["status"] == answer.status_code
    assert not wrong
    assert client.post("/api/identify", json={"crops": [drawn_crop]}).status_code == 200


@pytest.mark.parametrize(
    ("status", "crop"),
    [
        (400, "data:image/png;base64,AAA"),
        (413, next(body for name, body, _ in HOSTILE if name.startswith("bomb"))),
        (415, as_url(b"<svg/>")),
        (422, as_url(encode("PNG")[:200])),
    ],
)
def test_the_status_tells_what_was_wrong_and_the_index_which_crop(client, drawn_crop, status, crop):
    if isinstance(crop, bytes):
        crop = crop.decode().split('"')[3]
    for crops in ([crop], [crop, "data:,"], [crop] * 3):
        answer = client.post("/api/identify", json={"crops": crops})
        assert (answer.status_code, answer.json["crop"]) == (status, 0)
    detail = answer.json["detail"]
    answer = client.post("/api/identify", json={"crops": [drawn_crop, crop, drawn_crop]})
    assert answer.status_code == 200
    first, broken, last = answer.json["faces"]
    assert first == last and first["answers"][0]["label"] == "aka_ribbon"
    assert (broken["verdict"], broken["answers"]) == ("unknown", [])
    assert (broken["error"]["status"], broken["error"]["detail"]) == (status, detail)
    assert set(first) == {"verdict", "answers"}


def test_a_bad_crop_is_no_verdict(client, drawn_crop):
    def count() -> str:
        lines = client.get("/metrics").text.splitlines()
        return "".join(line for line in lines if line.startswith("kyara_verdicts_total"))

    client.post("/api/identify", json={"crops": [drawn_crop]})
    client.post("/api/identify", json={"crops": [as_url(b"<svg/>"), drawn_crop]})
    assert count() == 'kyara_verdicts_total{verdict="known"} 2.0'


def test_all_crops_together_are_refused_where_they_are_too_large(client, drawn_crop):
    (big,) = [body for name, body, _ in HOSTILE if name == "five crops of 16 Mpx"]
    crops = [drawn_crop, *json.loads(big)["crops"]]
    answer = client.post("/api/identify", json={"crops": crops})
    assert (answer.status_code, answer.json["crop"]) == (413, 4)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_base64_may_have_line_breaks(client, drawn_crop, line_end):
    head, encoded = drawn_crop.split(",")
    lines = line_end.join(textwrap.wrap(encoded, 76))
    expected = client.post("/api/identify", json={"crops": [drawn_crop]}).json["faces"]
    for crop in (f"{head},{lines}", f"{head},{line_end}{lines}{line_end}"):
        assert client.post("/api/identify", json={"crops": [crop]}).json["faces"] == expected
    body = f'{{"crops":{line_end} ["{head},{lines}"]}}'  # as a shell puts it in
    answer = client.post("/api/identify", data=body, content_type="application/json")
    assert answer.json["faces"] == expected


@pytest.mark.parametrize("wrong", ["{\n}", '{"crops": ["a\nb"]}', '{"crops": ["data:,\n\tx"]}'])
def test_line_breaks_make_nothing_else_right(client, wrong):
    answer = client.post("/api/identify", data=wrong, content_type="application/json")
    assert 400 <= answer.status_code < 500


def test_a_crop_that_is_cut_short_is_answered_with_a_warning(client, tiny_data):
    with Image.open(tiny_data / "aka_ribbon" / "000.png") as image:
        crop = as_url(encode_image(image, "JPEG", quality=95)[:-300])
    (face,) = client.post("/api/identify", json={"crops": [crop]}).json["faces"]
    assert face["answers"][0]["label"] == "aka_ribbon"
    assert "cut short" in face["warning"]


def test_a_full_queue_answers_503_with_retry_after(app, drawn_crop):
    model = app.extensions["kyara_model"]
    leave = threading.Event()

    def stay_inside() -> None:
        with model.place():
            leave.wait(timeout=60)

    crowd = [threading.Thread(target=stay_inside) for _ in range(app.config["MAX_QUEUED"])]
    for thread in crowd:
        thread.start()
    try:
        wait_until(lambda: model.count().full)
        running = model.count().running
        answer = app.test_client().post("/api/identify", json={"crops": [drawn_crop]})
    finally:
        leave.set()
        for thread in crowd:
            thread.join()
    assert running == model.count().running_places < len(crowd)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert app.test_client().post("/api/identify", json={"crops": [drawn_crop]}).status_code == 200


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("赤リ", ["aka_ribbon"]),
        ("蓝", ["ao_glasses"]),
        ("RIBBON", ["aka_ribbon"]),
        ("ａｋａ", ["aka_ribbon"]),
        ("描かれた", ["aka_ribbon", "ao_glasses"]),
        ("midori bun", ["midori_bun"]),
        ("nobody", []),
    ],
)
def test_characters_are_found_in_any_language(client, query, labels):
    answer = client.get("/api/characters", query_string={"query": query}).json
    assert [entry["label"] for entry in answer["characters"]] == labels


def test_characters_refuses_a_wrong_limit(client):
    answer = client.get("/api/characters?limit=x")
    assert answer.status_code == 422
    assert "limit" in answer.json["detail"]


def test_healthz_tells_the_model(client):
    answer = client.get("/healthz")
    assert answer.json["status"] == "ok"
    assert answer.json["model"]["characters"] == len(LABELS)


def test_without_a_model_the_page_opens_and_the_api_answers_503(make_app, tmp_path):
    client = make_app(MODEL_FOLDER=str(tmp_path)).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/healthz").status_code == 503
    body, content_type = crops_of(as_url(encode("PNG")))
    answer = client.post("/api/identify", data=body, content_type=content_type)
    assert answer.status_code == 503
    assert "No model serves" in answer.get_json()["detail"]


def test_openapi_lists_every_route_and_the_docs_page_shows_it(client, app):
    paths = client.get("/api/openapi.json").json["paths"]
    routes = {
        str(rule).replace("<", "{").replace(">", "}")
        for rule in app.url_map.iter_rules()
        if str(rule).startswith(("/api/", "/healthz"))
    }
    routes -= {"/api/docs", "/api/openapi.json"}
    assert {path.replace("<", "{") for path in paths} >= {r.replace("string:", "") for r in routes}
    assert "swagger-ui-bundle.js" in client.get("/api/docs").text


def test_an_unknown_address_is_a_problem_for_programs_and_a_page_for_people(client):
    assert client.get("/api/nothing").content_type == "application/problem+json"
    page = client.get("/nothing", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.content_type.startswith("text/html")
