"""Three servers on one database, one Redis and one S3, behind nginx as `deploy/nginx.conf` has it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from command_line import ROOT
from services import Server, find_free_port

from kyara.registry import Models
from scripts import local_site

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
_SERVERS = "server 127.0.0.1:500{} max_fails=1 fail_timeout=1s;"


class NginxServer(Server):
    """nginx with the configuration that is delivered, but for ports and folders."""

    name = "nginx"
    stop_signal = signal.SIGQUIT

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__()
        text = CONFIGURATION.read_text()
        changes = {
            _SERVERS.format(number): _SERVERS.format(number).replace(f"500{number}", str(port))
            for number, port in enumerate(ports, 1)
        }
        changes |= {"listen 8080;": f"listen 127.0.0.1:{self.port};", "listen [::]:8080;": ""}
        changes |= {"/tmp/kyara-nginx": f"{self.folder}/kyara-nginx"}
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        self.configuration = self.folder / "nginx.conf"
        self.configuration.write_text(text)

    def command(self) -> Sequence[str]:
        user = "user root; " if os.geteuid() == 0 else ""
        return [
            "nginx",
            "-p",
            str(self.folder),
            "-c",
            str(self.configuration),
            "-e",
            "stderr",
            "-g",
            f"{user}daemon off;",
        ]


class Instance:
    """One server that may be killed and started again at its port."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.port = find_free_port()
        self._folder = folder
        self._settings = {
            "CACHE_FOLDER": folder / "cache",
            "INSTANCE_FOLDER": folder / "instance",
            "DATASET_FOLDER": folder / "dataset",
            "RUN_FOLDER": folder / "runs",
            "RATE_LIMITS": "",  # all visitors here are one address
            "REPORT_SENDER_QUOTA": 10**6,
            **settings,
        }
        self._site: local_site.Server | None = None

    def start(self) -> None:
        models = self._folder / "model"  # empty: what serves comes from the others
        models.mkdir(parents=True, exist_ok=True)
        self._site = local_site.Server(
            self._folder / "user_report", model=models, port=self.port, wait=False, **self._settings
        )

    def kill(self) -> None:
        if self._site is not None:
            self._site.stop(signal.SIGKILL)
            self._site = None

    @property
    def is_there(self) -> bool:
        """Whether it listens; it need not answer yet."""
        return self._site is not None

    def restart(self) -> None:
        self.kill()
        self.start()

    def read_log(self) -> str:
        """Return the end of what it has said since its last start."""
        return "".join(self._site.log[-30:]) if self._site else ""

    def read_version(self, timeout_s: float = 5) -> str:
        """Return the version that it says it serves; empty where it does not answer in time."""
        status, answer = ask(self.port, "GET", "/healthz", timeout_s=timeout_s)
        return answer["model"]["version"] if status == 200 else ""


def ask(
    port: int, method: str, path: str, body: Any = None, *, timeout_s: float = 60, token: str = ""
) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of one request over its own connection.

    Where there was no answer, or half of one, they are 0 and `{"detail": why}`.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, {"detail": f"{path}: {error!r}"}
    finally:
        connection.close()
    with contextlib.suppress(ValueError):
        return answer.status, json.loads(text)
    return answer.status, {}


