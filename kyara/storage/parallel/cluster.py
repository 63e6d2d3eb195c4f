"""Workers that Ray runs: on the cluster at RAY_ADDRESS, or on a local one that ends with the run.

Every machine has the same Kyara installed, and sees sources and work folder under the same paths.

Source: https://docs.ray.io/en/latest/ray-core/fault-tolerance.html
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from kyara.errors import KyaraError
from kyara.storage.extras import name_install
from kyara.storage.parallel.shard import ShardOrder, do_order
from kyara.storage.parallel.task import Task

ADDRESS_VARIABLE = "RAY_ADDRESS"
_OBJECT_STORE_BYTES = 100_000_000
"""Nothing large goes through it: names of items there, a word back."""
_AHEAD = 2
"""Shards handed out for each processor: one is done, one waits, and Ray sees that more is wanted."""
_WAIT_S = 1.0


class RayPool:
    """Tasks of Ray, one shard each."""

    def __init__(self, ray: Any, task: Task, workers: int | None) -> None:
        self._ray = ray
        self._most = workers
        self._task = task.to_json()
        # Ray's own retries would not know which item killed a worker: `run_work` counts them.
        self._do: Any = ray.remote(num_cpus=1, max_retries=0)(do_order)
        self._running: dict[Any, int] = {}

    @classmethod
    @contextmanager
    def open(cls, task: Task, workers: int | None) -> Iterator[RayPool]:
        """Connect to the cluster, or start one.

        Raises:
            KyaraError: Ray is not installed, or the cluster does not answer.
        """
        ray = _import_ray()
        # standard output is for results; Ray prints there that a node has gone
        with redirect_stdout(sys.stderr):
            try:
                ray.init(**_choose_cluster(workers), log_to_driver=False, logging_level="error")
            except (ConnectionError, RuntimeError, ValueError) as error:
                where = os.environ.get(ADDRESS_VARIABLE) or "this machine"
                raise KyaraError(f"No Ray cluster answers at {where}: {error}") from error
            try:
                yield cls(ray, task, workers)
            finally:
                ray.shutdown()

    def has_room(self) -> bool:
        most = self._most or _AHEAD * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return len(self._running) < most

    def hand_out(self, order: ShardOrder) -> None:
        self._running[self._do.remote(self._task, order)] = order.number

    def wait(self) -> list[tuple[int, bool]]:
        exceptions = self._ray.exceptions
        ready, _ = self._ray.wait(list(self._running), timeout=_WAIT_S)
        happened = []
        for one in ready:
            number = self._running.pop(one)
            try:
                problem: str = self._ray.get(one)
            except exceptions.RayTaskError as error:  # Kyara is not installed there, say
                raise KyaraError(f"The cluster's workers fail: {error.cause!r}") from error
            except exceptions.RayError:
                happened.append((number, False))
                continue
            if problem:
                raise KyaraError(problem)
            happened.append((number, True))
        return happened


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to Ray's makers
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise KyaraError(
            f"--engine ray needs the package ray: `{name_install('bulk')}` brings it."
        ) from error
    return ray


def _choose_cluster(workers: int | None) -> dict[str, Any]:
    if address := os.environ.get(ADDRESS_VARIABLE):
        return {"address": address}
    return {
        "address": "local",
        "num_cpus": workers or len(os.sched_getaffinity(0)),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
    }
