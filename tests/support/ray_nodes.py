"""A Ray cluster of real nodes on this machine, in a process of its own: `RayNodes`.

Run as a program it makes the cluster, prints its address, and obeys lines: `kill` takes the last node
away as a power cut would; the end of its input ends it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from command_line import ROOT

OBJECT_STORE_BYTES = 100_000_000
COMMON = {
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")]),
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's word for: a node's address is 127.0.0.1, not the one that other machines see
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


class RayNodes:
    """A head and one more node, one processor each; they listen to this machine alone."""

    def __enter__(self) -> RayNodes:
        self._folder = tempfile.TemporaryDirectory(prefix="ray", dir="/tmp")  # a socket's name is short
        self._errors = (Path(self._folder.name) / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            env={**os.environ, **COMMON, "RAY_TMPDIR": self._folder.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.environment = {**COMMON, "RAY_ADDRESS": self._read()}
        """For who works on it."""
        return self

    def kill_node(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        assert self._read() == "killed"

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, Path(self._errors.name).read_text()[-3000:]
        return line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=120)
        self._errors.close()
        self._folder.cleanup()


def main() -> None:
    """Make the cluster and obey."""
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever Ray prints is no answer
    common = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**common, "node_ip_address": "127.0.0.1"},
    )
    # another address: who works on the cluster belongs to the head, whose node stays
    other = cluster.add_node(**common, node_ip_address="127.0.0.2")
    cluster.wait_for_nodes()
    print(cluster.address, file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(other, allow_graceful=False)
            print("killed", file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
