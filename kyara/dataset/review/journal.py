"""The review journal: one way to decide, to refuse what is stale, to undo and to recover.

Both kinds of item use it: visitors' reports (`report_journal`) and collected faces (`labelling`). Under
the dataset's lock a decision is written to the journal; what the dataset folder must have for it is made
before the commit, and the folder is made equal to the journal after it. What a crash cuts in two is put
right by the next start: the journal counts.
"""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from kyara.dataset.folder import Change, IndexedFace, change_dataset
from kyara.dataset.review import steps
from kyara.dataset.review.steps import Review, ReviewConflictError, Step, Verdict
from kyara.dataset.review.tables import ReviewRow, StepRow
from kyara.errors import BadInputError, BusyError, ConflictError, NotFoundError
from kyara.storage.database import DatabaseKind, explain_database_errors

MAX_DECIDED = 1_000
"""Most items of one step."""


class Action(StrEnum):
    """What an operator may decide."""

    ACCEPT = "accept"
    CORRECT = "correct"
    NEW = "new"
    REJECT = "reject"
    NOT_A_FACE = "not_a_face"
    REOPEN = "reopen"


class ReviewJournal(ABC):
    """Decisions about one kind of item; safe for many threads and processes.

    Attributes:
        dataset: the dataset folder.
        index: the rows of `faces/index.csv` after the last step of this object.
        noun: what an item is called in errors.
        kind: of the database.
        refuses_second_undo: whether undoing again what is undone is an error, or changes nothing.
    """

    noun: str
    kind: DatabaseKind
    refuses_second_undo = False

    def __init__(self, dataset: Path) -> None:
        self.dataset = dataset.resolve()
        self.index: tuple[IndexedFace, ...] = ()

    @property
    @abstractmethod
    def sessions(self) -> sessionmaker[Session]:
        """Of the journal's database."""

    @abstractmethod
    def recover(self) -> object:
        """Make the dataset equal the journal, where a crash or a person left it different."""

    @abstractmethod
    def _change_item(self, session: Session, step: StepRow, item: str, after: Verdict) -> None:
        """Let a step change an item; the item is held until the commit."""

    @abstractmethod
    def _prepare(self, session: Session, change: Change, items: Collection[str]) -> None:
        """Make in the dataset what items must find there, before the step is committed."""

    @abstractmethod
    def _settle(self, change: Change, items: Collection[str]) -> None:
        """Make the dataset equal what the journal says of items."""

    def list_steps(
        self, operator: str | None = None, *, most: int = 100, standing: bool = False
    ) -> list[Step]:
        """Return steps, the newest first: of one operator, or only those that may be taken back."""
        with self._read() as session:
            return steps.list_steps(session, operator, most=most, standing=standing)

    def read_history(self, item: str) -> list[Review]:
        """Return what was decided about an item, oldest first."""
        with self._read() as session:
            return steps.read_history(session, [item])[item]

    def find_last_reviews(self, items: Collection[str]) -> dict[str, Review]:
        """Return the last thing that was decided about each item, by id."""
        with self._read() as session:
            return steps.list_last_reviews(session, ReviewRow.item.in_(list(items)))

    def _undo(self, undoes: str, operator: str, step: str | None) -> list[str]:
        """Take back one's own step; every item of it stands as before.

        Args:
            undoes: id of the step.
            operator: who undoes; must be whose step it is.
            step: an id for the undo; the same again changes nothing.

        Returns:
            The ids of its items.

        Raises:
            NotFoundError: no such step.
            ConflictError: it is another operator's, is itself an undo, or an item was decided anew since
                (`ReviewConflictError`). Nothing was changed.
        """

        def change(session: Session, made: StepRow) -> None:
            taken, done = steps.check_undo(session, undoes, operator, self.noun)
            if not done:
                if self.refuses_second_undo:
                    raise ConflictError("That is undone already.")
                return
            for review in reversed(done):
                self._change_item(session, made, review.item, review.before)
            taken.undone_at, made.undoes = made.at, taken.id

        self._take_step(step, operator, "undo", json.dumps({"undoes": undoes}), change)
        with self._read() as session:
            return [review.item for review in steps.list_reviews(session, ReviewRow.step == undoes)]

    def _find_last_step(self, operator: str) -> str:
        """Return the id of the operator's last step that stands.

        Raises:
            NotFoundError: there is none.
        """
        for step in self.list_steps(operator, most=1, standing=True):
            return step.id
        raise NotFoundError("There is nothing of yours to undo.")

    def _refuse_stale(
        self, session: Session, stale: Collection[str], seen: Mapping[str, object]
    ) -> None:
        """Refuse a decision about items that are not as the operator saw them.

        Raises:
            ReviewConflictError: there are such items.
        """
        if not stale:
            return
        item = next(iter(stale))
        last = steps.list_last_reviews(session, ReviewRow.item == item).get(item)
        who = last.operator if last else "nobody"
        now = f"{last.after.state} {last.after.label or ''}".rstrip() if last else "pending"
        raise ReviewConflictError(
            f"{len(stale)} of {len(seen)} {self.noun}s changed meanwhile: {item} was decided by {who} "
            f"since you saw it, and is {now}. Nothing was changed.",
            stale,
        )

    def _check_count(self, items: Collection[str]) -> None:
        """Refuse a decision about nothing, or about too much.

        Raises:
            BadInputError: for one of these.
        """
        if not 1 <= len(items) <= MAX_DECIDED:
            raise BadInputError(
                f"A decision is about 1 to {MAX_DECIDED} {self.noun}s; received {len(items)}."
            )

    def _take_step(
        self,
        step: str | None,
        operator: str,
        action: str,
        request: str,
        change: Callable[[Session, StepRow], None],
    ) -> None:
        """Do something to items as one step: journal, then dataset, or nothing at all."""
        made = StepRow(
            id=steps.check_step_id(step) if step is not None else uuid.uuid4().hex,
            operator=operator,
            action=action,
            request=request,
            at=datetime.now(UTC),
        )
        with change_dataset(self.dataset) as under_way:
            touched: list[str] = []
            try:
                self._write_step(made, change, under_way, touched)
            except IntegrityError as error:  # this very step is being taken by another process
                raise BusyError("This step is being taken already. Please try again.") from error
            finally:
                self._settle(under_way, touched)
        self.index = under_way.index

    def _write_step(
        self,
        made: StepRow,
        change: Callable[[Session, StepRow], None],
        under_way: Change,
        touched: list[str],
    ) -> None:
        with explain_database_errors(self.kind), self.sessions.begin() as session:
            steps.hold_journal(session)
            known = steps.find_step(session, made.id, made.operator, made.request)
            if not known:
                steps.add_step(session, made)
                change(session, made)
            touched += [review.item for review in steps.list_reviews(session, ReviewRow.step == made.id)]
            if known:
                return
            if not touched and made.action != "delete":
                session.rollback()  # everything stands so already: there is nothing to undo later
                return
            self._prepare(session, under_way, touched)

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with explain_database_errors(self.kind), self.sessions() as session:
            yield session
