"""What one connection may cost: messages, chunks, waiting and connections, against a real server.

The server may open 300 files. Attackers have loopback addresses of their own; the visitor is 127.0.0.1.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from hostile import as_url, encode
from hostile_run import ask_well, find_statuses, list_exceptions
from operators import PASSWORD, read_token
from sites import make_accounts, serve_in
from waiting import wait_until
from wire_messages import count_messages, make_message
from wire_run import run

from kyara.web.serving.worker import FILES_BESIDE, FILES_OF_ONE
from scripts.local_site import Server

FILES = 300
CONNECTIONS = (FILES - FILES_BESIDE) // FILES_OF_ONE
TIMEOUT_S = 60
POST = b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
INNER = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = json.dumps({"crops": [as_url(encode("PNG", (64, 64)))]}).encode()


@pytest.fixture(scope="module")
def server(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with few files; no test may bring an exception or an address into its log."""
    folder = tmp_path_factory.mktemp("wire")
    with serve_in(folder, tiny_model_folder, launcher=("prlimit", f"--nofile={FILES}")) as server:
        yield server
        ask_well(server)
    assert list_exceptions(server.log) == []
    assert not [line for line in server.log[5:] if "127.0.0." in line]


def converse(server: Server, raw: bytes, *, end: bool = False) -> tuple[list[int], bytes]:
    """Send bytes; return the statuses, and all that came until the server closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as connection:
        try:
            connection.sendall(raw)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:  # it was refused, and the rest not read
            pass
    return find_statuses(answer), answer


REFUSED = {
    "a coding in HTTP/1.0": POST.replace(b"1.1", b"1.0")
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length and coding in HTTP/1.0": POST.replace(b"1.1", b"1.0")
    + b"Connection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding in HTTP/1.2": POST.replace(b"1.1", b"1.2")
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice in a list": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an empty coding": POST + b"Transfer-Encoding:\r\n\r\n",
    "length and coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a length of 5,000 digits": POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
    "a folded field": b"GET /livez HTTP/1.1\r\nHost: x\r\nX: 1\r\n 2\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "a host with a slash": b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a bracket alone": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a port too long": b"GET http://x:999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /livez\r\nHost: x\r\n\r\n",
    "an unknown expectation": b"GET /livez HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n",
    "empty lines": b"\r\n\r\n" + INNER,
    "200 fields": b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n",
    "a million chunks of a byte": CHUNKED + b"1\r\nx\r\n" * 1_000_000 + b"0\r\n\r\n",
    "an extension of 7.8 MB": CHUNKED + b"1;" + b"a" * 7_800_000 + b"\r\nx\r\n0\r\n\r\n",
    "extensions of 1 kB": CHUNKED + (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 7000 + b"0\r\n\r\n",
    "a size of 1 MB": CHUNKED + b"0" * 1_000_000 + b"1\r\nx\r\n0\r\n\r\n",
    "a trailer of 7.8 MB": CHUNKED + b"0\r\nX: " + b"a" * 7_800_000 + b"\r\n\r\n",
    "a million trailers": CHUNKED + b"0\r\n" + b"X: 1\r\n" * 1_000_000 + b"\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_message_that_is_ambiguous_or_endless_gets_one_answer(server: Server, name: str):
    statuses, _ = converse(server, REFUSED[name] + INNER)
    assert statuses == [400]


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (POST + b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n", [413]),
        (POST + b"Expect: 100-continue\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", [400]),
        (POST + b"Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", [100, 422]),
        (CHUNKED + b"900000\r\n" + b"a" * 9_000_000, [413]),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", [431]),
        (INNER * 3 + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [200] * 4),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [404]),
        (b"GET http://x/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [200]),
    ],
    ids=range(8),
)
def test_every_message_is_answered_once(server: Server, raw: bytes, statuses: list[int]):
    assert converse(server, raw)[0] == statuses


def test_a_chunked_body_with_extensions_and_trailers_is_read(server: Server):
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (BODY[:9], BODY[9:]))
    raw = CHUNKED + chunks + b"0\r\nX-Sum: 1\r\n\r\n"
    statuses, answer = converse(server, raw, end=True)
    assert statuses[-1] == 200
    assert b'"faces"' in answer


def test_who_ends_the_sending_half_gets_the_answer(server: Server):
    body = json.dumps({"crops": [as_url(encode("PNG", (64, 64)))] * 20}).encode()
    for version in (b"1.0", b"1.1"):
        head = POST.replace(b"1.1", version) + b"Content-Length: %d\r\n\r\n" % len(body)
        statuses, answer = converse(server, head + body, end=True)
        assert [status for status in statuses if status != 100] == [200]
        assert answer.count(b'"verdict"') == 20
    assert converse(server, POST + b"Content-Length: 100\r\n\r\n{", end=True)[0] == []


def test_malformed_messages_find_no_exception_no_hang_and_no_second_answer(server: Server):
    figures = run(300, server)
    assert figures["wrong"] == []
    assert {"200", "400", "closed"} <= figures["statuses"].keys()


def test_a_message_is_told_by_its_number_and_another_parser_counts_it():
    assert [make_message(number) for number in range(50)] == [
        make_message(number) for number in range(50)
    ]
    assert count_messages(INNER * 2) == 2
    assert count_messages(REFUSED["length and coding"] + INNER) == 0


@pytest.mark.parametrize("kind", ["idle", "slow readers", "slow bodies", "of many addresses"])
def test_whoever_holds_connections_gives_way_to_others(server: Server, kind: str):
    first = {
        "slow readers": b"GET /static/vendor/opencv.wasm HTTP/1.1\r\nHost: x\r\n\r\n",
        "slow bodies": POST + b"Content-Length: 1000\r\n\r\n{",
    }.get(kind, b"")
    (worker,) = psutil.Process(server.process.pid).children()
    with ExitStack() as held:
        for number in range(150):
            connection = held.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind((f"127.0.0.{2 + (number % 15 if kind == 'of many addresses' else 0)}", 0))
            connection.settimeout(TIMEOUT_S)
            connection.connect(("127.0.0.1", server.port))
            try:
                connection.sendall(first)
            except ConnectionError:  # it gave way already
                pass
        for _ in range(3):
            ask_well(server)
        wait_until(lambda: len(worker.net_connections("tcp")) <= CONNECTIONS + 1)
        assert worker.num_fds() < FILES
        if kind != "of many addresses":
            taken = [
                one for one in worker.net_connections("tcp") if one.raddr and one.raddr.ip == "127.0.0.2"
            ]
            assert len(taken) <= CONNECTIONS // 2


def test_the_messages_above_left_no_memory_taken(server: Server):
    (worker,) = psutil.Process(server.process.pid).children()
    assert worker.memory_info().rss < 600e6


def test_logins_of_nobody_take_neither_all_threads_nor_long(tiny_model_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("THREADS", "16")
    make_accounts(tmp_path, "rin")
    with serve_in(tmp_path, tiny_model_folder, TRUSTED_PROXIES=1) as server:
        form = ask(server, "GET", "/operator/login", Accept="text/html")
        cookie = form[1]["Set-Cookie"].split(";")[0]
        fields = {"name": "nobody", "password": PASSWORD, "csrf_token": read_token(form[2].decode())}

        def log_in(number: int) -> tuple[int, Any]:
            headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
            headers["X-Forwarded-For"] = f"198.51.100.{number}"
            body = urlencode({**fields, "name": f"nobody{number}"})
            return ask(server, "POST", "/operator/login", body, **headers)[:2]

        with ThreadPoolExecutor(40) as clients:
            logins = [clients.submit(log_in, number) for number in range(40)]
            ask_well(server)
            answers = [one.result() for one in logins]
    assert {status for status, _ in answers} == {401, 503}
    assert all(int(headers["Retry-After"]) > 0 for status, headers in answers if status == 503)
    assert list_exceptions(server.log) == []


def ask(
    server: Server, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, Any, bytes]:
    """Ask once; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.headers, text
