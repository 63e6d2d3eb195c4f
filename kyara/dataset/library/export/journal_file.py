"""A journal: a line on disk before each act, so that a run that is killed can be taken back, too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

from kyara.errors import BadInputError
from kyara.storage.atomic import explain_os_error, sync_folder

UNDONE_SUFFIX = ".undone"


class JournalFile:
    """A journal that is being written."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        """Take the file, open for writing."""
        self.path = path
        self._file = file

    @classmethod
    @contextmanager
    def begin(cls, path: Path) -> Iterator[Self]:
        """Begin a journal.

        Raises:
            KyaraError: there is one of this name, or it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("x", encoding="ascii")
        except OSError as error:
            raise explain_os_error(error, str(path), "Nothing was done.") from error
        with file:
            sync_folder(path.parent)
            yield cls(path, file)

    def write_line(self, told: Mapping[str, Any]) -> None:
        """Write what is about to be done, to the disk itself.

        Raises:
            OSError: it cannot be written; then it may not be done.
        """
        self._file.write(json.dumps(told) + "\n")  # ASCII: a name need not be UTF-8
        self._file.flush()
        os.fsync(self._file.fileno())


def name_journal(prefix: str) -> str:
    """Return a name for a new journal, after the time."""
    return f"{prefix}{datetime.now():%Y%m%d-%H%M%S-%f}.jsonl"


@contextmanager
def explain_undoing(file: Path) -> Iterator[None]:
    """Say of an `OSError` while a file is taken back what has become of the others."""
    try:
        yield
    except OSError as error:
        kept = "What was taken back before it is; the same command goes on."
        raise explain_os_error(error, str(file), kept) from error


def mark_undone(path: Path) -> None:
    """Rename a journal that was taken back; under its old name it would be taken back to no effect."""
    with suppress(OSError):
        path.rename(path.with_name(path.name + UNDONE_SUFFIX))


def read_lines(path: Path) -> list[str]:
    """Return the lines of a journal without a last one that was cut short.

    Raises:
        BadInputError: it is no journal.
    """
    try:
        return path.read_text(encoding="ascii").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The journal {path} cannot be read ({error}).") from error
