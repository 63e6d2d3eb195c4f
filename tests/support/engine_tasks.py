"""Tasks of the engine's tests: workers find them by name, as they find Kyara's own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError, KyaraError
from kyara.storage.parallel import End, Record, Task

NAMES = [*map(str, range(20)), "x", "bug", "20"]
Do = Callable[[str], Iterator[Record]]


@contextmanager
def open_square(options: Mapping[str, Any]) -> Iterator[Do]:
    """Square numbers. What is no number is at fault, and gives one record first.

    Options: `log`, a file that gets a line for each item; `fatal`, an item on which the process dies;
    `once`, a file: while it is not there an item makes it and dies; `gate`, a file that items wait for.
    """

    def square(name: str) -> Iterator[Record]:
        if "log" in options:
            with Path(options["log"]).open("a") as log:
                log.write(f"{os.getpid()} {name}\n")
        while "gate" in options and not Path(options["gate"]).exists():
            os.sched_yield()
        if name == options.get("fatal"):
            os.kill(os.getpid(), signal.SIGKILL)
        if "once" in options and name == "7":
            with _first(Path(options["once"])) as first:
                if first:
                    os.kill(os.getpid(), signal.SIGKILL)
        yield Record({"name": name}, name.encode())
        if name == "bug":
            raise ZeroDivisionError("by nothing")
        if not name.isdigit():
            raise BadInputError(f"{name} is no number.")
        yield Record({"square": int(name) ** 2}, bytes(int(name) % 256))

    yield square


@contextmanager
def _first(mark: Path) -> Iterator[bool]:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        yield False
    else:
        yield True


@contextmanager
def open_nothing(options: Mapping[str, Any]) -> Iterator[Do]:
    """Fail before the first item: with a sentence, or by dying."""
    if options["how"] == "dying":
        os.kill(os.getpid(), signal.SIGKILL)
    raise KyaraError("There is no model here.")
    yield


def in_shards(names: list[str]) -> list[list[str]]:
    return [names[start : start + 3] for start in range(0, len(names), 3)]


def make_task(**options: str) -> Task:
    return Task("engine_tasks:open_square", options)


def expect(names: list[str], left_out: dict[str, str] | None = None) -> list[Record | End]:
    """Work out the results by hand."""
    parts: list[Record | End] = []
    for name in names:
        if left_out and name in left_out:
            parts.append(End(name, left_out[name]))
            continue
        parts.append(Record({"name": name}, name.encode()))
        if name.isdigit():
            parts += [Record({"square": int(name) ** 2}, bytes(int(name) % 256)), End(name)]
        elif name == "bug":
            parts.append(End(name, "It cannot be worked on (ZeroDivisionError: by nothing)."))
        else:
            parts.append(End(name, f"{name} is no number."))
    return parts
