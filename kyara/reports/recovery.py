"""What a start repairs after a crash: files without rows, half-written files, rows without files.

Nothing is lost: a file is adopted, or moved to `set_aside/`; only the file of a report that its
visitor withdrew is removed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from kyara.durable import sync_folder
from kyara.errors import BadInputError, KyaraError
from kyara.reports import files, rows
from kyara.reports.rules import Correction, check_correction
from kyara.reports.tables import ReportRow, ReportState

FRESH_S = 60
"""A file changed this recently may be another process's work in progress."""

_log = logging.getLogger(__name__)


@dataclass
class Recovery:
    """What a start found and did, by file name."""

    adopted: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def recover(folder: Path, sessions: sessionmaker[Session], *, alone: bool) -> Recovery:
    """Bring folder and database into step.

    Args:
        folder: the report folder.
        sessions: of its database.
        alone: no other process uses the folder. Otherwise files changed within the last minute
            are left to the process that may be writing them.

    Returns:
        What was done; it is logged as well.
    """
    result = Recovery()
    # Rows before files: a report that arrives in between is a fresh file without a row, and is left.
    with sessions() as session:
        states = {
            row.file: row.state for row in session.execute(select(ReportRow.file, ReportRow.state))
        }
    present = set()
    for name, modified in _list_files(folder):
        present.add(name)
        state = states.get(name)
        fresh = not alone and time.time() - modified < FRESH_S
        if fresh or (state and state != ReportState.WITHDRAWN):
            continue
        try:
            _repair(folder, name, sessions, result, withdrawn=state is not None)
        except OSError as error:
            _log.warning("Cannot repair %s, it stays as it is: %s", name, error)
    live = {name for name, state in states.items() if state != ReportState.WITHDRAWN}
    result.missing = sorted(live - present)
    with sessions.begin() as session:
        rows.refresh_stored_bytes(session)
        _mark_missing(session, result.missing)
    sync_folder(folder)
    _log_recovery(folder, result)
    return result


def _list_files(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield name and time of change of the report files, finished or not; nothing else is touched."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.endswith((".png", ".part"))]
    for entry in sorted(found, key=lambda entry: entry.name):
        try:
            if entry.is_file(follow_symlinks=False):
                yield entry.name, entry.stat(follow_symlinks=False).st_mtime
        except FileNotFoundError:  # another process finished or withdrew it
            continue


def _repair(
    folder: Path, name: str, sessions: sessionmaker[Session], result: Recovery, *, withdrawn: bool
) -> None:
    """Remove, adopt or set aside one file that no live report stands for."""
    if withdrawn:
        (folder / name).unlink(missing_ok=True)
        result.removed.append(name)
    elif _adopt(folder, name, sessions):
        result.adopted.append(name)
    else:
        files.move_aside(folder, name)
        result.set_aside.append(name)


def _adopt(folder: Path, name: str, sessions: sessionmaker[Session]) -> bool:
    """Make a row for a file without one; False where the file is to be set aside.

    That is: it is not a report's, cannot be decoded, or another report stands for it already.
    """
    path = folder / name
    parsed = files.parse_file_name(name)
    if parsed is None:
        return False
    stem, report_id = parsed
    try:
        data = path.read_bytes()
        pixels, details = files.decode_report(data)
    except KyaraError:
        return False
    final_name = files.file_name(stem, report_id)
    if name != final_name and (folder / final_name).exists():
        return False
    stored = rows.StoredFile(report_id, final_name, len(data), files.hash_pixels(pixels))
    correction, created_at = _read_details(details, stem, path.stat().st_mtime)
    if _stands_already(sessions, stored, correction, created_at):
        return False
    _make_durable(folder, name, final_name)
    try:
        with sessions.begin() as session:
            rows.insert_report(session, stored, correction, created_at, quota_bytes=None, adopted=True)
    except IntegrityError:  # another process's start was faster with this very file
        _log.info("%s was adopted by another process", final_name)
    return True


def _read_details(details: dict[str, Any], stem: str, modified: float) -> tuple[Correction, datetime]:
    """Return what the file's own text says, as far as it says it, else what its name and time do."""
    try:
        correction = Correction.from_json(details.get("correction", {}))
    except BadInputError:
        correction = check_correction(stem)
    try:
        created_at = datetime.fromisoformat(details["created_at"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        created_at = datetime.fromtimestamp(modified, UTC)
    return correction, created_at


def _stands_already(
    sessions: sessionmaker[Session],
    stored: rows.StoredFile,
    correction: Correction,
    created_at: datetime,
) -> bool:
    """Tell whether this submission, or these pixels with this label, have a report already.

    Pixels that have one are counted, as they would have been without the crash.
    """
    with sessions.begin() as session:
        if rows.find_submitted(session, correction.token):
            return True
        twin = rows.find_twin(session, correction.label, stored.pixels_sha256)
        return bool(twin and rows.count_submission(session, twin, correction, created_at))


def _make_durable(folder: Path, name: str, final_name: str) -> None:
    """Flush a file that its writer may not have got to flush, and finish its name."""
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if name != final_name:
        files.finish_file(folder, final_name)


def _mark_missing(session: Session, missing: list[str]) -> None:
    """Say in each row whether its file is there; rows are never deleted for it."""
    session.execute(update(ReportRow).where(ReportRow.file_missing).values(file_missing=False))
    for name in missing:
        gone = (ReportRow.file == name, ReportRow.state != ReportState.WITHDRAWN)
        session.execute(update(ReportRow).where(*gone).values(file_missing=True))


def _log_recovery(folder: Path, result: Recovery) -> None:
    for what, names in (
        ("adopted", result.adopted),
        ("set aside", result.set_aside),
        ("removed (withdrawn)", result.removed),
        ("missing", result.missing),
    ):
        if names:
            _log.warning("%s: %d report files %s: %s", folder, len(names), what, ", ".join(names[:10]))
