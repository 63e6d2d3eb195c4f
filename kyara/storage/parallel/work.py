"""The work folder: the items in shards, a folder of results for each shard that is done.

    work.json            what the work is: another task, or other items, and it starts anew
    shards.jsonl         the items' names, one shard a line
    results/000000/      records.jsonl, data.bin: there when the whole shard is done
    results/000000.at    the item that a worker is at, to know what it died on

A million items are some ten thousand lines and folders; neither the names nor the results are ever in
memory together.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError
from kyara.storage.atomic import (
    explain_os_error,
    hold_lock,
    open_replacement,
    read_json_object,
    replace_file,
)
from kyara.storage.parallel.task import Record, Task

RECORDS_FILE, DATA_FILE = "records.jsonl", "data.bin"
KEPT = "What is done already is kept; the same command goes on."
_FORMAT = 1
_OWN = ("results", "shards.jsonl", ".shards.partial", "work.json", "lock")
"""What is in a work folder, in the order in which it is removed."""
_PARTIAL = ".work.json.*.partial"
"""What a write that was killed leaves there."""


@dataclass(frozen=True)
class End:
    """The end of an item's records.

    Attributes:
        name: of the item.
        error: what is wrong with it, or empty. The records before are what it gave until then.
    """

    name: str
    error: str = ""


class Work:
    """The work folder of one task, held by one run at a time."""

    def __init__(self, folder: Path, task: Task, starts: Sequence[int], items: int) -> None:
        self.folder = folder
        self.task = task
        self.items = items
        self._starts = starts

    @classmethod
    @contextmanager
    def hold(cls, folder: Path, task: Task, shards: Iterable[Sequence[str]]) -> Iterator[Work]:
        """Begin, or go on where an earlier run of the same work was.

        Args:
            folder: the work folder, which is made if need be.
            task: what is done.
            shards: names of items, those of a shard together; no shard is empty.

        Raises:
            BadInputError: the folder is somebody's who has other things in it.
            BusyError: another run works there.
            KyaraError: it cannot be written.
        """
        with ExitStack() as held:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _check_own(folder)
                busy = f"Another run works in {folder}; wait for its end."
                held.enter_context(hold_lock(folder / "lock", busy=busy))
                starts, items = _prepare(folder, task, shards)
            except OSError as error:
                raise explain_os_error(error, str(folder), KEPT) from error
            yield cls(folder, task, starts, items)

    @property
    def results(self) -> Path:
        """The folder of results."""
        return self.folder / "results"

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return len(self._starts)

    def read_names(self, number: int) -> list[str]:
        """Return the items of a shard."""
        with (self.folder / "shards.jsonl").open("rb") as file:
            file.seek(self._starts[number])
            return json.loads(file.readline())

    def is_done(self, number: int) -> bool:
        """Return whether a shard has its results."""
        return name_result(self.results, number).is_dir()

    def read_position(self, number: int) -> int | None:
        """Return the index of the item that a worker was at when it died; None: before the first."""
        try:
            return int(name_position(self.results, number).read_text())
        except (OSError, ValueError):
            return None

    def read_results(self, number: int) -> Iterator[Record | End]:
        """Give the results of a shard: of each item, in order, its records and then its end."""
        folder = name_result(self.results, number)
        names = self.read_names(number)
        with (folder / RECORDS_FILE).open("rb") as lines, (folder / DATA_FILE).open("rb") as data:
            for line in lines:
                kept: dict[str, Any] = json.loads(line)
                if "entry" in kept:
                    yield Record(kept["entry"], data.read(kept["bytes"]))
                else:
                    yield End(names[kept["item"]], kept["error"])

    def remove(self) -> None:
        """Remove the folder: the results are where they belong. What somebody has put into it stays."""
        shutil.rmtree(self.results, ignore_errors=True)
        with suppress(OSError):
            for path in (*self.folder.glob(_PARTIAL), *(self.folder / name for name in _OWN[1:])):
                path.unlink(missing_ok=True)
            self.folder.rmdir()


def name_result(results: Path, number: int) -> Path:
    """Return the folder of a shard's results."""
    return results / f"{number:06}"


def name_position(results: Path, number: int) -> Path:
    """Return the file that tells which item of a shard a worker is at."""
    return results / f"{number:06}.at"


def _check_own(folder: Path) -> None:
    """Refuse a folder with other things in it than work: what is in a work folder is removed.

    Raises:
        BadInputError: there are.
    """
    names = {path.name for path in folder.iterdir()} - {path.name for path in folder.glob(_PARTIAL)}
    foreign = sorted(names.difference(_OWN))
    if not foreign and "results" in names and "format" not in read_json_object(folder / "work.json"):
        foreign = ["results"]  # it has the name alone
    if foreign:
        raise BadInputError(
            f"The folder {folder} has other things in it ({ascii(foreign[0])[:120]} for one); name a "
            "new or empty folder for the work."
        )


def _prepare(folder: Path, task: Task, shards: Iterable[Sequence[str]]) -> tuple[list[int], int]:
    """Write the list of shards; forget the results of another task or of other items."""
    head = json.dumps(task.to_json(), sort_keys=True).encode()
    digest, starts, items, place = hashlib.sha256(head), [], 0, 0
    with open_replacement(folder / "shards.jsonl", ".shards.partial") as file:
        for shard in shards:
            line = json.dumps(list(shard)).encode() + b"\n"
            file.write(line)
            digest.update(line)
            starts.append(place)
            place, items = place + len(line), items + len(shard)
        wanted = {"format": _FORMAT, "key": digest.hexdigest()}
        if read_json_object(folder / "work.json") != wanted:
            shutil.rmtree(folder / "results", ignore_errors=True)
            replace_file(folder / "work.json", json.dumps(wanted) + "\n")
    (folder / "results").mkdir(exist_ok=True)
    _sweep(folder / "results")
    return starts, items


def _sweep(results: Path) -> None:
    """Remove what killed workers left; what one that still runs makes is lost."""
    for path in results.glob(".*.partial"):
        shutil.rmtree(path, ignore_errors=True)
    for path in results.glob("*.at"):
        with suppress(OSError):
            path.unlink()
