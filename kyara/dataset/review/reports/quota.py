"""How much one sender may send: one visitor cannot fill the inbox of everybody."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, ReportRow, SubmissionRow
from kyara.dataset.review.tables import ReviewState
from kyara.errors import StorageFullError, TooManyRequestsError
from kyara.storage.clock import tell_time
from kyara.storage.database import explain_database_errors

WINDOW = timedelta(hours=24)
SENDER_SHARE = 8
"""One sender's reports that wait for review may take the eighth part of the room for all."""


def check_sender_quota(store: ReportStore, sender: str | None, token: str | None, quota: int) -> None:
    """Refuse a sender's report that is one too many; a repeat of one that was taken passes.

    Args:
        store: of the reports.
        sender: of `hash_visitor`; None is not counted.
        token: of the report that is sent.
        quota: most reports of one sender in 24 hours; 0 is no limit, of their bytes neither.

    Raises:
        TooManyRequestsError: the quota is used up; it says when the next one is taken.
        StorageFullError: their reports take as much room as one sender's may.
    """
    if sender is None or quota <= 0:
        return
    now = tell_time()
    query = select(func.count(), func.min(SubmissionRow.created_at)).where(
        SubmissionRow.sender == sender, SubmissionRow.created_at.between(now - WINDOW, now)
    )
    with explain_database_errors(REPORTS), store.sessions() as session:
        if token is not None and session.get(SubmissionRow, token) is not None:
            return
        count, oldest = session.execute(query).one()
        waiting_bytes = _count_waiting_bytes(session, sender)
    if count >= quota:
        seconds = max(1, math.ceil((oldest + WINDOW - now).total_seconds()))
        raise TooManyRequestsError(
            f"{quota:,} reports came from your address within a day, which is the most that is taken. "
            f"Please try again in {math.ceil(seconds / 3600)} h.",
            retry_after_s=seconds,
        )
    if waiting_bytes >= store.quota_bytes / SENDER_SHARE:
        raise StorageFullError(
            "The reports from your address take as much room as one address may. This one was not "
            "stored; please send it again once the operator has looked at them."
        )


def _count_waiting_bytes(session: Session, sender: str) -> int:
    """Return the bytes of the pending reports that a sender was the first to send."""
    query = (
        select(func.coalesce(func.sum(ReportRow.file_bytes), 0))
        .join(SubmissionRow, SubmissionRow.report_id == ReportRow.id)
        .where(
            SubmissionRow.sender == sender,
            SubmissionRow.created_at == ReportRow.created_at,
            ReportRow.state == ReviewState.PENDING,
        )
    )
    return session.scalar(query) or 0
