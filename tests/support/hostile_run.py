"""Send hostile requests to a real server on this machine, and write down what became of it.

make hostile                                  20,000 requests; the figures go into docs/security.md
python tests/support/hostile_run.py --requests 2000   fewer, printed only
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from hostile import as_url, encode  # noqa: E402
from hostile_requests import Hostile, make_hostile  # noqa: E402
from sites import serve_in  # noqa: E402

from scripts.local_site import Server  # noqa: E402

CLIENTS = 32
"""Many only wait: a body that is cut short is never answered."""
TIMEOUT_S = 60
QUIET_S = 5
DELIBERATE = {503, 507}
EXCEPTION_WORDS = ("Traceback", "Unexpected error", "uncaptured python exception")
SAMPLES = 40
RESTS = 4
REST_S = 15
"""Longer than the worker waits before it gives back memory that is free."""
TOKEN = "tr0ubadour-and-horse"
PAGE = ROOT / "docs" / "security.md"
MARKS = ("<!-- hostile: written by `make hostile` -->", "<!-- /hostile -->")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def send(port: int, raw: bytes) -> list[int]:
    """Send bytes, and return the status of every answer; none where it closed."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        try:
            connection.sendall(raw)
        except OSError:  # refused before all of it was read
            pass
        connection.settimeout(QUIET_S)  # a body cut short is waited for: nobody answers, and we go
        try:
            while part := connection.recv(65536):
                answer += part
        except (ConnectionError, TimeoutError):
            pass
    return find_statuses(answer)


def find_statuses(answer: bytes | bytearray) -> list[int]:
    """Return the status of every answer in what a server has sent."""
    return [int(status) for status in _STATUS.findall(answer)]


def list_exceptions(log: list[str]) -> list[str]:
    """Return the first lines of a server's log that tell of an exception."""
    return [line for line in log if any(word in line for word in EXCEPTION_WORDS)][:20]


def ask_well(server: Server) -> None:
    """Ask who somebody is, as a visitor would; patient where the site is busy."""
    body = json.dumps({"crops": [as_url(encode("PNG", (64, 64)))]}).encode()
    request = Request(f"{server.url}/api/identify", body, {"Content-Type": "application/json"})
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:
                assert len(json.loads(answer.read())["faces"]) == 1
                return
        except HTTPError as error:
            error.close()
            if error.code != 503 or time.monotonic() > until:
                raise


def measure(server: Server, folder: Path) -> dict[str, float]:
    """Return the memory (MiB), open files and threads of the workers, and the files that there are."""
    workers = psutil.Process(server.process.pid).children(recursive=True)
    return {
        "mib": sum(worker.memory_info().rss for worker in workers) / 2**20,
        "descriptors": sum(worker.num_fds() for worker in workers),
        "files": sum(path.is_file() for path in folder.rglob("*")),
    }


def run(requests: int, model: Path, folder: Path, rest_s: float = REST_S) -> dict[str, Any]:
    """Send so many requests, and let the site rest after each quarter of them.

    Args:
        requests: how many.
        model: the model folder.
        folder: for everything that the site writes.
        rest_s: how long, in seconds. What the worker holds after it, it keeps.

    Returns:
        The figures, as they are written to docs/; `wrong` names what should not have happened.
    """
    statuses: Counter[str] = Counter()
    wrong: list[str] = []
    under_fire, at_rest = [], []
    started = time.monotonic()
    with serve_in(folder, model, OPERATOR_TOKEN=TOKEN) as server:

        def ask_and_measure() -> dict[str, float]:
            ask_well(server)
            return measure(server, folder)

        step = max(1, -(-requests // SAMPLES))
        at_rest.append(ask_and_measure())
        with ThreadPoolExecutor(CLIENTS) as clients:
            for quarter in range(RESTS):
                numbers = range(requests * quarter // RESTS, requests * (quarter + 1) // RESTS)
                answered = clients.map(lambda number: _try(server, number), numbers)
                for sent, (hostile, answers) in enumerate(answered, 1):
                    statuses.update(map(str, answers or ["closed"]))
                    if bad := [each for each in answers if each >= 500 and each not in DELIBERATE]:
                        wrong.append(f"{hostile.name}: {bad}")
                    if sent % step == 0:
                        under_fire.append(ask_and_measure())
                time.sleep(rest_s)
                at_rest.append(ask_and_measure())
        server.stop()
        wrong += list_exceptions(server.log)
    stored = statuses["201"]
    mib = [round(each["mib"]) for each in at_rest]
    return {
        "requests": requests,
        "seconds": round(time.monotonic() - started),
        "good_answers_between": len(under_fire) + len(at_rest),
        "statuses": dict(sorted(statuses.items())),
        "wrong": wrong,
        "memory_at_rest_mib": mib,
        "memory_growth_second_half": round(mib[-1] / mib[RESTS // 2] - 1, 4),
        "memory_under_fire_mib": [round(each["mib"]) for each in under_fire],
        "descriptors": [int(each["descriptors"]) for each in at_rest],
        "reports_accepted": stored,
        "files_beyond_reports": [int(at_rest[0]["files"]), int(at_rest[-1]["files"] - stored)],
    }


def _try(server: Server, number: int) -> tuple[Hostile, list[int]]:
    hostile = make_hostile(number)
    return hostile, send(server.port, hostile.raw)


def describe(figures: dict[str, Any]) -> str:
    """Return the figures as the lines of docs/security.md."""
    first, *later = figures["memory_at_rest_mib"]
    return (
        f"{figures['requests']:,} hostile requests in {figures['seconds']} s: "
        f"{', '.join(f'{count:,} × {status}' for status, count in figures['statuses'].items())}. "
        f"5xx other than 503 and 507, or an exception in the log: "
        f"{len(figures['wrong'])}. "
        f"Memory of the worker at rest: {first} MiB at first, {', '.join(map(str, later))} after each "
        f"quarter ({figures['memory_growth_second_half']:+.1%} in the second half), at most "
        f"{max(figures['memory_under_fire_mib'])} under fire. "
        f"Open files: {', '.join(map(str, figures['descriptors']))}. "
        f"Damaged pictures that were whole all the same, and were kept as reports: "
        f"{figures['reports_accepted']:,}. "
        f"A good question in between was answered {figures['good_answers_between']} times of "
        f"{figures['good_answers_between']}."
    )


def write_between(path: Path, marks: tuple[str, str], text: str) -> None:
    """Put figures into a page, between two marks."""
    page = path.read_text(encoding="utf-8")
    begin, end = marks
    before, rest = page.split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> int:
    """Parse the options, send, print; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model folder")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/security.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options.requests, options.model, Path(folder))
    print(json.dumps(figures, indent=1))
    print(describe(figures))
    if options.write:
        write_between(PAGE, MARKS, describe(figures))
    return int(bool(figures["wrong"]) or figures["memory_growth_second_half"] > 0.05)


if __name__ == "__main__":
    sys.exit(main())
