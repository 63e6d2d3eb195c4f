"""The desk: decisions about reports, undo, deletion; the dataset folder equals what was decided.

Under the dataset's lock a decision is written to the database and, before that is committed, the
accepted crops are put into the dataset; those that are no longer accepted are taken out afterwards. A
crash in between leaves a face too many or one too few, which the next desk puts right: the database
counts.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kyara.dataset.folder import Change, change_dataset
from kyara.dataset.review import placement
from kyara.dataset.review.labelling import LabelJournal
from kyara.dataset.review.reports import rows, steps
from kyara.dataset.review.reports.choosing import Choice
from kyara.dataset.review.reports.rules import check_token
from kyara.dataset.review.reports.steps import Review, Verdict
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import (
    REPORTS,
    Report,
    ReportRow,
    ReportState,
    ReviewRow,
    StepRow,
    SubmissionRow,
)
from kyara.errors import BadInputError, BusyError, ConflictError, NotFoundError
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED, KnownNames, check_label, check_texts
from kyara.storage.database import explain_database_errors

MAX_DECIDED = 1_000
"""Most reports of one step."""


class Action(StrEnum):
    """What an operator may decide."""

    ACCEPT = "accept"
    CORRECT = "correct"
    NEW = "new"
    REJECT = "reject"
    NOT_A_FACE = "not_a_face"
    REOPEN = "reopen"


class ReviewDesk:
    """Decisions about the reports of one store; safe for many threads and processes.

    Attributes:
        store: of the reports.
        dataset: the folder that accepted crops go to.
    """

    def __init__(
        self,
        store: ReportStore,
        dataset: Path,
        find_names: Callable[[], KnownNames],
        *,
        check: bool = True,
    ) -> None:
        """Open the desk, and bring the dataset into step where a crash left it behind.

        Args:
            store: of the reports.
            dataset: the dataset folder, which need not exist yet.
            find_names: tells whom a report may be accepted as, at the moment of asking.
            check: whether to look at the dataset at all.
        """
        self.store = store
        self.dataset = dataset.resolve()
        self.find_names = find_names
        if check:
            placement.reconcile(store, self.dataset)

    def decide(
        self,
        reports: Mapping[str, int | None],
        action: Action,
        operator: str,
        *,
        label: str | None = None,
        name: Mapping[str, str] | None = None,
        step: str | None = None,
    ) -> list[Report]:
        """Decide about reports, about all or none of them; when this returns, it survives a power cut.

        A report that stands as decided already is left as it is. `accept` takes the visitor's word,
        which must mean a character that is known.

        Args:
            reports: id → revision that the operator saw; None decides whatever happened since.
            action: what is decided.
            operator: who decides.
            label: `correct`: of a known character; `new`: the ASCII label of the new one.
            name: `new`: language code → what people read.
            step: an id of 8 to 64 of `A-Z a-z 0-9 _ -`; the same again changes nothing.

        Returns:
            The reports as they are now, in order.

        Raises:
            BadInputError: the label is missing, or means nobody; a visitor's word means nobody.
            NotFoundError: no such report, or its picture is gone.
            ConflictError: somebody decided since.
            TooLateError: it was withdrawn or deleted.
            StorageFullError: no room in the dataset; nothing was changed.
        """
        if not 1 <= len(reports) <= MAX_DECIDED:
            raise BadInputError(f"Decide about 1 to {MAX_DECIDED} reports; received {len(reports)}.")
        known = self.find_names()
        chosen = self._check_label(action, label, name, operator, known)
        wish = json.dumps({"action": action, "label": chosen, "reports": sorted(reports)})

        def change(session: Session, made: StepRow) -> None:
            for report_id, revision in sorted(
                reports.items()
            ):  # as others do: no two wait for each other
                row = steps.hold_report(session, report_id)
                after = _choose_verdict(row, action, chosen, known)
                if steps.read_verdict(row) == after:
                    continue
                if revision is not None and revision != row.revision:
                    who = row.reviewed_by or "somebody"
                    raise ConflictError(
                        f"The report {report_id} was decided by {who} since you saw it: it is "
                        f"{row.state} now. Nothing was changed."
                    )
                _refuse_two_labels(session, row, after)
                steps.change_report(session, made, row, after)

        self._take_step(step, operator, action, wish, change)
        return [self.store.get(report_id) for report_id in reports]

    def undo(self, undoes: str, operator: str, *, step: str | None = None) -> list[Report]:
        """Take back one's own step; every report of it stands as before. Harmless when done twice.

        Args:
            undoes: id of the step.
            operator: who undoes; must be whose step it is.
            step: an id for the undo, as for `decide`.

        Returns:
            Its reports as they are now.

        Raises:
            NotFoundError: no such step.
            ConflictError: it is another operator's, or a report was decided anew since.
        """
        wish = json.dumps({"undoes": undoes})

        def change(session: Session, made: StepRow) -> None:
            taken, done = steps.check_undo(session, undoes, operator)
            if not done:
                return
            for review in reversed(done):
                row = steps.hold_report(session, review.report_id)
                steps.change_report(session, made, row, steps.read_before(review))
            taken.undone_at, made.undoes = made.at, taken.id

        self._take_step(step, operator, "undo", wish, change)
        with self._read() as session:
            done = steps.list_reviews(session, ReviewRow.step == undoes)
        return [self.store.get(review.report_id) for review, _ in done]

    def undo_last(self, operator: str) -> tuple[str, list[Report]]:
        """Take back the operator's last step that stands; asked again, the one before it.

        Returns:
            The id of the step that was taken back, and its reports as they are now.

        Raises:
            NotFoundError: there is none.
            ConflictError: a report was decided anew since by somebody else.
        """
        with self._read() as session:
            last = steps.find_last_step(session, operator)
        if last is None:
            raise NotFoundError("There is nothing of yours to undo.")
        return last.id, self.undo(last.id, operator)

    def delete(self, choice: Choice, operator: str) -> list[str]:
        """Delete reports for good: picture, note, and what the dataset has of them. It cannot be undone.

        By sender, what other senders said stays. A stub stays, so that a late repeat is known.

        Args:
            choice: ids, a label or a sender.
            operator: who deletes.

        Returns:
            The ids of the reports that are gone.

        Raises:
            BadInputError: the choice means everything.
        """
        choice.check_given()
        gone: dict[str, str] = {}

        def change(session: Session, made: StepRow) -> None:
            rows.lock_storage(session)
            chosen = select(ReportRow.id).where(*choice.conditions()).order_by(ReportRow.id)
            for report_id in session.scalars(chosen).all():
                row = steps.hold_report(session, report_id)
                before, file = steps.read_verdict(row), row.file
                mine = (SubmissionRow.report_id == report_id, *choice.submissions())
                for submission in session.scalars(select(SubmissionRow).where(*mine)).all():
                    rows.withdraw_submission(session, submission, made.at)
                if row.state == ReportState.WITHDRAWN:
                    steps.note_deletion(session, made, row, before)
                    gone[report_id] = file

        self._take_step(None, operator, "delete", json.dumps({"choice": str(choice)}), change)
        for file in gone.values():
            self.store.discard_file(file)
        return list(gone)

    def read_history(self, report_id: str) -> list[Review]:
        """Return what was decided about a report, oldest first."""
        with self._read() as session:
            return steps.read_history(session, [report_id])[report_id]

    def _check_label(
        self,
        action: Action,
        label: str | None,
        name: Mapping[str, str] | None,
        operator: str,
        known: KnownNames,
    ) -> str | None:
        """Return the label that a decision gives, None where it gives none of its own."""
        if action == Action.CORRECT:
            found = known.resolve(label) if label else None
            if found is None:
                raise BadInputError(
                    f"{ascii(label or '')[:80]} is nobody who is known: choose a character, or take it "
                    "as someone new."
                )
            return found
        if action == Action.NEW:
            checked = check_label(label or "")
            if checked in (NOT_A_FACE, NOT_LISTED):
                raise BadInputError(f"{checked} is not a character's label; choose another.")
            if checked not in known.characters:
                journal = LabelJournal(self.dataset)
                journal.add_character(checked, operator, check_texts(name or {}, "name"), {})
                journal.close()
            return checked
        return None

    def _take_step(
        self,
        step: str | None,
        operator: str,
        action: str,
        wish: str,
        change: Callable[[Session, StepRow], None],
    ) -> None:
        """Do something to reports as one step: database, then dataset, or nothing at all."""
        made = StepRow(
            id=check_token(step) if step else uuid.uuid4().hex,
            operator=operator,
            action=action,
            request=wish,
            at=datetime.now(UTC),
        )
        with change_dataset(self.dataset) as under_way:
            touched: list[str] = []
            try:
                self._write_step(made, change, under_way, touched)
            except IntegrityError as error:  # this very step is being taken by another process
                raise BusyError("This step is being taken already. Please try again.") from error
            finally:
                placement.settle(self.store, self.dataset, under_way, touched)

    def _write_step(
        self,
        made: StepRow,
        change: Callable[[Session, StepRow], None],
        under_way: Change,
        touched: list[str],
    ) -> None:
        with explain_database_errors(REPORTS), self.store.sessions.begin() as session:
            steps.hold_review(session)
            if steps.find_step(session, made.id, made.operator, made.request):
                return
            steps.add_step(session, made)
            change(session, made)
            touched += [
                review.report_id for review, _ in steps.list_reviews(session, ReviewRow.step == made.id)
            ]
            if not touched and made.action != "delete":
                session.rollback()  # everything stands so already: there is nothing to undo later
                return
            placement.put_in(session, self.store, self.dataset, under_way, touched)

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with explain_database_errors(REPORTS), self.store.sessions() as session:
            yield session


def _refuse_two_labels(session: Session, row: ReportRow, after: Verdict) -> None:
    """Keep the dataset from having the same picture under two labels.

    Raises:
        ConflictError: another report of the picture is accepted as somebody else.
    """
    if after.state != ReportState.ACCEPTED:
        return
    other = session.scalar(
        select(ReportRow).where(
            ReportRow.pixels_sha256 == row.pixels_sha256,
            ReportRow.id != row.id,
            ReportRow.state == ReportState.ACCEPTED,
            ReportRow.reviewed_label != after.label,
        )
    )
    if other is not None:
        raise ConflictError(
            f"The same picture is accepted as {other.reviewed_label} already (report {other.id}): "
            "decide about that one first. Nothing was changed."
        )


def _choose_verdict(row: ReportRow, action: Action, label: str | None, known: KnownNames) -> Verdict:
    """Return how a report is to stand."""
    if action == Action.REOPEN:
        return Verdict(ReportState.PENDING)
    if action == Action.NOT_A_FACE or (action == Action.ACCEPT and row.label == NOT_A_FACE):
        return Verdict(ReportState.REJECTED, NOT_A_FACE)
    if action == Action.REJECT:
        return Verdict(ReportState.REJECTED)
    if action == Action.ACCEPT:
        label = None if row.label == NOT_LISTED else known.resolve(row.label)
        if label is None:
            raise BadInputError(
                f"The report {row.id} says {ascii(row.label)[:80]}, which is nobody who is known: "
                "correct it, or take it as someone new. Nothing was changed."
            )
    return Verdict(ReportState.ACCEPTED, label)
