"""What is done to the report database, inside a session that the caller commits.

Every write begins with an UPDATE of the row it is about: that takes SQLite's write lock, or
PostgreSQL's row lock, before anything is read, so that two writers never count past each other. Whoever
needs both takes the row of the storage before that of a report, so that no two wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kyara.dataset.review.reports.rules import Correction
from kyara.dataset.review.reports.tables import ReportRow, StorageRow, SubmissionRow
from kyara.dataset.review.tables import ReviewState
from kyara.errors import CollidedError, NotFoundError, StorageFullError, TooLateError


@dataclass(frozen=True)
class StoredFile:
    """A crop that lies whole in the report folder.

    Attributes:
        report_id: 32 hexadecimal digits.
        name: inside the report folder.
        size_bytes: of the file; 0 where another report has it already.
        pixels_sha256: as `vision.images.hash_pixels`.
    """

    report_id: str
    name: str
    size_bytes: int
    pixels_sha256: str


def find_submitted(session: Session, token: str) -> ReportRow | None:
    """Return the report that was submitted with this token, withdrawn or not."""
    submission = session.get(SubmissionRow, token)
    return session.get_one(ReportRow, submission.report_id) if submission else None


def find_twin(session: Session, label: str, pixels_sha256: str) -> str | None:
    """Return the id of the report of the same pixels with the same label, if there is one."""
    return session.scalar(
        select(ReportRow.id).where(ReportRow.label == label, ReportRow.pixels_sha256 == pixels_sha256)
    )


def find_file(session: Session, pixels_sha256: str) -> str | None:
    """Return the file of a live report of these pixels, whatever its label."""
    return session.scalar(
        select(ReportRow.file)
        .where(
            ReportRow.pixels_sha256 == pixels_sha256,
            ReportRow.state != ReviewState.WITHDRAWN,
            ReportRow.file_missing.is_(False),
        )
        .limit(1)
    )


def is_needed(session: Session, file: str) -> bool:
    """Tell whether a live report has this file."""
    live = (ReportRow.file == file, ReportRow.state != ReviewState.WITHDRAWN)
    return session.scalar(select(ReportRow.id).where(*live).limit(1)) is not None


def insert_report(
    session: Session,
    stored: StoredFile,
    correction: Correction,
    created_at: datetime,
    *,
    quota_bytes: int | None,
    adopted: bool = False,
    sender: str | None = None,
) -> ReportRow:
    """Add a report and its first submission.

    Args:
        session: in a fresh transaction.
        stored: its file.
        correction: what the visitor said.
        created_at: when, with a time zone.
        quota_bytes: most bytes that all files may take; None takes it in whatever it costs.
        adopted: it is rebuilt from its file.
        sender: a keyed hash of the client's address.

    Raises:
        StorageFullError: the quota does not allow it.
        CollidedError: the file is another report's, which was withdrawn meanwhile.
        sqlalchemy.exc.IntegrityError: someone was faster with this token, or this label and pixels.
    """
    _take_room(session, stored.size_bytes, quota_bytes)
    # From here on no file goes: whoever withdraws its last report waits for the row of the storage.
    if not stored.size_bytes and not is_needed(session, stored.name):
        raise CollidedError("The picture was withdrawn meanwhile. Please send it again.")
    row = ReportRow(
        id=stored.report_id,
        label=correction.label,
        file=stored.name,
        file_bytes=stored.size_bytes,
        pixels_sha256=stored.pixels_sha256,
        predicted=correction.predicted,
        confidence=correction.confidence,
        model_version=correction.model_version,
        box=correction.box.to_json() if correction.box else None,
        note=correction.note,
        created_at=created_at,
        adopted=adopted,
    )
    session.add(row)
    session.flush()
    _add_submission(session, stored.report_id, correction, created_at, sender)
    return row


def count_submission(
    session: Session,
    report_id: str,
    correction: Correction,
    created_at: datetime,
    sender: str | None = None,
) -> ReportRow | None:
    """Add one more submission to a report; None where the report was withdrawn meanwhile.

    Raises:
        sqlalchemy.exc.IntegrityError: someone was faster with this token.
    """
    if not lock_report(session, report_id, ReportRow.state != ReviewState.WITHDRAWN):
        return None
    _add_submission(session, report_id, correction, created_at, sender)
    return _recount(session, report_id)


def lock_submission(
    session: Session, report_id: str, token: str
) -> tuple[ReportRow, SubmissionRow] | None:
    """Return a report and the submission that this token made of it, held until the commit."""
    lock_storage(session)  # a withdrawal gives room back
    if not lock_report(session, report_id):
        return None
    submission = session.get(SubmissionRow, token)
    if submission is None or submission.report_id != report_id:
        return None
    return session.get_one(ReportRow, report_id), submission


def check_undo(row: ReportRow, age: timedelta, undo: timedelta) -> None:
    """Say why a submission of an age cannot be taken back.

    Raises:
        TooLateError: it is older than `undo`, or its report has been reviewed.
    """
    if row.state != ReviewState.PENDING:
        raise TooLateError(f"This report is already {row.state}; it cannot be taken back any more.")
    if age > undo:
        raise TooLateError(
            f"A report can be taken back for {undo.total_seconds():g} seconds; "
            f"this one was sent {age.total_seconds():.0f} seconds ago."
        )


def withdraw_submission(session: Session, submission: SubmissionRow, now: datetime) -> ReportRow:
    """Take back one submission; the last one takes the report with it, all but a stub.

    Args:
        session: of `lock_submission`.
        submission: not withdrawn yet.
        now: with a time zone.
    """
    submission.withdrawn_at = now
    submission.note = submission.sender = None
    session.flush()
    row = _recount(session, submission.report_id)
    if row.count == 0:
        _leave_file(session, row)
        row.state = ReviewState.WITHDRAWN
        row.pixels_sha256 = None
        row.predicted = row.confidence = row.model_version = row.box = row.note = None
        row.file_bytes = 0
    return row


def _leave_file(session: Session, row: ReportRow) -> None:
    """Give back the room of a report's file, or let another report of the same pixels have it."""
    others = (ReportRow.file == row.file, ReportRow.id != row.id)
    live = select(ReportRow).where(*others, ReportRow.state != ReviewState.WITHDRAWN)
    heir = session.scalar(live.order_by(ReportRow.created_at).limit(1))
    if heir is None:
        _take_room(session, -row.file_bytes, None)
    else:
        heir.file_bytes += row.file_bytes


