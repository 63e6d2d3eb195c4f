"""A real server for the report tests, and a client that keeps its connection open."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np

from kyara.vision.images import encode_png, make_data_url

ROOT = Path(__file__).resolve().parents[4]


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers.get_content_type(), json.loads(answer.read())

    def send(self, **report: Any) -> tuple[int, str, dict[str, Any]]:
        return self.ask("POST", "/api/reports", report)


def data_url(crop: np.ndarray) -> str:
    return make_data_url(encode_png(crop))
