"""Send malformed messages to a real server on this machine; part of `make hostile`.

python tests/support/wire_run.py --messages 2000   fewer, printed only
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from hostile_run import DELIBERATE, PAGE, find_statuses, list_exceptions, write_between  # noqa: E402
from sites import serve_in  # noqa: E402
from wire_messages import Message, make_message  # noqa: E402

from scripts.local_site import Server  # noqa: E402

CLIENTS = 8
TIMEOUT_S = 30
"""Everything is answered or closed at once; who waits as long as this hangs."""
MARKS = ("<!-- wire: written by `make hostile` -->", "<!-- /wire -->")


def converse(port: int, message: Message) -> list[int] | None:
    """Send a message and end the sending half; return the statuses of the answers, None if it hangs."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        try:
            for part in message.parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except TimeoutError:
            return None
        except OSError:  # it was refused before all of it was read
            pass
    return [status for status in find_statuses(answer) if status >= 200]


def run(messages: int, server: Server, first: int = 0) -> dict[str, Any]:
    """Send so many messages; `wrong` names what should not have happened.

    Args:
        messages: how many.
        server: a running site.
        first: number of the first one.
    """
    statuses: Counter[str] = Counter()
    wrong: list[str] = []

    def send(number: int) -> tuple[int, Message, list[int] | None]:
        message = make_message(number)
        return number, message, converse(server.port, message)

    with ThreadPoolExecutor(CLIENTS) as clients:
        for number, message, answers in clients.map(send, range(first, first + messages)):
            if answers is None:
                wrong.append(f"message {number} hangs")
                continue
            statuses.update(map(str, answers or ["closed"]))
            if len(answers) > message.most_answers:
                wrong.append(f"message {number}: {answers}, at most {message.most_answers} answers")
            if any(each >= 500 and each not in DELIBERATE for each in answers):
                wrong.append(f"message {number}: {answers}")
    wrong += list_exceptions(server.log)
    return {"messages": messages, "statuses": dict(sorted(statuses.items())), "wrong": wrong}


def describe(figures: dict[str, Any]) -> str:
    """Return the figures as the lines of docs/security.md."""
    return (
        f"{figures['messages']:,} messages: "
        f"{', '.join(f'{count:,} × {status}' for status, count in figures['statuses'].items())}. "
        f"Exceptions in the log, clients that hang, answers beyond the messages that another parser "
        f"finds: "
        f"{len(figures['wrong'])}."
    )


def main() -> int:
    """Parse the options, send, print; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model folder")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/security.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        with serve_in(Path(name), options.model) as server:
            figures = run(options.messages, server, options.first)
    print(json.dumps(figures, indent=1))
    if options.write:
        write_between(PAGE, MARKS, describe(figures))
    return int(bool(figures["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
