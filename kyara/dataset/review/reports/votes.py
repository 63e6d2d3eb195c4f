"""Who sent what: the senders behind reports, those that flood, and what is said of one picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kyara.dataset.review.reports.tables import ReportRow, SubmissionRow
from kyara.dataset.review.tables import ReviewState

FLOOD_SUBMISSIONS = 20
"""More from one sender within `FLOOD_WINDOW` is a flood: a person corrects a few faces of a picture."""
FLOOD_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Vote:
    """One submission that was not withdrawn.

    Attributes:
        report_id: of the report it stands behind.
        pixels_sha256: the picture.
        label: who it shows, as the visitor wrote it.
        sender: keyed hash of the address; None where it is not known.
        at: when, UTC.
    """

    report_id: str
    pixels_sha256: str
    label: str
    sender: str | None
    at: datetime


def list_votes(session: Session, pictures: Collection[str]) -> dict[str, list[Vote]]:
    """Return what was said of pictures, oldest first.

    Args:
        session: any.
        pictures: `pixels_sha256` of each.
    """
    query = (
        select(ReportRow, SubmissionRow)
        .join(SubmissionRow, SubmissionRow.report_id == ReportRow.id)
        .where(
            ReportRow.pixels_sha256.in_(list(pictures)),
            ReportRow.state != ReviewState.WITHDRAWN,
            SubmissionRow.withdrawn_at.is_(None),
        )
        .order_by(SubmissionRow.created_at)
    )
    found: dict[str, list[Vote]] = {picture: [] for picture in pictures}
    for report, submission in session.execute(query):
        picture = report.pixels_sha256 or ""
        found[picture].append(
            Vote(report.id, picture, report.label, submission.sender, submission.created_at)
        )
    return found


def find_floods(session: Session, senders: Iterable[str | None] | None = None) -> set[str]:
    """Return the senders that sent more than a person does.

    Args:
        session: any.
        senders: those to look at; None for all.
    """
    query = select(SubmissionRow.sender).where(SubmissionRow.sender.is_not(None))
    if senders is not None:
        query = query.where(SubmissionRow.sender.in_({sender for sender in senders if sender}))
    query = query.group_by(SubmissionRow.sender).having(func.count() > FLOOD_SUBMISSIONS)
    busy = list(session.scalars(query))
    times: dict[str, list[datetime]] = defaultdict(list)
    sent = select(SubmissionRow.sender, SubmissionRow.created_at).where(SubmissionRow.sender.in_(busy))
    for sender, at in session.execute(sent.order_by(SubmissionRow.created_at)):
        times[sender or ""].append(at)
    return {sender for sender, sent_at in times.items() if _is_flood(sent_at)}


def _is_flood(times: Sequence[datetime]) -> bool:
    """Tell whether sorted times have more than `FLOOD_SUBMISSIONS` within any `FLOOD_WINDOW`."""
    pairs = zip(times, times[FLOOD_SUBMISSIONS:], strict=False)
    return any(last - first <= FLOOD_WINDOW for first, last in pairs)
