"""Workers that are processes of this machine. One that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from kyara.errors import KyaraError
from kyara.storage.extras import explain_missing
from kyara.storage.parallel.shard import Order, do_shard
from kyara.storage.parallel.task import Task

_GRACE_S = 5.0


@dataclass
class _Worker:
    process: BaseProcess
    line: Connection
    number: int | None = None
    """The shard that it does."""


class ProcessPool:
    """So many processes, started when they are first needed."""

    def __init__(self, task: Task, workers: int) -> None:
        """Take the task and the greatest number of processes."""
        self._task = task
        self._most = workers
        self._workers: list[_Worker] = []

    @classmethod
    @contextmanager
    def open(cls, task: Task, workers: int) -> Iterator[ProcessPool]:
        """Give a pool; no process of it is left afterwards."""
        pool = cls(task, workers)
        try:
            yield pool
        finally:
            pool._end()

    def has_room(self) -> bool:
        """Return whether a process has nothing to do, or can be started."""
        return sum(worker.number is not None for worker in self._workers) < self._most

    def hand_out(self, order: Order) -> None:
        """Have a process do a shard."""
        worker = next((one for one in self._workers if one.number is None), None) or self._start()
        worker.number = order.number
        with suppress(OSError):  # it died meanwhile: `wait` sees it
            worker.line.send(order)

    def wait(self) -> list[tuple[int, bool]]:
        """Wait for a process that is ready, or that died."""
        busy = [worker for worker in self._workers if worker.number is not None]
        ready = set(wait([worker.line for worker in busy]))
        happened = []
        for worker in busy:
            if worker.line not in ready or worker.number is None:
                continue
            number, worker.number = worker.number, None
            try:
                problem: KyaraError | None = worker.line.recv()
            except (EOFError, OSError):
                self._workers.remove(worker)
                _stop(worker)
                happened.append((number, False))
                continue
            if problem is not None:
                raise problem
            happened.append((number, True))
        return happened

    def _start(self) -> _Worker:
        # "spawn": a fork would copy the threads' locks of OpenCV and LiteRT, but not the threads
        context = multiprocessing.get_context("spawn")
        line, other = context.Pipe()
        process = context.Process(target=_serve, args=(other, self._task), daemon=False)
        process.start()
        other.close()
        worker = _Worker(process, line)
        self._workers.append(worker)
        return worker

    def _end(self) -> None:
        for worker in self._workers:
            worker.line.close()
            if worker.number is not None:
                worker.process.terminate()
        for worker in self._workers:
            _stop(worker)
        self._workers.clear()


def _stop(worker: _Worker) -> None:
    worker.process.join(_GRACE_S)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.line.close()
    worker.process.close()


def _serve(line: Connection, task: Task) -> None:
    """A process: load once, then do shards until the other end hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that hands out
    _end_with_parent()
    try:
        with task.open() as do:
            while True:
                try:
                    order: Order = line.recv()
                except EOFError:
                    return
                do_shard(order, do)
                line.send(None)
    except KyaraError as error:
        with suppress(OSError):
            line.send(error)
    except ModuleNotFoundError as error:
        if not (missing := explain_missing(error)):
            raise
        with suppress(OSError):
            line.send(KyaraError(missing))


def _end_with_parent() -> None:
    """End at once when the parent is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        sys.exit("A worker is started by a pool.")

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
