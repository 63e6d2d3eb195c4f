"""One attacker at half of every rate limit, beside a visitor who asks for one crop a second.

python tests/support/attack_run.py --write               a minute each; the table in docs/reliability.md
python tests/support/attack_run.py --seconds 5 --only scans   some of them, printed only
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from attacks import Attack, list_attacks  # noqa: E402
from hostile import as_url, encode  # noqa: E402
from hostile_requests import build  # noqa: E402
from hostile_run import find_statuses, list_exceptions, write_between  # noqa: E402
from operators import read_token  # noqa: E402
from sites import make_accounts, serve_in  # noqa: E402

from kyara.web.ops.limits import DEFAULT_LIMITS, read_limits  # noqa: E402
from scripts.local_site import Server  # noqa: E402
from scripts.run_soak import describe_machine  # noqa: E402

ATTACKER, VISITOR = "127.0.0.2", "127.0.0.1"
TIMEOUT_S = 60
CLIENTS = 200
"""The attacker does not wait for answers before sending again."""
LIMITS = read_limits(DEFAULT_LIMITS)
MAX_P95_S = 1.0
MAX_BYTES = 600e6
PAGE = ROOT / "docs" / "reliability.md"
MARKS = ("<!-- attacks: written by `make hostile` -->", "<!-- /attacks -->")


@dataclass
class Row:
    """What one attack did.

    Attributes:
        attack: which.
        rate: requests a second that the attacker sent.
        statuses: what it was answered.
        visitor_s: seconds that each answer to the visitor took.
        visitor: what the visitor was answered.
        peak_bytes: most memory of the process that serves.
    """

    attack: Attack
    rate: float
    statuses: Counter[str] = field(default_factory=Counter)
    visitor_s: list[float] = field(default_factory=list)
    visitor: Counter[str] = field(default_factory=Counter)
    peak_bytes: int = 0

    @property
    def p95_s(self) -> float:
        """The time within which 95 of 100 of the visitor's requests had an answer."""
        return float(np.percentile(self.visitor_s, 95))

    @property
    def holds(self) -> bool:
        """Whether every request of the visitor was answered, in time, within the memory."""
        served = self.visitor.keys() == {"200"}
        return served and self.p95_s <= MAX_P95_S and self.peak_bytes <= MAX_BYTES


def find_rate(kind: str) -> float:
    """Return half of a limit, in requests a second; twice a second for what has no limit."""
    if not kind:
        return 2.0
    number, _, unit = LIMITS[kind].partition("/")
    return int(number) / {"second": 1, "minute": 60, "hour": 3600}[unit] / 2


def send(port: int, raw: bytes, source: str, open_now: set[socket.socket]) -> str:
    """Send a request from an address; return the status of the last answer that came."""
    answer = bytearray()
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (source, 0)) as connection:
            open_now.add(connection)
            with suppress(OSError):  # refused before all of it was read: the answer is there
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
            open_now.discard(connection)
    except OSError:  # closed without an answer, or the time was over
        pass
    statuses = [one for one in find_statuses(answer) if one >= 200]  # 100 Continue answers nothing
    return str(statuses[-1]) if statuses else "closed"


