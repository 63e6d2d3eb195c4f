"""A client that asks a running site again and again."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any


class Asker(threading.Thread):
    """Asks a site again and again, over one connection, and keeps what does not fit together."""

    def __init__(self, port: int, body: dict[str, Any], done: threading.Event) -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.body, self.done = body, done
        self.versions: dict[tuple[str, str], int] = {}
        self.wrong: list[str] = []

    def run(self) -> None:
        headers = {"Content-Type": "application/json"}
        while not self.done.is_set() and not self.wrong:
            try:
                self.connection.request("POST", "/api/identify", json.dumps(self.body), headers)
                answer = self.connection.getresponse()
                text = answer.read().decode()
            except OSError as error:
                self.wrong.append(repr(error))
                return
            if answer.status != 200:
                self.wrong.append(f"{answer.status} {text}")
                return
            self._check(json.loads(text))
        self.connection.close()

    def _check(self, answer: dict[str, Any]) -> None:
        model = answer["model"]["name"], answer["model"]["version"]
        self.versions[model] = self.versions.get(model, 0) + 1
        labels = {one["label"] for face in answer["faces"] for one in face["answers"]}
        if {label.partition("/")[0] for label in labels} != {model[0]}:
            self.wrong.append(f"{model}: {labels}")