class Worker(threading.Thread, ABC):
    """Does something again and again until it is told to stop; an exception is kept for the test."""

    def __init__(self, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.done = done
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.done.is_set():
                self.act()
        except BaseException as error:
            self.error = error
            self.done.set()

    @abstractmethod
    def act(self) -> None:
        """Do it once."""


class Client(Worker):
    """Sends requests to nginx, and counts the answers by their status."""

    def __init__(self, done: threading.Event, port: int) -> None:
        """Take nginx's port."""
        super().__init__(done)
        self.port = port
        self.statuses: Counter[int] = Counter()
        self.unanswered: list[str] = []
        """Why, for each request without an answer."""

    def send(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        # nginx gives up after a minute: it is to answer first
        status, answer = ask(self.port, "POST", path, body, timeout_s=240)
        self.statuses[status] += 1
        if status == 0:
            self.unanswered.append(answer["detail"])
        return status, answer


class Asker(Client):
    """Asks who is in a crop, and keeps when, and which model answered."""

    def __init__(self, done: threading.Event, port: int, crop: str) -> None:
        super().__init__(done, port)
        self.crop = crop
        self.answers: list[tuple[float, float, str, str]] = []
        """Start, end, name, version."""
        self.mixed: list[str] = []

    def act(self) -> None:
        started = time.monotonic()
        status, answer = self.send("/api/identify", {"crops": [self.crop], "top_k": 4})
        if status != 200:
            self.done.wait(0.1)
            return
        name = answer["model"]["name"]
        self.answers.append((started, time.monotonic(), name, answer["model"]["version"]))
        labels = [one["label"] for face in answer["faces"] for one in face["answers"]]
        if any(label.partition("/")[0] != name for label in labels):
            self.mixed.append(f"{name}: {labels}")


class Reporter(Client):
    """Sends reports, each with a token and pixels of its own, again until each has its 201."""

    def __init__(self, done: threading.Event, port: int, name: str, crops: Any) -> None:
        super().__init__(done, port)
        self.prefix, self.crops = name, crops
        self.stored: dict[str, str] = {}
        """Token → id."""

    def act(self) -> None:
        """Send the next one until it is stored, even when it is time to stop."""
        token = f"{self.prefix}-{len(self.stored):06}"
        body = {"crop": self.crops(len(self.stored)), "label": self.prefix, "token": token}
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            status, answer = self.send("/api/reports", body)
            if status == 201:
                self.stored[token] = answer["id"]
                return
            time.sleep(0.1)
        raise AssertionError(f"{token} was never stored: {self.statuses}")


class Promoter(Worker):
    """Changes what serves again and again, and keeps from when on which bundle did."""

    def __init__(self, done: threading.Event, models: Models, names: Sequence[str]) -> None:
        super().__init__(done)
        self.models, self.names = models, names
        self.changes: list[tuple[float, float, str]] = []
        """Before, after, version."""

    def act(self) -> None:
        """Promote the next bundle or roll back, then wait."""
        before, number = time.monotonic(), len(self.changes)
        if number % 4 == 3:
            bundle = self.models.roll_back()
        else:
            bundle = self.models.promote(self.names[number % 2])
        self.changes.append((before, time.monotonic(), bundle.version))
        self.done.wait(3)


class Killer(Worker):
    """Kills a server every two seconds and starts it again at once."""

    EVERY_S = 2.0

    def __init__(self, done: threading.Event, instances: Sequence[Instance]) -> None:
        super().__init__(done)
        self.instances = list(instances)
        self.kills = self.spared = 0
        self._beat = time.monotonic()
        self._restarts: list[threading.Thread] = []

    def act(self) -> None:
        """Kill the one that has lived longest; where only one answers, one that is starting."""
        self._beat += self.EVERY_S
        if self.done.wait(self._beat - time.monotonic()):
            for thread in self._restarts:
                thread.join()
            return
        with ThreadPoolExecutor(len(self.instances)) as together:
            answers = list(together.map(lambda one: one.read_version(timeout_s=1), self.instances))
        answering = dict(zip(self.instances, answers, strict=True))
        alive = [one for one in self.instances if answering[one]]
        starting = [one for one in self.instances if not answering[one] and one.is_there]
        if len(alive) < 2 and not starting:
            self.spared += 1
            return
        victim = alive[0] if len(alive) > 1 else starting[-1]
        self.instances.remove(victim)
        self.instances.append(victim)
        self._restarts.append(threading.Thread(target=victim.restart))
        self._restarts[-1].start()
        self.kills += 1
