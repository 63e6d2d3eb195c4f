"""Steps of review, inside a session that the caller commits: what was decided, and taking it back.

A step is one thing that one operator did to one or more reports. What it did to each is kept as before
and after, so nothing is ever overwritten, and a step can be undone as long as it is the last one that
stands for each of its reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kyara.dataset.review.reports.rows import lock_report
from kyara.dataset.review.reports.tables import ReportRow, ReportState, ReviewRow, StepRow
from kyara.errors import ConflictError, NotFoundError, TooLateError
from kyara.storage.database import lock_table


@dataclass(frozen=True)
class Verdict:
    """How a report stands.

    Attributes:
        state: in review.
        label: who it shows by the review; None while it is pending, or rejected without saying.
    """

    state: ReportState
    label: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"state", "label"}`."""
        return {"state": str(self.state), "label": self.label}


@dataclass(frozen=True)
class Review:
    """What one step did to one report.

    Attributes:
        report_id: of the report.
        step: id of the step.
        operator: who did it.
        action: what they did, as `accept` or `undo`.
        at: when, UTC.
        before: how the report stood.
        after: how it stood then.
        undone: the step was taken back since.
    """

    report_id: str
    step: str
    operator: str
    action: str
    at: datetime
    before: Verdict
    after: Verdict
    undone: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "report": self.report_id,
            "step": self.step,
            "operator": self.operator,
            "action": self.action,
            "at": self.at.isoformat(timespec="seconds"),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "undone": self.undone,
        }


def read_verdict(row: ReportRow) -> Verdict:
    """Return how a report stands now."""
    return Verdict(ReportState(row.state), row.reviewed_label)


def find_step(session: Session, step_id: str, operator: str, request: str) -> StepRow | None:
    """Return the step of an id, None where it is a new one.

    Raises:
        ConflictError: the id was used by another operator, or for something else.
    """
    step = session.get(StepRow, step_id)
    if step is not None and (step.operator, step.request) != (operator, request):
        raise ConflictError(f"The step id {step_id!a} was used for something else.")
    return step


def hold_review(session: Session) -> None:
    """Let no other server take a step until the commit, so that each sees what the ones before did."""
    lock_table(session.connection(), StepRow.__table__)


def add_step(session: Session, step: StepRow) -> None:
    """Add a step before what it does.

    Raises:
        sqlalchemy.exc.IntegrityError: someone was faster with this id.
    """
    session.add(step)
    session.flush()


def hold_report(session: Session, report_id: str) -> ReportRow:
    """Return a report that may be reviewed, held until the commit.

    Raises:
        NotFoundError: there is none of this id.
        TooLateError: its visitor withdrew it, or an operator deleted it.
    """
    if not lock_report(session, report_id):
        raise NotFoundError(f"There is no report {ascii(report_id)[:64]}.")
    row = session.get_one(ReportRow, report_id, populate_existing=True)
    if row.state == ReportState.WITHDRAWN:
        raise TooLateError(f"The report {report_id} was withdrawn or deleted.")
    return row


def change_report(session: Session, step: StepRow, row: ReportRow, after: Verdict) -> bool:
    """Let a step change a report; False where it stands so already, and nothing is written.

    Args:
        session: that holds the row.
        step: of `add_step`.
        row: of `hold_report`.
        after: how it is to stand.
    """
    before = read_verdict(row)
    if before == after:
        return False
    session.add(
        ReviewRow(step=step.id, report_id=row.id, before=before.to_json(), after=after.to_json())
    )
    row.state, row.reviewed_label = after.state, after.label
    pending = after.state == ReportState.PENDING
    row.reviewed_by, row.reviewed_at = (None, None) if pending else (step.operator, step.at)
    row.revision += 1
    session.flush()
    return True


def note_deletion(session: Session, step: StepRow, row: ReportRow, before: Verdict) -> None:
    """Keep in a report's history that a step deleted it; the row is a stub by now."""
    after = Verdict(ReportState.WITHDRAWN)
    session.add(
        ReviewRow(step=step.id, report_id=row.id, before=before.to_json(), after=after.to_json())
    )
    row.reviewed_label, row.reviewed_by, row.reviewed_at = None, step.operator, step.at
    row.revision += 1
    session.flush()


def check_undo(session: Session, step_id: str, operator: str) -> tuple[StepRow, Sequence[ReviewRow]]:
    """Return a step that may be taken back, with what it did; nothing where it was taken back before.

    Raises:
        NotFoundError: there is no such step.
        ConflictError: it is another operator's, an undo itself, a deletion, or one of its reports was
            decided anew since.
    """
    step = session.get(StepRow, step_id)
    if step is None:
        raise NotFoundError(f"There is no step {ascii(step_id)[:64]}.")
    if step.operator != operator:
        raise ConflictError(f"This step is {step.operator}'s; only they can undo it.")
    if step.undoes is not None or step.action == "delete":
        raise ConflictError("An undo and a deletion cannot be undone.")
    if step.undone_at is not None:
        return step, []
    done = list_reviews(session, ReviewRow.step == step_id)
    for review, _ in done:
        last = _find_last_standing(session, review.report_id)
        if last is not None and last.id != step_id:
            raise ConflictError(
                f"The report {review.report_id} was decided anew by {last.operator}; undo that first."
            )
    return step, [review for review, _ in done]


def _find_last_standing(session: Session, report_id: str) -> StepRow | None:
    """Return the last step that changed a report and was not taken back."""
    return session.scalar(
        select(StepRow)
        .join(ReviewRow, ReviewRow.step == StepRow.id)
        .where(ReviewRow.report_id == report_id, StepRow.undoes.is_(None), StepRow.undone_at.is_(None))
        .order_by(ReviewRow.id.desc())
        .limit(1)
    )


def find_last_step(session: Session, operator: str) -> StepRow | None:
    """Return the operator's last step that stands and may be taken back."""
    newest = select(func.max(ReviewRow.id)).where(ReviewRow.step == StepRow.id).scalar_subquery()
    return session.scalar(
        select(StepRow)
        .where(
            StepRow.operator == operator,
            StepRow.undoes.is_(None),
            StepRow.undone_at.is_(None),
            StepRow.action != "delete",
        )
        .order_by(newest.desc().nulls_last())
        .limit(1)
    )


def list_reviews(session: Session, *conditions: Any) -> list[tuple[ReviewRow, StepRow]]:
    """Return what steps did, oldest first."""
    query = select(ReviewRow, StepRow).join(StepRow, ReviewRow.step == StepRow.id).where(*conditions)
    return [(review, step) for review, step in session.execute(query.order_by(ReviewRow.id))]


def read_history(session: Session, report_ids: Iterable[str]) -> dict[str, list[Review]]:
    """Return what was done to each report, oldest first."""
    found: dict[str, list[Review]] = {report_id: [] for report_id in report_ids}
    for review, step in list_reviews(session, ReviewRow.report_id.in_(list(found))):
        found[review.report_id].append(
            Review(
                report_id=review.report_id,
                step=step.id,
                operator=step.operator,
                action=step.action,
                at=step.at,
                before=read_before(review),
                after=_from_json(review.after),
                undone=step.undone_at is not None,
            )
        )
    return found


def read_before(review: ReviewRow) -> Verdict:
    """Return how a report stood before a step."""
    return _from_json(review.before)


def _from_json(data: dict[str, Any]) -> Verdict:
    return Verdict(ReportState(data["state"]), data["label"])
