"""A running site that things are done to, and what its clients see."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sites import serve_in

from scripts.local_site import Server

TOKEN = "an operator's token"
Record = Callable[..., None]
"""Keeps a row of docs/reliability.md; see the fixture `record`."""
StartSite = Callable[..., "Site"]


@dataclass(frozen=True)
class Seen:
    """What a client saw."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    def tell(self) -> str:
        retry = (
            f", `Retry-After: {self.headers['retry-after']}`" if "retry-after" in self.headers else ""
        )
        return f"{self.status}{retry}: {self.body['detail']}"


class Site:
    """A server with everything of its own in one folder."""

    def __init__(self, folder: Path, model: Path, **settings: Any) -> None:
        self.folder = folder
        self.model = folder / "model"
        if not self.model.exists() and model.exists():
            shutil.copytree(model, self.model)
        self.settings = {"OPERATOR_TOKEN": TOKEN, **settings}
        self.server = self._start()

    def _start(self) -> Server:
        return serve_in(self.folder, self.model, **self.settings)

    @property
    def reports(self) -> Path:
        return self.folder / "user_report"

    @property
    def worker(self) -> psutil.Process:
        return psutil.Process(self.server.process.pid).children()[0]

    def restart(self) -> None:
        self.server.stop()
        self.server = self._start()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Seen:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json", **headers}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            json_like = "json" in found.get("content-type", "")
            return Seen(answer.status, json.loads(text) if json_like else {}, found)
        finally:
            connection.close()

    def identify(self, crop: str) -> Seen:
        return self.ask("POST", "/api/identify", {"crops": [crop]})

    def report(self, crop: str, token: str, label: str = "aka_ribbon") -> Seen:
        return self.ask("POST", "/api/reports", {"crop": crop, "label": label, "token": token})

    def teach(self, crop: str, label: str) -> Seen:
        body = {"label": label, "crops": [crop]}
        return self.ask("POST", "/api/gallery", body, Authorization=f"Bearer {TOKEN}")

    def ready(self) -> dict[str, str]:
        """Return what `/readyz` says of each check."""
        return self.ask("GET", "/readyz").body["checks"]


def draw(number: int, side_px: int = 48) -> np.ndarray:
    """Return a crop that no other number gives."""
    return np.random.default_rng(number).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)


def damage(path: Path) -> None:
    """Overwrite a file, as a failing disk does: its size stays."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xa5" * size)