def count_stored_bytes(session: Session) -> int:
    """Return how many bytes the stored files take, without looking at them."""
    return session.scalar(select(StorageRow.bytes).where(StorageRow.id == 1)) or 0


def lock_storage(session: Session) -> bool:
    """Hold the row of the stored bytes until the commit; False where there is none."""
    statement = update(StorageRow).where(StorageRow.id == 1)
    return _count_changed(session, statement.values(bytes=StorageRow.bytes)) == 1


def refresh_stored_bytes(session: Session) -> None:
    """Count the stored bytes anew from the reports, making the row where there is none."""
    if not lock_storage(session):
        try:
            with session.begin_nested():
                session.add(StorageRow(id=1))
        except IntegrityError:  # another server starts at the same moment
            lock_storage(session)
    total = select(func.coalesce(func.sum(ReportRow.file_bytes), 0)).scalar_subquery()
    session.execute(update(StorageRow).where(StorageRow.id == 1).values(bytes=total))


def describe_full_quota(used_bytes: int, quota_bytes: int) -> StorageFullError:
    """Return the error that says the quota is used up."""
    mib = 1024 * 1024
    return StorageFullError(
        f"The space for reports is used up ({used_bytes / mib:,.1f} of {quota_bytes / mib:,.1f} MiB). "
        "This report was not stored; please send it again once the operator has made room."
    )


def _take_room(session: Session, size_bytes: int, quota_bytes: int | None) -> None:
    """Add to the stored bytes in the one statement that also checks the quota."""
    statement = update(StorageRow).where(StorageRow.id == 1)
    if quota_bytes is not None:
        statement = statement.where(StorageRow.bytes + size_bytes <= quota_bytes)
    changed = _count_changed(session, statement.values(bytes=StorageRow.bytes + size_bytes))
    if not changed and quota_bytes is not None:
        raise describe_full_quota(count_stored_bytes(session), quota_bytes)


def lock_report(session: Session, report_id: str, *conditions: Any) -> bool:
    """Hold a report's row until the commit; False where there is none that meets the conditions."""
    statement = update(ReportRow).where(ReportRow.id == report_id, *conditions)
    return _count_changed(session, statement.values(count=ReportRow.count)) == 1


def hold_report(session: Session, report_id: str) -> ReportRow:
    """Return a report that may be reviewed, held until the commit.

    Raises:
        NotFoundError: there is none of this id.
        TooLateError: its visitor withdrew it, or an operator deleted it.
    """
    if not lock_report(session, report_id):
        raise NotFoundError(f"There is no report {ascii(report_id)[:64]}.")
    row = session.get_one(ReportRow, report_id, populate_existing=True)
    if row.state == ReviewState.WITHDRAWN:
        raise TooLateError(f"The report {report_id} was withdrawn or deleted.")
    return row


def _add_submission(
    session: Session,
    report_id: str,
    correction: Correction,
    created_at: datetime,
    sender: str | None,
) -> None:
    session.add(
        SubmissionRow(
            token=correction.token,
            report_id=report_id,
            note=correction.note,
            created_at=created_at,
            sender=sender,
        )
    )
    session.flush()


def _recount(session: Session, report_id: str) -> ReportRow:
    """Set a report's count and note from the submissions that were not withdrawn."""
    live = (SubmissionRow.report_id == report_id, SubmissionRow.withdrawn_at.is_(None))
    row = session.get_one(ReportRow, report_id)
    row.count = session.scalar(select(func.count()).where(*live)) or 0
    row.note = session.scalar(
        select(SubmissionRow.note)
        .where(*live, SubmissionRow.note.is_not(None))
        .order_by(SubmissionRow.created_at)
        .limit(1)
    )
    session.flush()
    return row


def _count_changed(session: Session, statement: Update) -> int:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount
