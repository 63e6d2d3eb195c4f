"""How many reports one sender may send within a day: one visitor cannot fill the inbox of everybody."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, SubmissionRow
from kyara.errors import TooManyRequestsError
from kyara.storage.database import explain_database_errors

WINDOW = timedelta(hours=24)


def check_sender_quota(store: ReportStore, sender: str | None, token: str | None, quota: int) -> None:
    """Refuse a sender's report that is one too many; a repeat of one that was taken passes.

    Args:
        store: of the reports.
        sender: of `hash_visitor`; None is not counted.
        token: of the report that is sent.
        quota: most reports of one sender in 24 hours; 0 is no limit.

    Raises:
        TooManyRequestsError: the quota is used up; it says when the next one is taken.
    """
    if sender is None or quota <= 0:
        return
    now = datetime.now(UTC)
    query = select(func.count(), func.min(SubmissionRow.created_at)).where(
        SubmissionRow.sender == sender, SubmissionRow.created_at > now - WINDOW
    )
    with explain_database_errors(REPORTS), store.sessions() as session:
        if token is not None and session.get(SubmissionRow, token) is not None:
            return
        count, oldest = session.execute(query).one()
    if count >= quota:
        seconds = max(1, math.ceil((oldest + WINDOW - now).total_seconds()))
        raise TooManyRequestsError(
            f"{quota:,} reports came from your address within a day, which is the most that is taken. "
            f"Please try again in {math.ceil(seconds / 3600)} h.",
            retry_after_s=seconds,
        )
