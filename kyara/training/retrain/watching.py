"""A run's history → the job's status: every recipe writes the history, so none needs to know of jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from kyara.storage.jobs import JobStatus, write_status
from kyara.training.checkpoints import read_history

LOOK_EVERY_S = 1.0


@contextmanager
def watch_run(runs: Path, status: JobStatus, run: Path) -> Iterator[None]:
    """Keep a job's status up to date while the block trains."""
    done = threading.Event()

    def look() -> None:
        first: tuple[float, int] | None = None
        seen = -1
        while not done.wait(LOOK_EVERY_S):
            with suppress(OSError, ValueError):
                history = read_history(run)
                if len(history) == seen:
                    continue
                seen = len(history)
                first = first or (time.monotonic(), seen)
                write_status(runs, _measure(status, history, first))

    thread = threading.Thread(target=look, name="watch-run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _measure(status: JobStatus, history: list[dict[str, float]], first: tuple[float, int]) -> JobStatus:
    started, before = first
    epochs = len(history) - before
    left = None
    if epochs:
        left = (time.monotonic() - started) / epochs * max(0, status.epochs - len(history))
    loss = history[-1].get("loss") if history else None
    return replace(
        status, epoch=len(history), loss=loss, seconds_left=None if left is None else round(left)
    )
