"""Many sources through each engine: the same files, to the byte, whatever dies in between.

`make scale-test` runs this with 40 sources.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bulk_sources import write_sources
from command_line import ROOT
from engine_run import describe
from engine_tasks import NAMES, expect
from inboxes import read_all
from ray_nodes import RayNodes

SOURCES = int(os.environ.get("KYARA_BULK_SOURCES", "8"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> list[Path]:
    return write_sources(tmp_path_factory.mktemp("sources"), SOURCES)


class Collecting:
    """`collect`, of all sources into an inbox."""

    def __init__(self, sources: list[Path], inbox: Path, *engine: str, **environment: str) -> None:
        command = ["collect", *sources, "--out", inbox, "--every", "0.5", *engine]
        self.inbox = inbox
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kyara", *map(str, command)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_shards(self, count: int) -> None:
        """Wait until so many shards are done, and more are to come."""
        results = self.inbox / ".collecting" / "work" / "results"
        while len(list(results.glob("[0-9]*[0-9]"))) < count:
            assert self.process.poll() is None, self.process.communicate()
            os.sched_yield()

    def list_workers(self) -> list[int]:
        """Return the processes that it started and that look at sources."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children.split()}
        return [pid for pid, command in commands.items() if "spawn_main" in command]

    def finish(self) -> str:
        printed, errors = self.process.communicate()
        assert self.process.returncode == 1, errors  # one source is broken
        lines = [line for line in errors.splitlines() if line.startswith("kyara: ")]
        assert len(lines) == 1
        assert "video04" in lines[0]
        return printed.replace(str(self.inbox), "INBOX")


@pytest.fixture(scope="module")
def one_by_one(sources, tmp_path_factory) -> tuple[Path, str]:
    """The inbox after one source and the next, in one process, and what was printed."""
    inbox = tmp_path_factory.mktemp("alone") / "inbox"
    return inbox, Collecting(sources, inbox, "--workers", "1").finish()


def test_collect_on_many_workers_leaves_what_one_process_leaves(sources, one_by_one, tmp_path):
    printed = Collecting(sources, tmp_path / "inbox", "--workers", "3").finish()
    assert printed == one_by_one[1]
    assert read_all(tmp_path / "inbox") == read_all(one_by_one[0])
    assert len(list(one_by_one[0].glob("*.png"))) > SOURCES
    again = Collecting(sources, tmp_path / "inbox", "--workers", "3").finish()
    assert again == printed
    assert read_all(tmp_path / "inbox") == read_all(one_by_one[0])


def test_collect_goes_on_without_a_worker_that_was_killed(sources, one_by_one, tmp_path):
    run = Collecting(sources, tmp_path / "inbox", "--workers", "2")
    run.wait_for_shards(2)
    os.kill(run.list_workers()[0], signal.SIGKILL)
    assert run.finish() == one_by_one[1]
    assert read_all(tmp_path / "inbox") == read_all(one_by_one[0])


def test_collect_that_was_killed_goes_on(sources, one_by_one, tmp_path):
    run = Collecting(sources, tmp_path / "inbox", "--workers", "2")
    run.wait_for_shards(3)
    run.process.kill()
    run.process.communicate()
    run = Collecting(sources, tmp_path / "inbox", "--workers", "2")
    assert run.finish() == one_by_one[1]
    assert read_all(tmp_path / "inbox") == read_all(one_by_one[0])


def test_ray_loses_nothing_with_a_node(tmp_path):
    """Both nodes are in the middle of a shard when one is killed; the other does it all."""
    with RayNodes() as nodes:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", ROOT / "tests" / "support" / "engine_run.py", tmp_path],
            env={**os.environ, **nodes.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        log = tmp_path / "log"
        while not (log.exists() and len(log.read_text().splitlines()) == 2):
            assert process.poll() is None
            os.sched_yield()
        nodes.kill_node()
        (tmp_path / "gate").touch()
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
    assert json.loads(printed) == describe(expect(NAMES))
    begun = [line.split() for line in log.read_text().splitlines()]
    assert len({worker for worker, _ in begun[:2]}) == 2
    assert {name for _, name in begun} == set(NAMES)


def test_collect_on_ray_with_a_node_killed_leaves_the_same(sources, one_by_one, tmp_path):
    with RayNodes() as nodes:
        run = Collecting(sources, tmp_path / "inbox", "--engine", "ray", **nodes.environment)
        run.wait_for_shards(SOURCES // 3)
        nodes.kill_node()
        assert run.finish() == one_by_one[1]
    assert read_all(tmp_path / "inbox") == read_all(one_by_one[0])
