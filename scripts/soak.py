"""Load that does not end: does the site stay honest, quick and small? `run_soak.py` runs it.

One process asks, from many threads over loopback; the site runs in a process of its own. First one to
eight clients, to learn the best that this machine gives; then sixty-four for two minutes; then slow
clients hold connections while good ones ask. Whoever is told 503 waits as long as `Retry-After` says.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from kyara.vision.images import encode_png, make_data_url
from scripts.local_site import Server

HOST = "127.0.0.1"
DEADLINE_S = 10
MANY = 64
FEW = (1, 2, 4, 8)
SLOW = 20


@dataclass
class Outcome:
    """What some clients saw together.

    Attributes:
        seconds: how long they asked.
        answers_s: the seconds that each answer (200) took, in order.
        crops: how many were answered.
        refused: how often they were told 503 with `Retry-After`.
        slowest_s: the longest that anybody waited for any answer.
        errors: everything else, counted by what it was.
        memory: bytes of the site's processes, by the second.
        site_cpu_s: CPU time that the site took.
        other_share: share of the machine's CPU time that neither site nor clients took, nor was idle.
    """

    seconds: float = 0.0
    answers_s: list[float] = field(default_factory=list)
    crops: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    site_cpu_s: float = 0.0
    other_share: float = 0.0

    @property
    def crops_per_cpu_s(self) -> float:
        """Crops answered in a second of the site's CPU time: others on the machine matter less."""
        return self.crops / self.site_cpu_s

    @property
    def rate(self) -> float:
        return self.crops / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return the time within which so many answers came."""
        return float(np.percentile(self.answers_s, percent)) * 1000 if self.answers_s else float("nan")

    def find_growth(self) -> float:
        """Return how much more memory there was in the second half than at half time, as a share."""
        half = self.memory[len(self.memory) // 2 :]
        return max(half) / half[0] - 1 if half else 0.0


class Client:
    """Asks one question after the other, over a connection that it keeps."""

    def __init__(self, port: int, number: int) -> None:
        """Take the site's port, and which client this is: each begins with another question."""
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self._asked = number

    def ask(self, outcome: Outcome, turn: threading.Lock) -> int:
        """Ask once; return for how many seconds to be quiet."""
        self._asked += 1
        crops = CROPS[self._asked % len(CROPS)]
        began = time.perf_counter()
        try:
            headers = {"Content-Type": "application/json"}
            self._connection.request("POST", "/api/identify", QUESTIONS[crops], headers)
            answer = self._connection.getresponse()
            answer.read()
            status, wait_s = answer.status, int(answer.headers.get("Retry-After", 0))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            status, wait_s = repr(error), 1
        took_s = time.perf_counter() - began
        with turn:
            outcome.slowest_s = max(outcome.slowest_s, took_s)
            if status == 200:
                outcome.answers_s.append(took_s)
                outcome.crops += crops
            elif status == 503 and wait_s:
                outcome.refused += 1
            else:
                outcome.errors[str(status)] += 1
        return wait_s

    def close(self) -> None:
        self._connection.close()


