"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def hold_process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a process; it is killed if it still runs at the end: a failed test does not wait for it."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(
    condition: Callable[[], object], timeout_s: float = 120, why: str = "it did not come"
) -> float:
    """Wait for a condition; return how many seconds that took."""
    started, pause = time.monotonic(), threading.Event()
    while not condition():
        assert time.monotonic() - started < timeout_s, why
        pause.wait(0.02)
    return time.monotonic() - started
