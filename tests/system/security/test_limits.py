"""Rate limits: who is counted together, what is never counted, and what a client is told."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from apiflask import APIFlask
from app_fixtures import MakeApp
from hostile import as_url, encode
from operators import make_operator, send_login

from kyara.errors import BadInputError
from kyara.web.ops.limits import DEFAULT_LIMITS, KINDS, read_limits


def ask(app: APIFlask, address: str = "203.0.113.7", path: str = "/api/characters", **options) -> Any:
    """Send one request from an address."""
    return app.test_client().get(path, environ_overrides={"REMOTE_ADDR": address}, **options)


def test_who_asks_too_often_is_told_when_to_come_back_and_gets_in_then(make_app: MakeApp):
    app = make_app(RATE_LIMITS="characters=2/second")
    answers = [ask(app) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and answers[0].status_code == 200
    assert refused[0].content_type == "application/problem+json"
    assert "too many requests" in refused[0].json["detail"].lower()
    assert int(refused[0].headers["Retry-After"]) >= 1
    until = time.monotonic() + 30
    while ask(app).status_code != 200:
        assert time.monotonic() < until


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7:4711", "203.0.113.7:4712", True),
        ("[2001:db8:1:2::1]:4711", "2001:db8:1:2::9", True),
        ("[2001:db8:1:2::1]", "[2001:db8:1:3::1]:80", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unknown", "_hidden", True),
    ],
)
def test_ipv4_counts_by_address_and_ipv6_by_64_bits(make_app: MakeApp, first, second, together):
    app = make_app(RATE_LIMITS="characters=1/hour")
    assert ask(app, first).status_code == 200
    assert ask(app, second).status_code == (429 if together else 200)


@pytest.mark.parametrize(
    ("proxies", "statuses"),
    [(0, [200, 429]), (1, [200, 200])],
    ids=["no proxy is trusted", "one proxy is trusted"],
)
def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(make_app: MakeApp, proxies, statuses):
    app = make_app(RATE_LIMITS="characters=1/hour", TRUSTED_PROXIES=proxies)
    headers = [{"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}]
    assert [ask(app, headers=each).status_code for each in headers] == statuses


def test_behind_a_proxy_what_the_client_itself_claims_does_not_count(make_app: MakeApp):
    app = make_app(RATE_LIMITS="characters=1/hour", TRUSTED_PROXIES=1)
    for claimed, status in (("10.0.0.1", 200), ("10.0.0.2", 429), ("127.0.0.1, ::1", 429)):
        headers = {"X-Forwarded-For": f"{claimed}, 198.51.100.1"}
        assert ask(app, headers=headers).status_code == status


def test_a_proxy_that_is_not_configured_is_told_once(make_app: MakeApp, caplog):
    app = make_app()
    with caplog.at_level(logging.WARNING, "kyara.limits"):
        for _ in range(3):
            ask(app, headers={"X-Forwarded-For": "198.51.100.1"})
    assert [record for record in caplog.records if "TRUSTED_PROXIES" in record.message][1:] == []


def test_every_kind_has_its_own_count(make_app: MakeApp):
    app = make_app(RATE_LIMITS=", ".join(f"{kind}=1/hour" for kind in KINDS))
    make_operator(app, "rin")
    crop = as_url(encode("PNG", (8, 8)))
    client = app.test_client()
    requests = {
        "identify": lambda: client.post("/api/identify", json={"crops": [crop]}),
        "pictures": lambda: client.post("/api/pictures?whole=1", json={"pictures": [crop]}),
        "explain": lambda: client.post("/api/explain", json={"crop": crop}),
        "reports": lambda: client.post("/api/reports", json={"crop": crop, "label": "x"}),
        "characters": lambda: client.get("/api/characters"),
        "login": lambda: client.post("/operator/login"),
        "operator": lambda: client.get("/operator/reports"),
        "pages": lambda: client.get("/no-such-page"),
    }
    first = {kind: send().status_code for kind, send in requests.items()}
    assert 429 not in first.values(), first
    second = {kind: send().status_code for kind, send in requests.items()}
    assert set(second.values()) == {429}, second


def test_health_and_files_are_never_limited(make_app: MakeApp):
    app = make_app(RATE_LIMITS=", ".join(f"{kind}=1/hour" for kind in KINDS))
    for path in ("/healthz", "/readyz", "/metrics", "/static/js/page/main.js"):
        for _ in range(4):
            answer = ask(app, path=path)
            answer.close()
            assert answer.status_code != 429, path


def test_a_body_is_not_read_before_the_limit(make_app: MakeApp):
    app = make_app(RATE_LIMITS="identify=1/hour")
    client = app.test_client()
    for status in (400, 429):
        answer = client.post("/api/identify", data=b"{not json", content_type="application/json")
        assert answer.status_code == status


def test_a_person_is_shown_a_page(make_app: MakeApp):
    app = make_app(RATE_LIMITS="operator=1/hour")
    make_operator(app, "rin")
    for status in (401, 429):
        answer = ask(app, path="/operator/reports", headers={"Accept": "text/html"})
        assert answer.status_code == status
    assert answer.content_type.startswith("text/html")
    assert "try again in" in answer.text
    assert "Retry-After" in answer.headers


def test_without_limits_nothing_is_counted(make_app: MakeApp):
    app = make_app(RATE_LIMITS="")
    assert {ask(app).status_code for _ in range(700)} == {200}


def test_the_defaults_let_a_household_watch_and_name_every_kind():
    assert set(read_limits(DEFAULT_LIMITS)) == set(KINDS)
    number = int(read_limits(DEFAULT_LIMITS)["identify"].split("/")[0])
    assert number >= 4 * 60 / 0.4  # four viewers of Live, which asks every 0.4 s at most


@pytest.mark.parametrize(
    "text", ["identify", "identify=", "identify=x", "identify=5/fortnight", "upload=5/minute", 5]
)
def test_a_limit_that_makes_no_sense_keeps_the_site_from_starting(make_app: MakeApp, text):
    with pytest.raises(BadInputError, match="RATE_LIMITS"):
        make_app(RATE_LIMITS=text)


def test_logging_in_is_limited_by_address_too(make_app: MakeApp):
    app = make_app(RATE_LIMITS="login=2/hour")
    make_operator(app, "rin")
    assert send_login(app.test_client(), "rin").status_code == 303
    assert send_login(app.test_client(), "rin").status_code == 303
    assert send_login(app.test_client(), "rin").status_code == 429


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept-Language", ",".join(f"x{number};q=0.1" for number in range(1000))),
        ("Accept", "text/html;q=0.1," * 500),
        ("Accept-Encoding", "br," * 1000),
        ("Cookie", "a=b;" * 3000),
        ("Range", "bytes=" + "0-0," * 500),
        ("If-None-Match", '"a",' * 500),
        ("X-Forwarded-For", "10.0.0.1," * 500),
    ],
)
def test_a_header_that_takes_long_to_take_apart_is_refused_unread(app: APIFlask, name, value):
    client = app.test_client(use_cookies=False)
    for path in ("/", "/static/js/page/main.js", "/api/characters"):
        answer = client.get(path, headers={name: value})
        assert (answer.status_code, name in answer.text) == (431, True), path


def test_a_long_query_is_refused_unread(app: APIFlask):
    assert ask(app, path="/?" + "a=1&" * 1025).status_code == 414


@pytest.mark.parametrize("path", ["/api//docs", "//api//docs", "/operator/?lang=ja", "/?lang=ja"])
def test_no_redirect_leads_to_the_host_that_was_sent(app: APIFlask, path):
    answer = ask(app, path=path, headers={"Host": "evil.example"})
    assert "evil" not in answer.headers.get("Location", "")
    if 300 <= answer.status_code < 400:
        assert answer.headers["Location"].startswith("/")