def make_question(crops: int) -> bytes:
    """Return the body of a request with crops as a page sends them."""
    y, x = np.mgrid[0:160, 0:160]
    pixels = np.stack([x, y, (x * y) // 160], axis=-1).astype(np.uint8)
    return json.dumps({"crops": [make_data_url(encode_png(pixels))] * crops}).encode()


CROPS = (1, 1, 1, 5)
"""What each client asks, over and over."""
QUESTIONS = {crops: make_question(crops) for crops in set(CROPS)}


def ask_together(server: Server, clients: int, seconds: float) -> Outcome:
    """Let clients ask at once for some time; every fourth question has five crops, the others one."""
    outcome, turn, over = Outcome(), threading.Lock(), threading.Event()

    def go_on(number: int) -> None:
        client = Client(server.port, number)
        while not over.is_set():
            over.wait(client.ask(outcome, turn))
        client.close()

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(clients)]
    began, before = time.perf_counter(), measure_cpu(server)
    for thread in threads:
        thread.start()
    while (left_s := seconds - (time.perf_counter() - began)) > 0:
        outcome.memory.append(measure_memory(server))
        over.wait(min(1.0, left_s))
    over.set()
    outcome.seconds = time.perf_counter() - began
    site_s, clients_s, busy_s, all_s = (b - a for a, b in zip(before, measure_cpu(server), strict=True))
    outcome.site_cpu_s = site_s
    outcome.other_share = max(0.0, busy_s - site_s - clients_s) / all_s
    for thread in threads:
        thread.join()
    return outcome


def measure_cpu(server: Server) -> tuple[float, float, float, float]:
    """Return CPU seconds: of the site, of this process, of everything, and of all there were."""
    parent = psutil.Process(server.process.pid)
    times = [process.cpu_times() for process in [parent, *parent.children(recursive=True)]]
    site_s = sum(one.user + one.system for one in times)
    own = psutil.Process().cpu_times()
    machine = psutil.cpu_times()
    idle_s = machine.idle + getattr(machine, "iowait", 0.0)
    return site_s, own.user + own.system, sum(machine) - idle_s, sum(machine)


def measure_memory(server: Server) -> int:
    """Return the bytes that the site's processes have in memory."""
    parent = psutil.Process(server.process.pid)
    return sum(process.memory_info().rss for process in [parent, *parent.children(recursive=True)])


@contextmanager
def hold_slowly(port: int, count: int) -> Iterator[None]:
    """Have slow clients hold connections: headers and bodies by the byte, and answers never read."""
    over = threading.Event()
    kinds = (_send_headers_slowly, _send_body_slowly, _never_read)
    threads = [
        threading.Thread(target=kinds[number % 3], args=(port, over), daemon=True)
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _send_slowly(port: int, over: threading.Event, first: bytes) -> None:
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(first)
        while not over.wait(0.3):
            try:
                connection.sendall(b"a")
            except OSError:  # it was let go
                return


def _send_headers_slowly(port: int, over: threading.Event) -> None:
    _send_slowly(port, over, b"POST /api/identify HTTP/1.1\r\nHost: x\r\nX-Slow: ")


def _send_body_slowly(port: int, over: threading.Event) -> None:
    head = b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    _send_slowly(port, over, head + b'Content-Length: 100000\r\n\r\n{"crops": ["')


def _never_read(port: int, over: threading.Event) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, port))
        for _ in range(4):
            connection.sendall(b"GET /static/vendor/opencv.wasm HTTP/1.1\r\nHost: x\r\n\r\n")
        over.wait()


@dataclass
class Soak:
    """What was measured.

    Attributes:
        few: clients → what they saw.
        many: what sixty-four saw.
        beside_slow: what eight saw while slow clients held connections.
    """

    few: dict[int, Outcome]
    many: Outcome
    beside_slow: Outcome

    @property
    def best(self) -> float:
        """The highest rate of a few clients, in crops a second."""
        return max(outcome.rate for outcome in self.few.values())

    @property
    def best_per_cpu_s(self) -> float:
        """The most crops for a second of CPU time of a few clients."""
        return max(outcome.crops_per_cpu_s for outcome in self.few.values())


def run_soak(folder: Path, *, few_s: float, many_s: float, slow_s: float, **settings: Any) -> Soak:
    """Start a site with settings and soak it, for so many seconds each: few clients, many, slow ones."""
    with Server(folder / "reports", REQUEST_DEADLINE_S=DEADLINE_S, **settings) as server:
        ask_together(server, 4, 1.0)  # the first answers are slower
        few = {count: ask_together(server, count, few_s) for count in FEW}
        many = ask_together(server, MANY, many_s)
        with hold_slowly(server.port, SLOW):
            beside_slow = ask_together(server, 8, slow_s)
    return Soak(few, many, beside_slow)
