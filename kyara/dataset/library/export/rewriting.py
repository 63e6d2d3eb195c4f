"""Files rewritten in place, the library told, and the journal that takes it back.

A file is whole at any moment: the new one is written beside it and takes its name. Before, the journal
has what brings the old content back, and the picture's row the hash of the new one: a scan after a kill
finds the same picture.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, tuple_

from kyara.dataset.library.export.edits import describe_edits, take_back
from kyara.dataset.library.export.journal_file import (
    JournalFile,
    explain_undoing,
    mark_undone,
    read_lines,
)
from kyara.dataset.library.export.originals import Rewrite
from kyara.dataset.library.tables import PictureRow, RootRow
from kyara.dataset.library.writing import change_picture
from kyara.errors import BadInputError, ConflictError
from kyara.storage.atomic import explain_os_error, find_partials, open_replacement

JOURNAL_PREFIX = "kyara-xmp-"


@dataclass(frozen=True)
class _Line:
    """What a journal tells of a file.

    Attributes:
        file: which one.
        is_picture: whether it is a picture; else a sidecar.
        before: SHA-256 of the old content; None if there was no file.
        after: SHA-256 of the new content.
        mtime_ns: when the old content was written.
        edits: what brings it back, as `describe_edits` gives it.
    """

    file: Path
    is_picture: bool
    before: str | None
    after: str
    mtime_ns: int
    edits: list[list[Any]]


def carry_out(rewrite: Rewrite, journal: JournalFile, engine: Engine) -> None:
    """Give a file its new content, after a line in the journal.

    Args:
        rewrite: what is to be done.
        journal: tells it.
        engine: the library's, held by `scanning.hold_library`.

    Raises:
        ConflictError: the file is another by now.
        KyaraError: it cannot be written; it stays as it is.
    """
    path, new = rewrite.path, rewrite.new
    after = _hash(new)
    try:
        found = path.stat() if rewrite.old is not None else None
        journal.write_line(
            {
                "act": "sidecar" if rewrite.picture is None else "picture",
                "file": str(path),
                "before": None if rewrite.old is None else _hash(rewrite.old),
                "after": after,
                "mtime_ns": found.st_mtime_ns if found else 0,
                "edits": describe_edits(rewrite.edits),
            }
        )
        rows = _find_rows(engine, path, rewrite.picture.sha256) if rewrite.picture else []
        _expect(engine, rows, after)
        _replace(path, new, rewrite.old)
        _note(engine, rows, path, after)
    except OSError as error:
        kept = f"It stays as it is; what was done before is in {journal.path}, which --undo takes back."
        raise explain_os_error(error, str(path), kept) from error


def undo_rewriting(
    path: Path,
    engine: Engine | None,
    keep: Callable[[str], object],
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Give files their old contents back, the last first; the journal is called `.undone` then.

    A file that has changed since stays as it is.

    Args:
        path: of the journal.
        engine: the library's, held by `scanning.hold_library`; None if there is none any more.
        keep: is told a sentence for what stays.
        progress: is told of each file.

    Returns:
        How many pictures were taken back.

    Raises:
        BadInputError: it is no journal.
        KyaraError: a file cannot be written; the same journal goes on then.
    """
    undone = 0
    for line in reversed(read_rewrites(path)):
        with explain_undoing(line.file):
            done, reason = _undo(line, engine)
        undone += done and line.is_picture
        if reason:
            keep(f"{line.file} stays: {reason}.")
        progress(1)
    mark_undone(path)
    return undone


def read_rewrites(path: Path) -> list[_Line]:
    """Return what a journal tells; a last line that was cut short tells nothing.

    Raises:
        BadInputError: it is no journal.
    """
    found = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            told = json.loads(line)
            is_picture = {"picture": True, "sidecar": False}[told["act"]]
            names = ("before", "after", "mtime_ns", "edits")
            found.append(_Line(Path(told["file"]), is_picture, *(told[name] for name in names)))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"Line {number} of {path} is none of a journal of `export xmp --into-originals`."
            ) from error
    return found


def _undo(line: _Line, engine: Engine | None) -> tuple[bool, str]:
    """Take a line back; return whether anything was, and why the file stays."""
    for part in find_partials(line.file):  # a run that was killed leaves one
        part.unlink()
    try:
        new = line.file.read_bytes()
    except FileNotFoundError:
        return False, "" if line.before is None else "it is not there any more"
    found = _hash(new)
    if found == line.before:  # it was never written, or was taken back before
        return False, ""
    if found != line.after:
        return False, "it was changed since"
    if line.before is None:
        line.file.unlink()
        return True, ""
    try:
        old = take_back(new, line.edits)
    except (ValueError, TypeError):
        old = b""
    if _hash(old) != line.before:
        return False, "the journal is damaged"
    rows = _find_rows(engine, line.file, line.after) if engine is not None else []
    if engine is not None:
        _expect(engine, rows, line.before)
    _replace(line.file, old, new, line.mtime_ns)
    if engine is not None:
        _note(engine, rows, line.file, line.before)
    return True, ""


def _replace(path: Path, new: bytes, old: bytes | None, mtime_ns: int | None = None) -> None:
    """Replace a file; it keeps its owner, its rights and what else the system has noted of it.

    Raises:
        ConflictError: it is another than it was.
        OSError: it cannot be written; it stays as it is.
    """
    if old is not None and not os.access(path, os.W_OK):
        raise PermissionError(13, "it is for reading only", str(path))
    with open_replacement(path, new=old is None) as part:
        part.write(new)
        part.flush()
        if old is not None:
            found = path.stat()
            with suppress(PermissionError):
                os.chown(part.name, found.st_uid, found.st_gid)
            shutil.copystat(path, part.name)
            now = time.time_ns() if mtime_ns is None else mtime_ns
            os.utime(part.name, ns=(found.st_atime_ns, now))
            if path.read_bytes() != old:
                raise ConflictError(f"{path} was changed just now; it was left as it is.")


def _find_rows(engine: Engine, path: Path, sha256: str) -> list[int]:
    """Return the ids of a picture's row; none if the library knows another content."""
    with engine.connect() as connection:
        roots = connection.execute(select(RootRow.id, RootRow.path)).all()
        above = [root for root in roots if path.is_relative_to(root.path)]
        places = [(root.id, str(path.relative_to(root.path))) for root in above]
        query = select(PictureRow.id).where(
            tuple_(PictureRow.root, PictureRow.path).in_(places),
            (PictureRow.sha256 == sha256) | (PictureRow.next_sha256 == sha256),
        )
        return list(connection.scalars(query))


def _expect(engine: Engine, rows: list[int], sha256: str) -> None:
    """Write down which content the file gets."""
    with engine.begin() as connection:
        for row in rows:
            change_picture(connection, row, next_sha256=sha256)


def _note(engine: Engine, rows: list[int], path: Path, sha256: str) -> None:
    """Write down which content the file has got."""
    found = path.stat()
    now = {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": sha256}
    with engine.begin() as connection:
        for row in rows:
            change_picture(connection, row, **now, next_sha256=None)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
