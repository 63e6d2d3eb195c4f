"""The HTTP API: good requests, hostile ones, and a full queue."""

from __future__ import annotations

import threading

import pytest
from drawings import LABELS
from hostile import as_url, crops_of, encode, hostile_bodies
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
    files = [tiny_data / LABELS[n % 4] / "001.png" for n in range(5)]
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
    answer = client.post("/api/identify", json={"crops": [drawn_crop, crop]})
    assert (answer.status_code, answer.json["crop"]) == (status, 1)


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


def test_without_a_model_the_page_opens_and_the_api_answers_503(tmp_path, report_dir):
    from app import create_app

    app = create_app({"MODEL_FOLDER": str(tmp_path), "REPORT_FOLDER": str(report_dir)})
    client = app.test_client()
    assert client.get("/").status_code == 200
    assert client.get("/healthz").status_code == 503
    body, content_type = crops_of(as_url(encode("PNG")))
    answer = client.post("/api/identify", data=body, content_type=content_type)
    assert answer.status_code == 503
    assert "No model serves" in answer.get_json()["detail"]
    app.extensions["kyara_reports"].close()


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


def test_every_answer_carries_a_strict_policy(client):
    for path in ("/", "/healthz", "/static/js/page/main.js"):
        with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
