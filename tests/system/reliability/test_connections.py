"""When a connection is let go: requests that do not arrive, answers that are not read, silence."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from waitress.adjustments import Adjustments
from waitress.utilities import RequestEntityTooLarge

from kyara.web.serving.arrival import MAX_DROPPED_BYTES, Arrival
from kyara.web.serving.connection import ARRIVAL_S, IDLE_S, STALL_S, Connection

HEAD = b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def connection() -> Iterator[Connection]:
    ours, theirs = socket.socketpair()
    server: Any = SimpleNamespace(active_channels={}, add_task=lambda task: None)
    with theirs:
        made = Connection(server, ours, ("", 0), Adjustments(), map={})
        yield made
        made.handle_close()


def test_a_request_has_to_arrive_in_time_however_often_a_byte_comes(connection):
    connection.received(HEAD % 100 + b"{")
    began = time.monotonic()
    assert connection.is_busy()
    assert connection.count_arriving_bytes() == 1
    assert not connection.has_stalled(began + ARRIVAL_S - 1)
    connection.received(b"a")
    assert connection.has_stalled(began + ARRIVAL_S + 1)


def test_a_request_that_is_here_is_waited_for(connection):
    connection.received(HEAD % 2 + b"{}")
    assert connection.is_busy()
    assert not connection.has_stalled(time.monotonic() + 10 * IDLE_S)


def test_an_answer_that_is_not_read_and_silence_end_a_connection(connection):
    now = time.monotonic()
    assert not connection.has_stalled(now + STALL_S + 1)
    connection.total_outbufs_len = 1
    assert connection.has_stalled(now + STALL_S + 1)
    connection.total_outbufs_len = 0
    assert connection.has_stalled(now + IDLE_S + 1)
    assert not connection.is_busy()


def test_a_clock_that_is_set_back_keeps_no_connection(connection):
    connection.last_activity = time.time() + 30 * 24 * 3600
    assert connection.has_stalled(time.monotonic() + IDLE_S + 1)


def test_a_body_that_is_too_large_is_read_to_its_end_and_not_kept():
    request = Arrival(Adjustments(max_request_body_size=1000))
    head = HEAD % 5000
    assert request.received(head + b"x" * 10) == len(head)
    assert isinstance(request.error, RequestEntityTooLarge)
    assert not request.completed
    assert request.received(b"x" * 4000) == 4000
    assert not request.completed
    assert request.received(b"x" * 1000 + b"GET") == 1000
    assert request.completed


def test_a_body_that_is_far_too_large_is_not_read():
    request = Arrival(Adjustments(max_request_body_size=1000))
    request.received(HEAD % (MAX_DROPPED_BYTES + 1))
    assert request.completed
    assert request.error is not None
