"""Running places, waiting places and deadlines, without a server."""

from __future__ import annotations

import threading

import pytest
from waiting import wait_until

from kyara.errors import BusyError
from kyara.web.serving.admission import LARGE, Admission, Deadline

LONG = Deadline(10**6)  # from the import on, and the tests before may take long


class Worker(threading.Thread):
    """Holds a place until it is let go."""

    def __init__(self, turns: Admission, size: int = 1, deadline: Deadline = LONG) -> None:
        super().__init__(daemon=True)
        self.turns, self.size, self.deadline = turns, size, deadline
        self.running, self.go = threading.Event(), threading.Event()
        self.error: BusyError | None = None
        self.start()

    def run(self) -> None:
        try:
            with self.turns.hold(self.deadline, self.size):
                self.running.set()
                assert self.go.wait(60)
        except BusyError as error:
            self.error = error

    def finish(self) -> None:
        self.go.set()
        self.join()


def start_waiting(turns: Admission, size: int = 1) -> Worker:
    """Start one that has to wait."""
    before = turns.count().waiting
    worker = Worker(turns, size)
    wait_until(lambda: turns.count().waiting == before + 1)
    return worker


def test_who_finds_no_place_is_told_when_to_ask_again():
    turns = Admission(1, 2)
    first = Worker(turns)
    assert first.running.wait(60)
    second = start_waiting(turns)
    with pytest.raises(BusyError) as caught, turns.hold(LONG):
        pass
    assert (caught.value.reason, caught.value.retry_after_s) == ("full", 2)
    assert turns.count().full
    first.finish()
    assert second.running.wait(60)
    second.finish()
    assert not turns.count().full


def test_the_longer_the_line_the_later_one_is_to_ask_again():
    turns = Admission(1, 3)
    first = Worker(turns)
    assert first.running.wait(60)
    waiting = [start_waiting(turns, 200), start_waiting(turns, 200)]
    with pytest.raises(BusyError) as caught, turns.hold(LONG):
        pass
    assert 5 <= caught.value.retry_after_s <= 30
    for worker in (first, *waiting):
        worker.finish()


def test_an_answer_that_would_come_too_late_is_refused_before_it_is():
    turns = Admission(1, 10)
    first = Worker(turns)
    assert first.running.wait(60)
    large = start_waiting(turns, 2000)
    deadline = Deadline(10)
    with pytest.raises(BusyError) as caught, turns.hold(deadline, 1000):
        pass
    assert caught.value.reason == "late"
    assert deadline.left() > 5
    for worker in (first, large):
        worker.finish()


def test_where_nobody_is_before_it_even_a_long_request_is_tried():
    turns = Admission(1, 10)
    with turns.hold(Deadline(10), 1000):
        assert turns.count().running == 1


def test_a_turn_that_does_not_come_in_time_is_given_up():
    turns = Admission(1, 10)
    first = Worker(turns)
    assert first.running.wait(60)
    late = Worker(turns, deadline=Deadline(0.3))
    late.join(60)
    assert late.error is not None
    assert late.error.reason == "late"
    assert turns.count().waiting == 0
    first.finish()


def test_a_small_request_passes_a_large_one_that_came_just_before():
    turns = Admission(1, 10)
    first = Worker(turns)
    assert first.running.wait(60)
    large, small = start_waiting(turns, 100), start_waiting(turns, 1)
    first.finish()
    assert small.running.wait(60)
    assert not large.running.is_set()
    small.finish()
    assert large.running.wait(60)
    large.finish()


def test_large_requests_leave_a_place_to_the_small():
    turns = Admission(2, 10)
    large = [Worker(turns, LARGE)]
    assert large[0].running.wait(60)
    large.append(start_waiting(turns, LARGE))
    small = Worker(turns)
    assert small.running.wait(60)
    assert not large[1].running.is_set()
    for worker in (small, *large):
        worker.finish()


def test_nothing_is_done_for_a_client_who_has_gone():
    turns = Admission(1, 10)
    with pytest.raises(BusyError), turns.hold(LONG, left=lambda: True):
        raise AssertionError("it ran")
    assert turns.count().running == 0


def test_a_deadline_that_is_over_is_told():
    with pytest.raises(BusyError, match="too late"):
        Deadline(0, began=0).check()
    LONG.check()


def test_everybody_is_called_in_turn_though_nobody_looks_by_themselves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kyara.web.serving.admission._LOOK_EVERY_S", 3600)
    turns = Admission(2, 100)
    first = [Worker(turns) for _ in range(2)]
    assert all(worker.running.wait(60) for worker in first)
    crowd = [start_waiting(turns, (1, 5, LARGE, 32)[number % 4]) for number in range(40)]
    hasty = [Worker(turns, deadline=Deadline(1.5)) for _ in range(10)]
    for worker in crowd:
        worker.go.set()
    for worker in hasty:  # they stand in the line, and leave it
        worker.join(60)
    for worker in first:
        worker.finish()
    for worker in crowd:
        worker.join(60)
    assert all(worker.running.is_set() for worker in crowd)
    assert {worker.error.reason for worker in hasty if worker.error} == {"late"}
    assert turns.count().running == turns.count().waiting == 0
