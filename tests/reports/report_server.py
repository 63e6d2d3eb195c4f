"""A real server for the report tests, and a client that keeps its connection open."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest

from kyara.images import encode_png

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """gunicorn as `make run` starts it, on a port that the system chooses."""

    def __init__(self, report_folder: Path, **environment: str) -> None:
        gunicorn = Path(sys.executable).with_name("gunicorn")
        options = "--bind 127.0.0.1:0 --workers 1 --threads 8 --worker-class gthread --timeout 60"
        self.process = subprocess.Popen(
            [gunicorn, *options.split(), "app:create_app()"],
            cwd=ROOT,
            env={
                **os.environ,
                "KYARA_REPORT_FOLDER": str(report_folder),
                "KYARA_MODEL_FOLDER": str(report_folder.parent / "no_model"),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        self.log: list[str] = []
        for line in self.process.stderr:
            self.log.append(line)
            if "Listening at: http://127.0.0.1:" in line:
                self.port = int(line.split("127.0.0.1:")[1].split()[0])
                break
        else:
            self.process.wait()
            pytest.fail("gunicorn did not start:\n" + "".join(self.log))
        self._reader = threading.Thread(target=self.log.extend, args=(self.process.stderr,))
        self._reader.start()
        client = Client(self.port)
        client.ask("GET", "/healthz")  # waits until the application is up
        client.connection.close()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal the whole process group and wait for its end."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str, dict[str, Any]]:
        """Return status, content type and JSON of an answer."""
        headers = {"Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers.get_content_type(), json.loads(answer.read())

    def send(self, **report: Any) -> tuple[int, str, dict[str, Any]]:
        """Send a report."""
        return self.ask("POST", "/api/reports", report)


def data_url(crop: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(crop)).decode()
