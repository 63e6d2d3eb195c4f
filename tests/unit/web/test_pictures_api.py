"""`POST /api/pictures`: every way to send a picture, what is refused, what it costs."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_fixtures import MakeApp
from command_line import ROOT, run_kyara
from costly import png
from flask.testing import FlaskClient
from hostile import FORM_TYPE, as_url, encode, write_form
from PIL import Image
from videos import EXAMPLE
from waiting import wait_until

from kyara.vision.images import encode_png
from kyara.web.crops import MAX_PICTURES
from kyara.web.public import pictures as route
from kyara.web.serving.admission import Deadline

FORM = "multipart/form-data"


@pytest.fixture(scope="session")
def looking_models(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with the tiny model, and the face network that ships."""
    folder = tmp_path_factory.mktemp("looking") / "model"
    shutil.copytree(tiny_model_folder, folder)
    shutil.copyfile(ROOT / "model" / "detector.json", folder / "detector.json")
    name = json.loads((folder / "detector.json").read_text())["serving"]
    shutil.copytree(ROOT / "model" / name, folder / name)
    return folder


@pytest.fixture
def make_app(make_app: MakeApp, looking_models: Path) -> MakeApp:
    """Make applications that have the face network."""
    return partial(make_app, MODEL_FOLDER=str(looking_models))


@pytest.fixture
def looking(make_app: MakeApp) -> FlaskClient:
    """A client of an application that finds faces with the network."""
    return make_app().test_client()


@pytest.fixture(scope="session")
def example() -> bytes:
    """The example with three faces, smaller, as PNG."""
    with Image.open(EXAMPLE) as image:
        image.thumbnail((700, 700))
        return encode_png(np.asarray(image.convert("RGB")))


def make_form(*parts: tuple[str, str, bytes]) -> dict[str, Any]:
    """Return how to send a form of parts."""
    return {"data": write_form(*parts), "content_type": FORM_TYPE}


def send_form(client: FlaskClient, *pictures: bytes, headers: Any = None, **fields: str) -> Any:
    """Send pictures as files of a form."""
    files = [("picture", f"{number}.png", data) for number, data in enumerate(pictures)]
    texts = [(name, "", value.encode()) for name, value in fields.items()]
    return client.post("/api/pictures", headers=headers, **make_form(*files, *texts))


def list_ways(data: bytes) -> dict[str, dict[str, Any]]:
    """Return every way to send one picture."""
    url = as_url(data)
    wrapped = url[:80] + "\r\n" + url[80:] + "\n"
    return {
        "a form with a file": make_form(("picture", "example.png", data)),
        "a form with a file of any name": make_form(("upload", "example.png", data)),
        "a form with a data URL": make_form(("picture", "", url.encode())),
        "the body": {"data": data, "content_type": "image/png"},
        "the body, of another type": {"data": data, "content_type": "application/octet-stream"},
        "the body, of no type": {"data": data},
        "curl --data-binary": {"data": data, "content_type": "application/x-www-form-urlencoded"},
        "a data URL as the body": {"data": url, "content_type": "text/plain"},
        "a data URL with line breaks": {"data": wrapped, "content_type": "text/plain"},
        "JSON": {"json": {"pictures": [url]}},
        "JSON with line breaks": {"json": {"pictures": [wrapped]}},
    }


@pytest.mark.parametrize("way", list_ways(b""))
def test_every_way_to_send_a_picture_gives_the_boxes_and_names_of_the_command_line(
    looking, example, tiny_bundle, tmp_path, way
):
    answer = looking.post("/api/pictures?language=ja&top_k=3", **list_ways(example)[way])
    assert answer.status_code == 200, answer.text
    assert answer.json["model"]["name"] == "tiny"
    (image,) = answer.json["images"]
    assert image == {"source": "example.png" if "file" in way else "", **identify(looking, example)}
    assert len(image["faces"]) >= 3
    if way != "a form with a file":
        return
    (tmp_path / "example.png").write_bytes(example)
    options = ("--model", tiny_bundle, "--json", "--language", "ja", "--top-k", "3")
    done = run_kyara("identify", tmp_path / "example.png", "--detector", "network", *options)
    (printed,) = json.loads(done.stdout)["images"]
    assert {**printed, "source": "example.png"} == image


def identify(client: FlaskClient, data: bytes) -> dict[str, Any]:
    """Return what the library says of a picture: the same functions, called by hand."""
    from kyara.recognition.pictures import identify_pixels
    from kyara.vision.detectors.base import open_detector
    from kyara.vision.images import decode_image

    classifier = client.application.extensions["kyara_model"].classifier
    with open_detector("network") as finder:
        seen = identify_pixels(decode_image(data), classifier, finder, top_k=3)
    return json.loads(json.dumps(seen.describe(classifier, "ja")))


