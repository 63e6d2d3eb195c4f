"""Which workers, and how many."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from kyara.storage.parallel.processes import ProcessPool
from kyara.storage.parallel.running import Pool
from kyara.storage.parallel.task import Task

EngineName = Literal["local", "ray"]


@dataclass(frozen=True)
class Engine:
    """What runs bulk work.

    Attributes:
        name: `local`: processes of this machine; `ray`: a cluster.
        workers: shards that are done at a time; None: one for each processor.
    """

    name: EngineName = "local"
    workers: int | None = None

    def is_alone(self, shards: int) -> bool:
        """Return whether nothing is gained by workers: this process may as well do it all."""
        return self.name == "local" and min(shards, self.workers or count_processors()) <= 1


def count_processors() -> int:
    """Return the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def open_pool(engine: Engine, task: Task) -> AbstractContextManager[Pool]:
    """Give the workers.

    Raises:
        KyaraError: Ray is not installed, or its cluster does not answer.
    """
    if engine.name == "local":
        return ProcessPool.open(task, engine.workers or count_processors())
    from kyara.storage.parallel.cluster import RayPool

    return RayPool.open(task, engine.workers)
