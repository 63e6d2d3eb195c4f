"""The security headers of every kind of answer, and what caches may keep."""

from __future__ import annotations

import re
from urllib.request import urlopen

import pytest
from hostile import as_url, encode

from kyara.errors import BadInputError
from scripts.local_site import Server

PATHS = (
    "/",
    "/healthz",
    "/api/docs",
    "/api/openapi.json",
    "/static/js/page/main.js",
    "/service-worker.js",
    "/manifest.webmanifest",
    "/offline",
    "/nothing",
    "/operator/",
)
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_security_headers(client, path):
    with client.get(path, headers={"Accept": "text/html"}) as answer:
        headers = answer.headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["object-src"] == policy["frame-ancestors"] == "'none'"
    forms = "'self' https://saucenao.com" if path == "/" else "'self'"
    assert policy.pop("form-action") == forms
    assert not re.search(r"unsafe-inline|(?<!wasm-)unsafe-eval|\*|https?:", str(policy))
    for name, value in FIXED.items():
        assert headers[name] == value
    for feature in ("camera", "microphone", "geolocation", "clipboard-read", "display-capture"):
        assert f"{feature}=()" in headers["Permissions-Policy"].split(", ")
    assert "clipboard-write" not in headers["Permissions-Policy"]  # pictures are copied
    assert "Strict-Transport-Security" not in headers


def test_one_workers_script_alone_may_ask_other_sites_and_may_nothing_else(client):
    with client.get("/address-worker.js", headers={"Accept": "text/html"}) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; connect-src https:"
    for name, value in FIXED.items():
        assert headers[name] == value
    with client.get("/static/js/picture/address-worker.js") as answer:
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


def test_a_nonce_is_for_one_answer_alone(client):
    found = [
        re.search(r"'nonce-([\w-]{20,})'", client.get("/").headers["Content-Security-Policy"])
        for _ in range(2)
    ]
    assert found[0] and found[1] and found[0][1] != found[1][1]
    assert "nonce" not in client.get("/healthz").headers["Content-Security-Policy"]


def test_https_is_insisted_on_where_the_operator_says_so(make_app):
    secure = make_app(HSTS_SECONDS=31_536_000)
    answer = secure.test_client().get("/")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert secure.config["SESSION_COOKIE_SECURE"] is True


@pytest.mark.parametrize("seconds", [-1, True, "a year", 1.5, 10**12])
def test_a_wrong_number_of_seconds_keeps_the_site_from_starting(make_app, seconds):
    with pytest.raises(BadInputError, match="HSTS_SECONDS"):
        make_app(HSTS_SECONDS=seconds)


def test_no_cache_keeps_what_was_said_of_a_visitors_picture(client):
    crop = as_url(encode("PNG"))
    sent = [
        client.post("/api/identify", json={"crops": [crop]}),
        client.post("/api/explain", json={"crop": crop}),
        client.post("/api/reports", json={"crop": crop, "label": "aka_ribbon"}),
        client.post("/api/identify", json={"crops": ["x"]}),
        client.get("/?lang=ja"),
        client.get("/nothing"),
        client.get("/api/gallery"),
    ]
    assert {answer.headers["Cache-Control"] for answer in sent} == {"no-store"}
    assert "no-store" not in client.get("/api/characters").headers.get("Cache-Control", "")


def test_no_answer_tells_a_version_of_the_server(tiny_model_folder, tmp_path):
    with Server(tmp_path / "reports", model=tiny_model_folder) as server:
        with urlopen(f"{server.url}/") as answer:
            told = f"{answer.headers['Server']} {answer.headers.get('X-Powered-By', '')}"
    assert not re.search(r"\d", told), told