def test_several_pictures_are_answered_in_order(looking, example):
    blank = encode_png(np.full((90, 160, 3), 255, np.uint8))
    for answer in (
        send_form(looking, example, blank, example),
        looking.post(
            "/api/pictures", json={"pictures": [as_url(one) for one in (example, blank, example)]}
        ),
    ):
        first, second, third = answer.json["images"]
        assert first["faces"] == third["faces"] != []
        assert (second["width"], second["height"], second["faces"]) == (160, 90, [])


def test_a_crop_is_answered_whole_as_the_other_route_answers_it(looking, tiny_data):
    data = (tiny_data / "aka_ribbon" / "000.png").read_bytes()
    crops = {"crops": [as_url(data)], "top_k": 2}
    (expected,) = looking.post("/api/identify", json=crops).json["faces"]
    ways = (
        send_form(looking, data, whole="true", top_k="2"),
        looking.post("/api/pictures?whole=1&top_k=2", data=data, content_type="image/png"),
        looking.post("/api/pictures", json={"pictures": [as_url(data)], "whole": True, "top_k": 2}),
    )
    for answer in ways:
        (image,) = answer.json["images"]
        assert image["faces"] == [{"box": {"x": 0, "y": 0, "width": 96, "height": 96}, **expected}]


def test_the_language_is_the_one_asked_for_or_the_browsers(looking, example):
    chinese = {"Accept-Language": "zh-CN"}
    for options, headers, word in (
        ({"language": "ja"}, chinese, "リボン"),
        ({}, chinese, "红"),
        ({}, {}, "Ribbon"),
    ):
        answer = send_form(looking, example, headers=headers, **options)
        names = [a["name"] for f in answer.json["images"][0]["faces"] for a in f["answers"]]
        assert any(word in name for name in names), names


def test_without_a_face_network_the_cascade_finds_them(client, example):
    (image,) = send_form(client, example).json["images"]
    assert len(image["faces"]) >= 2


def test_one_bad_picture_of_several_is_reported_in_its_place(looking, example):
    long = png((8_500, 500), 1, 0)
    cut = encode("JPEG", (300, 200))[:-2_000]
    answer = send_form(looking, b"<svg/>", example, long, cut)
    assert answer.status_code == 200
    none, good, too_long, short = answer.json["images"]
    assert (none["error"]["status"], none["faces"], none["width"]) == (415, [], 0)
    assert len(good["faces"]) >= 3 and not {"error", "warning"} & set(good)
    assert (too_long["error"]["status"], too_long["source"]) == (413, "2.png")
    assert "16 times as long as wide" in too_long["error"]["detail"]
    assert (short["width"], short["height"]) == (300, 200) and "cut short" in short["warning"]


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (make_form(("picture", "a.png", b"<svg/>")), 415, "PNG, JPEG, WEBP"),
        ({"data": b"<svg/>", "content_type": "image/png"}, 415, "PNG, JPEG, WEBP"),
        ({"data": encode("GIF"), "content_type": "image/gif"}, 415, "PNG, JPEG, WEBP"),
        ({"data": encode("PNG")[:60], "content_type": "image/png"}, 422, "cut short"),
        ({"data": png((5000, 5000), 1, 0), "content_type": "image/png"}, 413, "5000×5000"),
        ({"data": b"", "content_type": "image/png"}, 400, "curl -F picture=@"),
        (make_form(("top_k", "", b"5")), 400, "no picture"),
        ({"data": b"--x", "content_type": FORM}, 400, "cannot be read"),
        ({"data": b"data:image/png;base64,%%%", "content_type": "text/plain"}, 400, "base64"),
        ({"json": {"pictures": []}}, 422, "pictures"),
        ({"json": {"pictures": ["x"]}}, 400, "data URL"),
        ({"json": {"pictures": ["data:,"], "level": 3}}, 422, "level"),
        ({"json": [1]}, 422, ""),
        ({"data": b"{", "content_type": "application/json"}, 400, "not valid JSON"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(looking, sent, status, words):
    answer = looking.post("/api/pictures", **sent)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    "fields", [{"top_k": "0"}, {"top_k": "x"}, {"language": "fr"}, {"whole": "perhaps"}, {"level": "1"}]
)
def test_an_option_that_makes_no_sense_is_refused_by_its_name(looking, example, fields):
    answer = send_form(looking, example, **fields)
    assert (answer.status_code, next(iter(fields)) in answer.json["detail"]) == (422, True)


def test_more_pictures_than_a_request_may_have_are_refused(looking):
    small = encode("PNG", (8, 8))
    assert send_form(looking, *[small] * MAX_PICTURES, whole="1").status_code == 200
    for count in (MAX_PICTURES + 1, 40):
        answer = send_form(looking, *[small] * count, whole="1")
        assert answer.status_code == 413
    urls = [as_url(small)] * (MAX_PICTURES + 1)
    assert looking.post("/api/pictures", json={"pictures": urls}).status_code == 422