def hold(port: int, attack: Attack, held: ExitStack) -> None:
    """Open connections that send what the attack is, and leave them."""
    for number in range(attack.held):
        connection = held.enter_context(socket.socket())
        connection.settimeout(TIMEOUT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.bind((ATTACKER, 0))
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(attack.make(number))
        except OSError:  # it gave way to others
            pass


def attack_for(server: Server, attack: Attack, seconds: float, session: tuple[str, str]) -> Row:
    """Attack a site for some time, and have a visitor ask it meanwhile.

    What the attacker has no answer to at the end is not counted; the first answer is waited for.
    """
    row, over, turn = Row(attack, find_rate(attack.kind)), threading.Event(), threading.Lock()
    answered, ended = threading.Event(), threading.Event()
    crop = as_url(encode("PNG", (160, 160)))
    question = build("POST", "/api/identify", f'{{"crops": ["{crop}"]}}'.encode())
    striking: set[socket.socket] = set()
    (worker,) = psutil.Process(server.process.pid).children()

    def visit(_: int) -> None:
        began = time.monotonic()
        status = send(server.port, question, VISITOR, set())
        with turn:
            row.visitor_s.append(time.monotonic() - began)
            row.visitor[status] += 1

    def strike(number: int) -> None:
        raw = attack.make(number)
        if attack.kind == "login":
            raw = raw.replace(b"SESSION", session[0].encode()).replace(b"TOKEN", session[1].encode())
        status = send(server.port, raw, ATTACKER, striking)
        if status == "closed" and ended.is_set():  # by this program
            return
        with turn:
            row.statuses[status] += 1
        answered.set()

    def watch() -> None:
        while not over.wait(0.05):
            row.peak_bytes = max(row.peak_bytes, worker.memory_info().rss)

    attack.make(0)  # made before the clock runs
    with ExitStack() as held, ThreadPoolExecutor(CLIENTS) as clients, ThreadPoolExecutor(60) as visitors:
        threading.Thread(target=watch, daemon=True).start()
        if attack.held:
            hold(server.port, attack, held)
        began, sent, visits = time.monotonic(), 0, 0
        while (now_s := time.monotonic() - began) < seconds:
            if now_s >= visits:
                visitors.submit(visit, visits)
                visits += 1
            elif not attack.held and now_s >= sent / row.rate:
                clients.submit(strike, sent)
                sent += 1
            else:
                over.wait(0.005)
        if not attack.held:
            answered.wait(TIMEOUT_S)
        ended.set()
        clients.shutdown(wait=False, cancel_futures=True)
        for connection in list(striking):  # nobody waits for what the attacker still has to get
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
    over.set()
    return row


def run(
    attacks: Iterable[Attack], seconds: float, model: Path, folder: Path
) -> tuple[list[Row], list[str]]:
    """Start a site with its limits as they ship for each attack, and attack it.

    On one site for all, one attack would use up what the next of its kind may send in a minute.

    Args:
        attacks: one after the other.
        seconds: each.
        model: the model folder.
        folder: for everything that the site writes.

    Returns:
        A row for each, and the exceptions in the sites' logs.
    """
    rows, wrong = [], []
    for number, attack in enumerate(attacks):
        own = folder / str(number)
        make_accounts(own, "rin")
        with serve_in(own, model, RATE_LIMITS=DEFAULT_LIMITS, REPORT_SENDER_QUOTA=500) as server:
            rows.append(attack_for(server, attack, seconds, open_session(server)))
        wrong += list_exceptions(server.log)
    return rows, wrong


def open_session(server: Server) -> tuple[str, str]:
    """Return the cookie and the token of a form to log in with."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    connection.request("GET", "/operator/login", headers={"Accept": "text/html"})
    answer = connection.getresponse()
    cookie = (answer.headers["Set-Cookie"] or "").split(";")[0]
    token = read_token(answer.read().decode())
    connection.close()
    return cookie, token


def describe(rows: list[Row], seconds: float) -> str:
    """Return the table for docs/reliability.md."""
    lines = [
        "| the attacker sends | a second | is answered | the visitor is answered | p95, slowest "
        "| peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        rate = f"{row.attack.held} held" if row.attack.held else f"{row.rate:g}"
        told = [
            ", ".join(f"{n} × {what}" for what, n in sorted(one.items()))
            for one in (row.statuses, row.visitor)
        ]
        lines.append(
            f"| {row.attack.name} | {rate} | {told[0] or '—'} | {told[1]} "
            f"| {row.p95_s:.2f}, {max(row.visitor_s):.2f} s | {row.peak_bytes / 1e6:.0f} MB |"
        )
    held = sum(row.holds for row in rows)
    lines.append("")
    lines.append(
        f"{held} of {len(rows)} hold: every request of the visitor answered with 200, p95 at most "
        f"{MAX_P95_S:g} s, at most {MAX_BYTES / 1e6:.0f} MB. "
        f"{seconds:g} s each, on {describe_machine()}."
    )
    return "\n".join(lines)


def main() -> int:
    """Parse the options, attack, print; 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", default="", help="those whose name matches this pattern")
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model folder")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    options = parser.parse_args()
    attacks = [one for one in list_attacks() if re.search(options.only, one.name)]
    with tempfile.TemporaryDirectory() as folder:
        rows, wrong = run(attacks, options.seconds, options.model, Path(folder))
    print(table := describe(rows, options.seconds), *wrong, sep="\n")
    if options.write:
        write_between(PAGE, MARKS, table)
    return int(bool(wrong) or not all(row.holds for row in rows))


if __name__ == "__main__":
    sys.exit(main())
