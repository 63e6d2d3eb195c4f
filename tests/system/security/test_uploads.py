"""What a stranger may upload, and what of it is left on the disk: pixels, and what was checked."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apiflask import APIFlask
from costly import documents
from flask.testing import FlaskClient
from hostile import as_url, bomb, crops_of, encode, png_of
from operators import OperatorClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kyara.errors import BadInputError

SECRET = "35.6586N-139.7454E-of-my-home"


def send(client: FlaskClient, data: bytes, **more: Any) -> Any:
    """Send a report of a picture."""
    return client.post("/api/reports", json={"crop": as_url(data), "label": "aka_ribbon", **more})


def read_stored(folder: Path) -> bytes:
    """Return the one stored picture."""
    (path,) = folder.glob("*.png")
    return path.read_bytes()


def write_jpeg_with_metadata() -> bytes:
    """A photograph with a place, a camera and a comment."""
    exif = Image.Exif()
    exif[0x010E] = SECRET
    exif[0x010F] = f"camera {SECRET}"
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (35.0, 39.0, 31.0)
    return encode("JPEG", exif=exif.tobytes(), comment=SECRET.encode(), xmp=f"<x>{SECRET}</x>".encode())


def write_png_with_metadata() -> bytes:
    """A PNG with texts and a colour profile."""
    texts = PngInfo()
    texts.add_text("Comment", SECRET)
    texts.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET}</x>")
    return encode("PNG", pnginfo=texts, icc_profile=SECRET.encode() * 9)


@pytest.mark.parametrize("make", [write_jpeg_with_metadata, write_png_with_metadata])
def test_nothing_but_pixels_of_a_picture_is_kept(client: FlaskClient, report_dir: Path, make):
    data = make()
    assert SECRET.encode() in data
    assert send(client, data).status_code == 201
    stored = read_stored(report_dir)
    assert SECRET.encode() not in stored
    with Image.open(io.BytesIO(stored)) as image:
        image.load()
        assert not image.getexif()
        assert not {"exif", "xmp", "icc_profile", "Comment"} & set(image.info)


def make_polyglots() -> dict[str, bytes]:
    """Pictures that are something else as well."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.txt", "PAYLOAD")
    png, jpeg = encode("PNG"), encode("JPEG", comment=b"*/=1;alert('PAYLOAD');/*")
    return {
        "PNG and HTML": png + b"<html><script>alert('PAYLOAD')</script></html>",
        "PNG and PHP": png + b"<?php system('PAYLOAD'); ?>",
        "PNG and ZIP": png + archive.getvalue().replace(b"evil", b"PAYLOAD"),
        "JPEG and JavaScript": jpeg,
        "WebP and shell": encode("WEBP") + b"\n#!/bin/sh\necho PAYLOAD\n",
    }


@pytest.mark.parametrize("name", make_polyglots())
def test_of_a_polyglot_only_the_picture_is_kept(client: FlaskClient, report_dir: Path, name):
    data = make_polyglots()[name]
    assert b"PAYLOAD" in data
    assert send(client, data).status_code == 201
    stored = read_stored(report_dir)
    assert b"PAYLOAD" not in stored
    assert stored.endswith(b"IEND\xaeB`\x82")
    assert not zipfile.is_zipfile(io.BytesIO(stored))


@pytest.mark.parametrize(
    "label", ["../../../etc/cron.d/x", "/etc/passwd", "..\\..\\x", "a/../../b", "x" * 200, ".htaccess"]
)
def test_a_visitor_chooses_no_path(client: FlaskClient, report_dir: Path, label):
    before = set(report_dir.parent.rglob("*"))
    answer = send(client, encode("PNG"), label=label)
    assert answer.status_code in (201, 400)
    for path in set(report_dir.parent.rglob("*")) - before:
        if path.suffix == ".png":
            assert path.parent == report_dir
            assert len(path.name) <= 120 and not path.name.startswith(".")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"crop=x&label=y", "application/x-www-form-urlencoded"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b'{"crops":["x"]}', "text/plain"),
    ],
)
@pytest.mark.parametrize("path", ["/api/identify", "/api/explain", "/api/reports"])
def test_a_form_on_another_site_cannot_upload(client: FlaskClient, path, body, kind):
    headers = {"Origin": "https://evil.example"}
    answer = client.post(path, data=body, content_type=kind, headers=headers)
    assert answer.status_code == 415
    asked = client.options(path, headers={**headers, "Access-Control-Request-Method": "POST"})
    for each in (answer, asked):
        assert not [name for name in each.headers.keys() if name.startswith("Access-Control")]


def test_an_address_in_place_of_a_picture_is_not_asked(client: FlaskClient):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/picture.png"
        for body in ({"crops": [url]}, {"crops": [f"data:{url};base64,AAAA"]}):
            assert client.post("/api/identify", json=body).status_code in (400, 415)
        assert send(client, b"x", note=url).status_code == 415
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "extra", ["state", "status", "reviewed_by", "count", "id", "sender", "file", "revision", "__class__"]
)
def test_a_visitor_sets_nothing_that_is_the_operators(client: FlaskClient, extra):
    answer = send(client, encode("PNG"), **{extra: "accepted"})
    assert answer.status_code == 422
    assert extra in answer.json["detail"]


def test_what_stands_there_twice_counts_once_and_everywhere_alike(client: FlaskClient):
    good, bad = json.dumps(as_url(encode("PNG", (8, 8)))), json.dumps("data:,")
    for first, last, status in ((good, bad, 400), (bad, good, 200)):
        body = f'{{"crops": [{first}], "crops": [{last}]}}'
        answer = client.post("/api/identify", data=body, content_type="application/json")
        assert answer.status_code == status


def test_a_hundred_thousand_unknown_keys_get_a_short_answer(client: FlaskClient):
    body = json.dumps({f"key{number}": number for number in range(100_000)})
    answer = client.post("/api/identify", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert len(answer.data) < 4_000


def test_a_value_is_not_told_back_at_full_length(client: FlaskClient):
    for path in ("/api/identify", "/api/explain", "/api/reports"):
        answer = client.post(path, json={"x" * 1_000_000: 1})
        assert answer.status_code == 400
        assert len(answer.data) < 4_000


def test_no_route_that_takes_json_breaks_on_a_document(operator: OperatorClient, app: APIFlask):
    adapter = app.url_map.bind("localhost")
    routes = [
        (method, adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, "x"), method))
        for rule in app.url_map.iter_rules()
        for method in sorted({"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set()))
    ]
    assert len(routes) > 15
    made = documents()
    chosen = ("a hundred thousand names", "900 levels", "40 levels", "100,000 levels")
    for method, path in routes:
        for name, body in [(name, made[name]) for name in chosen]:
            headers = {"X-CSRFToken": operator.token, "Accept": "application/json"}
            answer = operator.client.open(
                path, method=method, data=body, headers=headers, content_type="application/json"
            )
            assert 400 <= answer.status_code < 500, (method, path, name, answer.text[:200])


def test_the_size_of_a_picture_is_refused_before_a_pixel_is_unpacked(client: FlaskClient, monkeypatch):
    def unpack(image: Image.Image) -> np.ndarray:
        raise BadInputError("It was unpacked.")

    monkeypatch.setattr("kyara.vision.images._unpack", unpack)
    for data in (bomb(), png_of(60_000, 60_000), png_of(16_000_001, 1)):
        body, kind = crops_of(as_url(data))
        assert client.post("/api/identify", data=body, content_type=kind).status_code == 413