def test_a_server_without_opencv_says_what_to_install(looking, example, tiny_data, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    answer = send_form(looking, example)
    assert answer.status_code == 501
    assert "pip install -r requirements-detect.txt" in answer.json["detail"]
    crop = (tiny_data / "aka_ribbon" / "000.png").read_bytes()
    (image,) = send_form(looking, crop, whole="true").json["images"]
    assert image["faces"][0]["answers"][0]["label"] == "aka_ribbon"


def test_a_server_without_a_model_answers_503(make_app, example, tmp_path):
    (tmp_path / "empty").mkdir()
    client = make_app(MODEL_FOLDER=str(tmp_path / "empty")).test_client()
    answer = send_form(client, example)
    assert (answer.status_code, "No model serves" in answer.json["detail"]) == (503, True)


def test_pages_of_other_sites_may_not_send_forms(make_app, example):
    def post(origin: str, **settings: str) -> int:
        client = make_app(**settings).test_client()
        return send_form(client, example, headers={"Origin": origin}).status_code

    assert post("https://evil.example") == post("null") == post("http://[") == 403
    assert post("http://localhost") == 200
    assert post("https://fans.example", CORS_ORIGINS="https://fans.example") == 200
    assert post("https://evil.example", CORS_ORIGINS="https://fans.example") == 403


def test_a_picture_counts_as_a_request_and_a_large_one_as_several(make_app):
    small, large = encode("PNG", (8, 8)), png((2_000, 4_000), 1, 0)
    for pictures, counted in (([small], 1), ([small] * 3, 3), ([large], 4)):
        client = make_app(RATE_LIMITS="pictures=6/hour").test_client()
        assert send_form(client, *pictures, whole="1").status_code == 200
        statuses = [send_form(client, b"x").status_code for _ in range(7 - counted)]
        assert statuses == [415] * (6 - counted) + [429]


def test_pictures_wait_in_a_line_of_their_own(looking, example, tiny_data):
    leave, inside = threading.Event(), []

    def stay_inside() -> None:
        with route.turns.hold(Deadline(60)):
            inside.append(1)
            leave.wait(timeout=60)

    crowd = [threading.Thread(target=stay_inside) for _ in range(route.PLACES)]
    for thread in crowd:
        thread.start()
    try:
        wait_until(lambda: route.turns.count().full)
        answer = send_form(looking, example)
        crop = as_url((tiny_data / "aka_ribbon" / "000.png").read_bytes())
        beside = looking.post("/api/identify", json={"crops": [crop]})
    finally:
        leave.set()
        for thread in crowd:
            thread.join()
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert beside.status_code == 200
    assert send_form(looking, example).status_code == 200


def test_no_picture_is_ever_on_disk(looking, monkeypatch):
    noise = encode("PNG", (1000, 700))
    assert len(noise) > 2_000_000
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    (image,) = send_form(looking, noise).json["images"]
    assert (image["source"], image["width"]) == ("0.png", 1000)


def test_the_price_is_known_from_the_headers():
    from kyara.web.crops import SentPictures

    sizes = [(1000, 1000), (2000, 1000), (100, 1600), (3000, 3000)]
    prices = []
    for size in sizes:
        pictures = SentPictures([lambda size=size: png(size, 1, 0)], tolerant=True)
        prices.append(route._weigh(pictures, object()))  # type: ignore[arg-type]
    square = route.LOOK_SIZE
    assert prices == [square, 2 * square, 16 * square, square + 28]


def test_a_picture_that_is_too_long_is_no_work(looking, make_app):
    from kyara.web.crops import SentPictures

    good, long = encode("PNG", (64, 64)), png((32_767, 1), 1, 0)
    for files in ([long, good], [good, long], [long, good, long]):
        pictures = SentPictures([lambda one=one: one for one in files], tolerant=True)
        assert route._weigh(pictures, object()) == route.LOOK_SIZE  # type: ignore[arg-type]
        assert pictures.good == [files.index(good)]
    client = make_app(RATE_LIMITS="pictures=3/hour").test_client()
    statuses = []
    for _ in range(4):
        answer = send_form(client, long, good)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            refused, answered = answer.json["images"]
            assert (refused["error"]["status"], refused["faces"]) == (413, [])
            assert "32767×1" in refused["error"]["detail"]
            assert (answered["width"], answered["height"], "error" in answered) == (64, 64, False)
    assert statuses == [200, 200, 200, 429]
    assert send_form(looking, long).status_code == 413


def test_the_document_tells_every_kind_of_body(looking):
    post = looking.get("/api/openapi.json").json["paths"]["/api/pictures"]["post"]
    kinds = set(post["requestBody"]["content"])
    assert kinds >= {"multipart/form-data", "application/json", "application/octet-stream", "image/png"}
    assert {"200", "400", "403", "413", "415", "422", "429", "501", "503"} <= set(post["responses"])
    assert {one["name"] for one in post["parameters"]} == {"top_k", "language", "whole"}
