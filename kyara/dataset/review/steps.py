"""Steps of review, inside a session that the caller commits: what was decided, and taking it back.

A step is one thing that one operator did to one or more items: reports, or collected faces. What it did
to each is kept as before and after, so nothing is ever overwritten, and a step can be undone as long as
it is the last one that stands for each of its items.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kyara.dataset.review.tables import ReviewRow, ReviewState, StepRow
from kyara.errors import BadInputError, ConflictError, NotFoundError
from kyara.storage.database import lock_table

_STEP_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Verdict:
    """How an item stands.

    Attributes:
        state: in review.
        label: who it shows by the review; None while it is pending, or rejected without saying.
    """

    state: ReviewState
    label: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"state": str(self.state), "label": self.label}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        return cls(ReviewState(data["state"]), data["label"])


@dataclass(frozen=True)
class Review:
    """What one step did to one item.

    Attributes:
        item: id of the report or face.
        step: id of the step.
        operator: who did it.
        action: what they did, as `accept` or `undo`.
        at: when, UTC.
        before: how the item stood.
        after: how it stood then.
        undone: the step was taken back since.
    """

    item: str
    step: str
    operator: str
    action: str
    at: datetime
    before: Verdict
    after: Verdict
    undone: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "report": self.item,
            "step": self.step,
            "operator": self.operator,
            "action": self.action,
            "at": self.at.isoformat(timespec="seconds"),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "undone": self.undone,
        }


@dataclass(frozen=True)
class Step:
    """One thing that an operator did.

    Attributes:
        id: chosen by whoever acts; doing it again changes nothing.
        operator: who did it.
        at: when, UTC.
        undoes: id of the step that it takes back, or None.
        items: ids of what it was done to, in order.
    """

    id: str
    operator: str
    at: datetime
    undoes: str | None
    items: tuple[str, ...]


class ReviewConflictError(ConflictError):
    """Somebody else decided about an item meanwhile; nothing was changed.

    Attributes:
        items: ids of those that are not as the operator saw them.
    """

    def __init__(self, message: str, items: Collection[str]) -> None:
        """Take the sentence and the ids."""
        super().__init__(message)
        self.items = tuple(items)


def check_step_id(step: str) -> str:
    """Return the id of a step unchanged.

    Raises:
        BadInputError: not 8 to 64 of `A-Z a-z 0-9 _ -`.
    """
    if not _STEP_ID.fullmatch(step):
        raise BadInputError(f"A step's id has 8 to 64 of A-Z a-z 0-9 _ -; received {ascii(step)[:80]}.")
    return step


def find_step(session: Session, step_id: str, operator: str, request: str) -> StepRow | None:
    """Return the step of an id, None where it is a new one.

    Raises:
        ConflictError: the id was used by another operator, or for something else.
    """
    step = session.get(StepRow, step_id)
    if step is not None and (step.operator, step.request) != (operator, request):
        raise ConflictError(f"The step id {step_id!a} was used for something else.")
    return step


def hold_journal(session: Session) -> None:
    """Let no other server take a step until the commit, so that each sees what the ones before did."""
    lock_table(session.connection(), StepRow.__table__)


def add_step(session: Session, step: StepRow) -> None:
    """Add a step before what it does.

    Raises:
        sqlalchemy.exc.IntegrityError: someone was faster with this id.
    """
    session.add(step)
    session.flush()


def add_review(session: Session, step: StepRow, item: str, before: Verdict, after: Verdict) -> None:
    """Write down what a step does to an item."""
    session.add(ReviewRow(step=step.id, item=item, before=before.to_json(), after=after.to_json()))
    session.flush()


def check_undo(session: Session, step_id: str, operator: str, noun: str) -> tuple[StepRow, list[Review]]:
    """Return a step that may be taken back, with what it did; nothing where it was taken back before.

    Raises:
        NotFoundError: there is no such step.
        ConflictError: it is another operator's, an undo itself, or a deletion.
        ReviewConflictError: one of its items was decided anew since.
    """
    step = session.get(StepRow, step_id)
    if step is None:
        raise NotFoundError(f"There is no step {ascii(step_id)[:64]}.")
    if step.operator != operator:
        raise ConflictError(f"This step is {step.operator}'s decision; only they can undo it.")
    if step.undoes is not None or step.action == "delete":
        raise ConflictError("An undo and a deletion cannot be undone; decide again.")
    if step.undone_at is not None:
        return step, []
    done = list_reviews(session, ReviewRow.step == step_id)
    for review in done:
        last = _find_last_standing(session, review.item)
        if last is not None and last.id != step_id:
            raise ReviewConflictError(
                f"The {noun} {review.item} was decided anew by {last.operator}; undo that first. "
                "Nothing was undone.",
                [review.item],
            )
    return step, done


def _find_last_standing(session: Session, item: str) -> StepRow | None:
    """Return the last step that changed an item and was not taken back."""
    return session.scalar(
        select(StepRow)
        .join(ReviewRow, ReviewRow.step == StepRow.id)
        .where(ReviewRow.item == item, StepRow.undoes.is_(None), StepRow.undone_at.is_(None))
        .order_by(ReviewRow.id.desc())
        .limit(1)
    )


def list_steps(
    session: Session, operator: str | None = None, *, most: int = 100, standing: bool = False
) -> list[Step]:
    """Return steps, the newest first.

    Args:
        session: any.
        operator: only this one's.
        most: at most so many.
        standing: only those that may be taken back.
    """
    newest = select(func.max(ReviewRow.id)).where(ReviewRow.step == StepRow.id).scalar_subquery()
    query = select(StepRow).order_by(newest.desc().nulls_last()).limit(most)
    if operator is not None:
        query = query.where(StepRow.operator == operator)
    if standing:
        query = query.where(
            StepRow.undoes.is_(None), StepRow.undone_at.is_(None), StepRow.action != "delete"
        )
    steps = session.scalars(query).all()
    items: dict[str, list[str]] = {step.id: [] for step in steps}
    done = select(ReviewRow.step, ReviewRow.item).where(ReviewRow.step.in_(items))
    for step_id, item in session.execute(done.order_by(ReviewRow.id)):
        items[step_id].append(item)
    return [Step(step.id, step.operator, step.at, step.undoes, tuple(items[step.id])) for step in steps]


def list_reviews(session: Session, *conditions: Any) -> list[Review]:
    """Return what steps did, oldest first."""
    of_review = (ReviewRow.item, ReviewRow.before, ReviewRow.after)
    of_step = (StepRow.id, StepRow.operator, StepRow.action, StepRow.at, StepRow.undone_at)
    query = select(*of_review, *of_step).join(StepRow, ReviewRow.step == StepRow.id).where(*conditions)
    return [
        Review(
            item=item,
            step=step,
            operator=operator,
            action=action,
            at=at,
            before=Verdict.from_json(before),
            after=Verdict.from_json(after),
            undone=undone_at is not None,
        )
        for item, before, after, step, operator, action, at, undone_at in session.execute(
            query.order_by(ReviewRow.id)
        )
    ]


def list_last_reviews(session: Session, *conditions: Any) -> dict[str, Review]:
    """Return the last thing that was done to each item, by id."""
    last = select(func.max(ReviewRow.id)).where(*conditions).group_by(ReviewRow.item)
    return {review.item: review for review in list_reviews(session, ReviewRow.id.in_(last))}


def read_history(session: Session, items: Iterable[str]) -> dict[str, list[Review]]:
    """Return what was done to each item, oldest first."""
    found: dict[str, list[Review]] = {item: [] for item in items}
    for review in list_reviews(session, ReviewRow.item.in_(list(found))):
        found[review.item].append(review)
    return found
