"""Sites to ask: the one that ships, as `make run` starts it, and the rivals; and clients to ask them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bench.results import ROOT
from scripts.local_site import Server


@contextmanager
def serve(*, wait: bool = True, application: str = "", **settings: object) -> Iterator[Server]:
    """Run the site with folders of its own.

    Args:
        wait: until it answers.
        application: as `Server` takes it.
        settings: configuration keys of `app.DEFAULTS`.
    """
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        own = {"INSTANCE_FOLDER": scratch / "instance", "TAUGHT_DATABASE": scratch / "taught.db"}
        with Server(
            scratch / "reports", wait=wait, application=application, **{**own, **settings}
        ) as server:
            yield server


@contextmanager
def serve_seeds_way(folder: Path) -> Iterator[str]:
    """Run the rival site; yields its address.

    Args:
        folder: what `bench.rivals.prepare_rivals` wrote.
    """
    command = [sys.executable, "-m", "bench.seed_site", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def start_clients(url: str, **options: object) -> subprocess.Popen[str]:
    """Start clients in a process of their own; options as `bench.load` has them."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "bench.load", url, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_clients(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the clients and return what they saw."""
    output, _ = process.communicate(timeout=900)
    if process.returncode:
        raise RuntimeError(f"The clients ended with {process.returncode}.")
    return json.loads(output.splitlines()[-1])


def ask(url: str, **options: object) -> dict[str, Any]:
    """Ask with clients in a process of their own and return what they saw."""
    return read_clients(start_clients(url, **options))


def list_processes(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return a site's processes, its parent first."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def measure_resident_mb(process: subprocess.Popen[str]) -> float:
    """Return the largest resident memory of one of the site's processes, in MB."""
    return max(one.memory_info().rss for one in list_processes(process)) / 1e6
