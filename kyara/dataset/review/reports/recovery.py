"""What a start repairs after a crash: files without rows, half-written files, rows without files.

Nothing is lost: a file is adopted, or moved to `set_aside/`; only the file of a report that its
visitor withdrew is removed.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from kyara.dataset.review.reports import files, rows
from kyara.dataset.review.reports.rules import Correction, check_correction
from kyara.dataset.review.reports.tables import ReportRow
from kyara.dataset.review.tables import ReviewState
from kyara.errors import BadInputError, KyaraError
from kyara.storage.files import Files, Listed
from kyara.vision.images import hash_pixels

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


def recover(place: Files, sessions: sessionmaker[Session], *, alone: bool) -> Recovery:
    """Bring files and database into step.

    Args:
        place: of the report files.
        sessions: of their database.
        alone: no other process uses the place. Otherwise files changed within the last minute
            are left to the process that may be writing them.

    Returns:
        What was done; it is logged as well.

    Raises:
        StorageAwayError: the place cannot be reached; no report was marked as missing.
    """
    result = Recovery()
    with sessions.begin() as session:  # reports need its row, also where the place cannot be listed
        rows.refresh_stored_bytes(session)
    # Rows before files: a report that arrives in between is a fresh file without a row, and is left.
    with sessions() as session:
        states: dict[str, str] = {}
        for name, state in session.execute(select(ReportRow.file, ReportRow.state)):
            if states.get(name, ReviewState.WITHDRAWN) == ReviewState.WITHDRAWN:  # reports share files
                states[name] = state
    present = set()
    for file in place.list():
        name = file.name
        if not name.endswith((".png", ".part")):
            continue  # nothing else is touched
        present.add(name)
        state = states.get(name)
        fresh = not alone and time.time() - file.modified < FRESH_S
        if fresh or (state and state != ReviewState.WITHDRAWN):
            continue
        try:
            _repair(place, file, sessions, result, withdrawn=state is not None)
        except OSError as error:
            _log.warning("Cannot repair %s, it stays as it is: %s", name, error)
    live = {name for name, state in states.items() if state != ReviewState.WITHDRAWN}
    result.missing = sorted(live - present)
    with sessions.begin() as session:
        rows.refresh_stored_bytes(session)
        _mark_missing(session, result.missing)
    _log_recovery(place, result)
    return result


def _repair(
    place: Files, file: Listed, sessions: sessionmaker[Session], result: Recovery, *, withdrawn: bool
) -> None:
    """Remove, adopt or set aside one file that no live report stands for."""
    if withdrawn:
        place.remove(file.name)
        result.removed.append(file.name)
    elif _adopt(place, file, sessions):
        result.adopted.append(file.name)
    else:
        place.set_aside(file.name)
        result.set_aside.append(file.name)


def _adopt(place: Files, file: Listed, sessions: sessionmaker[Session]) -> bool:
    """Make a row for a file without one; False where the file is to be set aside.

    That is: it is not a report's, cannot be decoded, or another report stands for it already.
    """
    parsed = files.parse_file_name(file.name)
    if parsed is None:
        return False
    stem, report_id = parsed
    data = place.read(file.name)
    try:
        pixels, details = files.decode_report(data)
    except KyaraError:
        return False
    final_name = files.file_name(stem, report_id)
    if file.name != final_name and place.exists(final_name):
        return False
    stored = rows.StoredFile(report_id, final_name, len(data), hash_pixels(pixels))
    correction, created_at = _read_details(details, stem, file.modified)
    if _stands_already(sessions, stored, correction, created_at):
        return False
    place.finish(file.name, final_name)
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


def _mark_missing(session: Session, missing: list[str]) -> None:
    """Say in each row whether its file is there; rows are never deleted for it."""
    session.execute(update(ReportRow).where(ReportRow.file_missing).values(file_missing=False))
    for name in missing:
        gone = (ReportRow.file == name, ReportRow.state != ReviewState.WITHDRAWN)
        session.execute(update(ReportRow).where(*gone).values(file_missing=True))


def _log_recovery(place: Files, result: Recovery) -> None:
    for what, names in (
        ("adopted", result.adopted),
        ("set aside", result.set_aside),
        ("removed (withdrawn)", result.removed),
        ("missing", result.missing),
    ):
        if names:
            ids = [parsed[1] if (parsed := files.parse_file_name(name)) else "?" for name in names[:10]]
            _log.warning("%s: %d report files %s: %s", place, len(names), what, ", ".join(ids))
