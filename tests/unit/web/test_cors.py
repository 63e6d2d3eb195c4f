"""Which other sites' pages may ask: none by default, those that are named, never with cookies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from app_fixtures import MakeApp
from flask.testing import FlaskClient
from hostile import as_url, encode

from kyara.errors import BadInputError
from kyara.web.ops.cors import OPEN_PATHS, read_origins

FANS, EVIL = "https://fans.example", "https://evil.example"


@pytest.fixture
def make_client(make_app: MakeApp) -> Callable[[str], FlaskClient]:
    return lambda origins: make_app(CORS_ORIGINS=origins).test_client()


def read_cors(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}


def preflight(client: Any, path: str, origin: str) -> Any:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Content-Type"}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_by_default_no_other_site_may_ask(client, path):
    assert read_cors(preflight(client, path, FANS)) == {}
    assert read_cors(client.get(path, headers={"Origin": FANS})) == {}


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_a_site_that_is_named_may_ask_and_no_other(make_client, path):
    client = make_client(f"{FANS}, http://localhost:3000")
    for origin in (FANS, "http://localhost:3000"):
        allowed = read_cors(preflight(client, path, origin))
        assert allowed["Access-Control-Allow-Origin"] == origin
        assert "POST" in allowed["Access-Control-Allow-Methods"]
        assert allowed["Access-Control-Allow-Headers"] == "Content-Type"
        assert "Access-Control-Allow-Credentials" not in allowed
    for origin in (EVIL, "null", f"{FANS}.evil.example", "http://localhost:3001", "http://fans.example"):
        assert read_cors(preflight(client, path, origin)) == {}


def test_answers_and_errors_can_be_read_by_the_page(make_client):
    client = make_client(FANS)
    crop = as_url(encode("PNG"))
    for crops, status in (([crop], 200), (["x"], 400)):
        answer = client.post("/api/identify", json={"crops": crops}, headers={"Origin": FANS})
        assert answer.status_code == status
        allowed = read_cors(answer)
        assert allowed["Access-Control-Allow-Origin"] == FANS
        assert allowed["Access-Control-Expose-Headers"] == "Retry-After, X-Request-ID"
        assert "Origin" in answer.headers["Vary"]


def test_a_star_is_every_site(make_client):
    client = make_client("*")
    for origin in (FANS, EVIL):
        allowed = read_cors(preflight(client, "/api/pictures", origin))
        assert allowed["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in allowed


def test_what_changes_anything_and_what_is_the_operators_is_open_to_nobody(make_client):
    client = make_client("*")
    for path in ("/api/reports", "/api/gallery", "/operator/", "/operator/login", "/", "/metrics"):
        assert read_cors(preflight(client, path, FANS)) == {}, path
        assert read_cors(client.get(path, headers={"Origin": FANS})) == {}, path


@pytest.mark.parametrize(
    "text",
    [
        "fans.example",
        "https://fans.example/",
        "https://fans.example/page",
        "https://*.fans.example",
        "*, https://fans.example",
        "null",
        "https://fans.example https://more.example",
        "https://user@fans.example",
        "https://fans.example:port",
    ],
)
def test_what_is_no_origin_keeps_the_site_from_starting(make_app, text):
    with pytest.raises(BadInputError, match="KYARA_CORS_ORIGINS cannot be understood"):
        make_app(CORS_ORIGINS=text)


def test_origins_are_read_in_any_case_and_with_any_space():
    assert read_origins(" HTTPS://Fans.example ,http://127.0.0.1:8080,,") == (
        "https://fans.example",
        "http://127.0.0.1:8080",
    )
    assert read_origins("") == read_origins(None) == ()
    assert read_origins("moz-extension://0a1b-2c") == ("moz-extension://0a1b-2c",)
