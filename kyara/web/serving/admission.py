"""Admission control: a bounded queue with per-request deadlines.

A request has until its deadline, waiting included. Small requests go before large ones that came at
about the same time. If the queue is full, or the turn would come after the deadline, the request is
refused at once, with the seconds after which to ask again.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kyara.errors import BusyError

LARGE = 9
"""From this size on a request leaves one running place to the others."""
MAX_RETRY_AFTER_S = 30
_FIRST_PACE_S = 0.03
_FORGETTING = 0.2
_LOOK_EVERY_S = 0.5
_ASK_AGAIN = "Many people are asking at once. Please try again in a few seconds."
_TOO_LATE = "The answer would come too late. Please try again in a few seconds."


class Deadline:
    """The moment at which a request has to have its answer."""

    def __init__(self, seconds: float, began: float | None = None) -> None:
        """Take how long it may take, and when it arrived (`time.monotonic()`; now by default)."""
        self._ends = (time.monotonic() if began is None else began) + seconds

    def left(self) -> float:
        """Return the seconds that are left; negative when it is over."""
        return self._ends - time.monotonic()

    def check(self) -> None:
        """Refuse if the time is over.

        Raises:
            BusyError: the time is over.
        """
        if self.left() <= 0:
            raise BusyError(_TOO_LATE, reason="late")

    @contextmanager
    def hold(self, places: threading.Semaphore) -> Iterator[None]:
        """Wait for a place, no longer than until the deadline, and hold it.

        Raises:
            BusyError: the time is over.
        """
        if not places.acquire(timeout=max(0.0, self.left())):
            raise BusyError(_TOO_LATE, reason="late")
        try:
            yield
        finally:
            places.release()


@dataclass(frozen=True)
class QueueStats:
    """How full the queue is.

    Attributes:
        running: requests that are worked on.
        waiting: requests whose turn has not come.
        running_places: most that may run.
        places: most that may run or wait.
    """

    running: int
    waiting: int
    running_places: int
    places: int

    @property
    def full(self) -> bool:
        return self.running + self.waiting >= self.places


@dataclass(eq=False)
class _Entry:
    size: int
    rank: float
    called: threading.Condition
    """One condition per entry: waking every waiter for each free place would cost CPU time."""
    runs_since: float = 0.0


class Admission:
    """Running places and waiting places; safe for many threads."""

    def __init__(self, running_places: int, places: int) -> None:
        self._running_places = max(1, running_places)
        self._places = places
        self._pace_s = _FIRST_PACE_S
        self._waiting: list[_Entry] = []
        self._running: list[_Entry] = []
        self._lock = threading.Lock()

    def count(self) -> QueueStats:
        with self._lock:
            return QueueStats(len(self._running), len(self._waiting), self._running_places, self._places)

    def check_room(self) -> None:
        """Refuse early, before a request is even read, if no place is free.

        Raises:
            BusyError: all places are taken.
        """
        with self._lock:
            self._check_room()

    @contextmanager
    def hold(
        self, deadline: Deadline, size: int = 1, *, left: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """Wait for a running place and hold it.

        `size` is in crops. `left` tells whether the client has gone; then nothing is done for it.

        Raises:
            BusyError: no place is free, or the answer would come too late.
        """
        entry = self._enter(deadline, size)
        try:
            self._wait(entry, deadline, left)
            yield
        finally:
            self._leave(entry)

    def _check_room(self) -> None:
        if len(self._running) + len(self._waiting) >= self._places:
            raise BusyError(_ASK_AGAIN, reason="full", retry_after_s=self._retry_after_s())

    def _enter(self, deadline: Deadline, size: int) -> _Entry:
        """Take a waiting place, if the turn will come in time."""
        with self._lock:
            self._check_room()
            entry = _Entry(size, time.monotonic() + size * self._pace_s, threading.Condition(self._lock))
            ahead = [other for other in self._waiting if other.rank <= entry.rank]
            before_s = self._estimate_s(ahead, size)
            # With an empty queue, admit without an estimate.
            if before_s and before_s + size * self._pace_s > deadline.left():
                raise BusyError(_TOO_LATE, reason="late", retry_after_s=self._retry_after_s())
            self._waiting.append(entry)
            self._waiting.sort(key=lambda other: other.rank)
            return entry

    def _wait(self, entry: _Entry, deadline: Deadline, left: Callable[[], bool]) -> None:
        with self._lock:
            while entry is not self._find_next():
                spare = deadline.left() - entry.size * self._pace_s
                if spare <= 0 or left():
                    raise BusyError(_TOO_LATE, reason="late", retry_after_s=self._retry_after_s())
                entry.called.wait(min(spare, _LOOK_EVERY_S))
            if left():
                raise BusyError(_TOO_LATE, reason="left")
            self._waiting.remove(entry)
            self._running.append(entry)
            entry.runs_since = time.monotonic()
            self._call_next()

    def _find_next(self) -> _Entry | None:
        """Return the first entry that may run now."""
        if len(self._running) >= self._running_places:
            return None
        large_may = self._running_places == 1 or self._count_large() < self._running_places - 1
        return next((entry for entry in self._waiting if large_may or entry.size < LARGE), None)

    def _call_next(self) -> None:
        if (entry := self._find_next()) is not None:
            entry.called.notify()

    def _count_large(self) -> int:
        return sum(entry.size >= LARGE for entry in self._running)

    def _leave(self, entry: _Entry) -> None:
        with self._lock:
            if entry in self._running:
                self._running.remove(entry)
                took_s = time.monotonic() - entry.runs_since
                self._pace_s += _FORGETTING * (took_s / entry.size - self._pace_s)
            else:
                self._waiting.remove(entry)
            self._call_next()

    def _estimate_s(self, ahead: list[_Entry], size: int) -> float:
        """Estimate after how long a request of a size may run, behind what runs and what is ahead."""
        places = self._plan(ahead)
        return min(places[: max(1, self._running_places - 1)] if size >= LARGE else places)

    def _plan(self, ahead: list[_Entry]) -> list[float]:
        """Estimate in how many seconds each place is free, when what runs and what is ahead is done.

        The last place is that of small requests alone, where there are several.
        """
        now = time.monotonic()
        free_s = [0.0] * self._running_places
        large_places = max(1, self._running_places - 1)
        for entry in (*self._running, *ahead):
            ran_s = now - entry.runs_since if entry.runs_since else 0.0
            allowed = free_s[:large_places] if entry.size >= LARGE else free_s
            place = allowed.index(min(allowed))
            free_s[place] += max(0.0, entry.size * self._pace_s - ran_s)
        return free_s

    def _retry_after_s(self) -> int:
        """Return when the queue will be empty, plus a second: asking again costs the others time."""
        work_s = sum(self._plan(self._waiting))
        return min(MAX_RETRY_AFTER_S, 1 + math.ceil(work_s / self._running_places))
