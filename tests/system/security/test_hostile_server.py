"""Hostile requests to a real gunicorn: some of `make hostile`, and what smuggling is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_requests import list_raw, make_hostile
from hostile_run import DELIBERATE, MARKS, PAGE, describe, run, send
from sites import serve_in

from scripts.local_site import Server

REQUESTS = 600


@pytest.fixture(scope="module")
def server(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for raw bytes."""
    with serve_in(tmp_path_factory.mktemp("hostile"), tiny_model_folder) as server:
        yield server


def test_hostile_requests_do_no_harm(tiny_model_folder: Path, tmp_path: Path):
    figures = run(REQUESTS, tiny_model_folder, tmp_path, rest_s=0)
    assert figures["wrong"] == []
    assert sum(figures["statuses"].values()) >= REQUESTS
    assert figures["descriptors"][-1] <= figures["descriptors"][0] + 8
    assert figures["files_beyond_reports"][1] <= figures["files_beyond_reports"][0] + 2
    assert describe(figures).startswith(f"{REQUESTS} hostile requests in ")


def test_a_hostile_request_is_told_by_its_number():
    assert [make_hostile(n) for n in range(60)] == [make_hostile(n) for n in range(60)]
    assert len({make_hostile(n).raw for n in range(2000)}) > 1000


SMUGGLING = [each for each in list_raw() if "length" in each.name or "chunk" in each.name]


@pytest.mark.parametrize("hostile", SMUGGLING, ids=lambda each: each.name)
def test_no_second_request_hides_in_the_body_of_a_first(server: Server, hostile):
    answers = send(server.port, hostile.raw)
    assert len(answers) <= 1
    assert all(400 <= answer < 500 for answer in answers)


@pytest.mark.parametrize("hostile", list_raw(), ids=lambda each: each.name[:60])
def test_bytes_that_are_no_request_get_one_answer_or_none(server: Server, hostile):
    answers = send(server.port, hostile.raw)
    assert all(answer < 500 or answer in DELIBERATE for answer in answers)


def test_a_body_past_the_limit_is_refused_unread(server: Server):
    (announced,) = (each for each in list_raw() if each.name == "framing: 9 GB announced")
    assert send(server.port, announced.raw) == [413]


def test_no_path_leads_out_of_the_static_folder(server: Server):
    for hostile in list_raw():
        if hostile.name.startswith("path"):
            answer = _read(server, hostile.raw)
            assert b"root:" not in answer and b"Flask application factory" not in answer, hostile.name


def test_a_header_of_the_visitors_cannot_be_made_by_the_address(server: Server):
    for path in ("/?lang=ja%0d%0aSet-Cookie:%20a=b", "/operator/login?next=%0d%0aLocation:x"):
        answer = _read(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = answer.split(b"\r\n\r\n")[0].lower()
        assert b"set-cookie: a=b" not in head and b"\nlocation:x" not in head


def test_the_page_about_security_has_a_place_for_the_figures():
    page = PAGE.read_text(encoding="utf-8")
    assert all(page.count(mark) == 1 for mark in MARKS)
    assert page.index(MARKS[0]) < page.index(MARKS[1])


def _read(server: Server, raw: bytes) -> bytes:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)
