"""The attacker table of `make hostile`, for a moment."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from attack_run import ATTACKER, MARKS, PAGE, describe, find_rate, run, send
from attacks import list_attacks
from hostile_requests import build

from kyara.web.ops.limits import KINDS


def test_a_visitor_is_answered_beside_an_attacker(tiny_model_folder: Path, tmp_path: Path):
    short = (
        "8 MB of parts of a form",
        "names that log in nowhere",
        "an extension of 7.8 MB",
        "150 readers that do not read",
    )
    chosen = [one for one in list_attacks() if one.name in short]
    assert len(chosen) == len(short)
    rows, wrong = run(chosen, 1, tiny_model_folder, tmp_path)
    assert wrong == []
    assert [row.visitor.keys() for row in rows] == [{"200"}] * len(short)
    assert [set(row.statuses) for row in rows] == [{"400"}, {"401"}, {"400"}, set()]
    assert all(row.peak_bytes < 600e6 for row in rows)
    assert all(f"| {name} | " in describe(rows, 1) for name in short)


def test_an_answer_is_read_though_the_rest_of_the_request_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        refusing = threading.Thread(target=refuse)
        refusing.start()
        raw = build("POST", "/", b"a" * 7_800_000)
        assert send(server.getsockname()[1], raw, ATTACKER, set()) == "400"
        refusing.join()


def test_every_limit_has_an_attack_at_half_of_it_with_a_name_of_its_own():
    attacks = list(list_attacks())
    assert {one.kind for one in attacks} >= set(KINDS)
    assert len({one.name for one in attacks}) == len(attacks)
    assert find_rate("identify") == 5.0


def test_the_page_about_reliability_has_a_place_for_the_table():
    page = PAGE.read_text(encoding="utf-8")
    assert all(page.count(mark) == 1 for mark in MARKS)
    assert page.index(MARKS[0]) < page.index(MARKS[1])
