"""A real Kyara behind a real gunicorn, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A running Kyara."""

    url: str
    reports: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it and wait until its port is free."""
        self.process.terminate()
        self.process.wait(timeout=20)


def free_port() -> int:
    """Find a port that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_server(model: Path, reports: Path, *, port: int = 0, **settings: Any) -> Server:
    """Start gunicorn as `make run` does and wait until it answers."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += [
        "--threads",
        "8",
        "--worker-class",
        "gthread",
        "--log-level",
        "warning",
        "app:create_app()",
    ]
    environment = {**os.environ, "KYARA_MODEL_FOLDER": str(model), "KYARA_REPORT_FOLDER": str(reports)}
    environment |= {f"KYARA_{name}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, ConnectionError):
            with suppress(HTTPError), urlopen(f"{url}/healthz", timeout=5):
                pass  # an error, such as 503 without a model, is an answer too
            return Server(url, reports, process)
        time.sleep(0.05)
    process.kill()
    pytest.fail(f"Kyara did not answer at {url} within {START_SECONDS} s.")
