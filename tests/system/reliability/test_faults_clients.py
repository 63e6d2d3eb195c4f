"""Clients that are slow, never read, send too much, or go away."""

from __future__ import annotations

import http.client
import json
import socket
import time

from faulty_site import Record, StartSite
from waiting import wait_until

from scripts import soak


def test_slow_clients(start_site: StartSite, drawn: str, crops: list[str], record: Record) -> None:
    site = start_site()
    before = soak.measure_memory(site.server)
    with soak.hold_slowly(site.server.port, 60):
        wait_until(lambda: len(site.worker.net_connections("tcp")) > 60)
        began = time.monotonic()
        assert site.identify(drawn).status == 200
        assert site.report(crops[0], "visitor-0").status == 201
        took_s = time.monotonic() - began
        assert soak.measure_memory(site.server) < before + 300 * 1024**2
    record(
        "slow clients",
        broken="60 connections send headers or bodies by the byte, or never read what they asked for",
        seen="good requests are answered meanwhile: 200 and 201",
        recovery_s=took_s,
    )


def test_vanishing_clients(start_site: StartSite, drawn: str, record: Record) -> None:
    site = start_site()
    body = json.dumps({"crops": [drawn] * 32}).encode()
    for _ in range(40):
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
        connection.request("POST", "/api/identify", body, {"Content-Type": "application/json"})
        connection.close()
    recovery_s = wait_until(lambda: site.identify(drawn).status == 200)
    wait_until(lambda: "kyara_queue_waiting 0.0" in read_metrics(site.server.port))
    record(
        "vanishing clients",
        broken="40 clients ask about 32 crops each, and hang up",
        seen="others are answered as soon as a place is free; nothing is done for who has gone",
        recovery_s=recovery_s,
    )


def read_metrics(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_body_that_is_too_large_is_refused_in_words(start_site: StartSite) -> None:
    seen = start_site().ask("POST", "/api/identify", {"crops": ["x" * 9_000_000]})
    assert seen.status == 413
    assert seen.body["status"] == 413


def test_a_broken_request_is_refused_in_words(start_site: StartSite) -> None:
    site = start_site()
    for wrong in (
        b"GET / HTTP/1.1\r\nNo Colon\r\n\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", site.server.port), timeout=60) as connection:
            connection.sendall(wrong)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            problem = json.loads(answer.read())
        assert answer.status == problem["status"] in (400, 431)
        assert answer.headers["X-Request-ID"] == problem["request_id"]
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_answer_comes_in_one_piece(start_site: StartSite) -> None:
    site = start_site()
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=60) as connection:
        for path in [b"/healthz"] * 100 + [b"/no-such-page", b"/ no HTTP"]:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
            head, _, body = connection.recv(2**16).partition(b"\r\n\r\n")
            assert b"\r\ncontent-length: %d\r\n" % len(body) in head.lower() + b"\r\n", path
