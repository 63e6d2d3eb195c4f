"""The time of the day for what is measured with it: in one process it never goes back."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

SKEW = timedelta(minutes=5)
"""What another server, or this one before its clock was set back, may have written ahead of now."""


class Clock:
    """The system's clock, carried on by the monotonic one where it is set back; thread-safe."""

    def __init__(self) -> None:
        self._latest_s, self._at_s = time.time(), time.monotonic()
        self._turn = threading.Lock()

    def now(self) -> datetime:
        """Return the time, UTC, not before any that was returned."""
        with self._turn:
            at_s = time.monotonic()
            self._latest_s = max(time.time(), self._latest_s + at_s - self._at_s)
            self._at_s = at_s
            return datetime.fromtimestamp(self._latest_s, UTC)


_clock = Clock()


def tell_time() -> datetime:
    """Return the time, UTC; within this process it never goes back, whatever is done to the clock."""
    return _clock.now()


def stamp_time() -> str:
    """Return the time of the system, UTC, as files have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
