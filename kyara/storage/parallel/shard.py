"""A worker's side: one shard of items, whose results are there whole or not at all."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from kyara.errors import KyaraError
from kyara.storage.atomic import explain_os_error, sync_folder
from kyara.storage.extras import explain_missing
from kyara.storage.parallel.task import Do, Task
from kyara.storage.parallel.work import DATA_FILE, KEPT, RECORDS_FILE, name_position, name_result


@dataclass(frozen=True)
class ShardOrder:
    """A shard to do.

    Attributes:
        number: of the shard.
        names: of its items.
        results: the work's folder of results; every worker sees the same.
        given_up: item index → why it is not tried again.
    """

    number: int
    names: tuple[str, ...]
    results: Path
    given_up: Mapping[int, str] = field(default_factory=dict)


_open: dict[str, Do] = {}
_held = ExitStack()
atexit.register(_held.close)


def do_order(task: Mapping[str, Any], order: ShardOrder) -> str:
    """Do a shard in a process that does many of a task, which is opened once.

    Returns:
        Why no worker could go on; empty if the shard is done.
    """
    key = repr(task)
    try:
        if key not in _open:
            _open[key] = _held.enter_context(Task(**task).open())
        do_shard(order, _open[key])
    except KyaraError as error:
        return str(error)
    except ModuleNotFoundError as error:
        if not (missing := explain_missing(error)):
            raise
        return missing
    return ""


def do_shard(order: ShardOrder, do: Do) -> None:
    """Do the items of a shard one after the other, and put their results into place.

    Two workers may do the same shard where one was taken for dead: both come to the same bytes, and the
    first to be ready counts.

    Raises:
        KyaraError: the results cannot be written.
    """
    target = name_result(order.results, order.number)
    try:
        with _make_folder(order.results / f".{order.number:06}.{uuid.uuid4().hex}.partial") as partial:
            _write_results(order, do, partial)
            try:
                os.rename(partial, target)
            except OSError:
                if not target.is_dir():
                    raise
        sync_folder(order.results)
        name_position(order.results, order.number).unlink(missing_ok=True)
    except OSError as error:
        raise explain_os_error(error, str(order.results), KEPT) from error


@contextmanager
def _make_folder(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_results(order: ShardOrder, do: Do, folder: Path) -> None:
    position = name_position(order.results, order.number)
    with (folder / RECORDS_FILE).open("wb") as lines, (folder / DATA_FILE).open("wb") as data:
        for index, name in enumerate(order.names):
            position.write_text(str(index))
            error = order.given_up.get(index, "") or _do_item(do, name, lines, data)
            _write_line(lines, {"item": index, "error": error})
        for file in (lines, data):
            file.flush()
            os.fsync(file.fileno())
    sync_folder(folder)


def _do_item(do: Do, name: str, lines: IO[bytes], data: IO[bytes]) -> str:
    """Write an item's records; return what is wrong with it, or nothing."""
    records = do(name)
    while True:
        try:
            record = next(records, None)
        except KyaraError as error:
            return str(error)
        except Exception as error:  # of one item among a million: it is reported, and the rest goes on
            return f"It cannot be worked on ({type(error).__name__}: {error})."
        if record is None:
            return ""
        data.write(record.data)
        _write_line(lines, {"entry": record.entry, "bytes": len(record.data)})


def _write_line(lines: IO[bytes], content: Mapping[str, Any]) -> None:
    lines.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
