"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], timeout_s: float = 30, why: str = "it did not come"
) -> float:
    """Wait for a condition; return how many seconds that took."""
    started, pause = time.monotonic(), threading.Event()
    while not condition():
        assert time.monotonic() - started < timeout_s, why
        pause.wait(0.02)
    return time.monotonic() - started
