"""Workers that are processes of this machine. One that dies is replaced.

Each is a `ProcessPoolExecutor` of one process: when a process dies, the standard library gives up its
whole pool, and one shard must not take the others along. joblib's pools (loky's) do the same.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection

from kyara.errors import KyaraError
from kyara.storage.parallel.shard import ShardOrder, do_order
from kyara.storage.parallel.task import Task

# "spawn": a fork would copy the threads' locks of OpenCV and LiteRT, but not the threads
_CONTEXT = multiprocessing.get_context("spawn")


class ProcessPool:
    """So many processes, started when they are first needed."""

    def __init__(self, task: Task, workers: int) -> None:
        self._task = task.to_json()
        self._most = workers
        self._idle: list[ProcessPoolExecutor] = []
        self._running: dict[Future[str], tuple[int, ProcessPoolExecutor]] = {}

    @classmethod
    @contextmanager
    def open(cls, task: Task, workers: int) -> Iterator[ProcessPool]:
        """Give a pool; no process of it is left afterwards."""
        pool, others = cls(task, workers), set(multiprocessing.active_children())
        try:
            yield pool
        finally:
            if pool._running:
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
            for executor in [*pool._idle, *(executor for _, executor in pool._running.values())]:
                executor.shutdown()

    def has_room(self) -> bool:
        return len(self._running) < self._most

    def hand_out(self, order: ShardOrder) -> None:
        while True:
            executor = self._idle.pop() if self._idle else ProcessPoolExecutor(1, _CONTEXT, _begin)
            try:
                future = executor.submit(do_order, self._task, order)
            except BrokenProcessPool:  # it died with nothing to do
                executor.shutdown()
                continue
            self._running[future] = order.number, executor
            return

    def wait(self) -> list[tuple[int, bool]]:
        happened = []
        for future in wait(self._running, return_when=FIRST_COMPLETED).done:
            number, executor = self._running.pop(future)
            self._idle.append(executor)
            try:
                problem = future.result()
            except BrokenProcessPool:
                self._idle.remove(executor)
                executor.shutdown()
                happened.append((number, False))
                continue
            except Exception as error:
                raise KyaraError(f"The workers fail: {error!r}") from error
            if problem:
                raise KyaraError(problem)
            happened.append((number, True))
        return happened


def _begin() -> None:
    """Leave Ctrl-C to the one that hands out, and end at once when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
