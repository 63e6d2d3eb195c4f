"""Review of reports: an operator's decision, undo and deletion; accepted crops are in the dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from kyara.dataset.folder import Change
from kyara.dataset.review import steps
from kyara.dataset.review.journal import Action, ReviewJournal
from kyara.dataset.review.labelling import LabelJournal
from kyara.dataset.review.reports import placement, rows
from kyara.dataset.review.reports.choosing import Choice
from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, Report, ReportRow, SubmissionRow
from kyara.dataset.review.steps import Verdict
from kyara.dataset.review.tables import ReviewState, StepRow
from kyara.errors import BadInputError, ConflictError
from kyara.recognition.characters import NOT_A_FACE, NOT_LISTED, check_label, check_texts
from kyara.recognition.name_search import KnownNames


class ReportJournal(ReviewJournal):
    """Decisions about the reports of one store; safe for many threads and processes.

    Attributes:
        store: of the reports.
        find_names: tells whom a report may be accepted as.
    """

    noun, kind = "report", REPORTS

    def __init__(
        self,
        store: ReportStore,
        dataset: Path,
        find_names: Callable[[], KnownNames],
    ) -> None:
        super().__init__(dataset)
        self.store = store
        self.find_names = find_names

    @property
    def sessions(self) -> sessionmaker[Session]:
        return self.store.sessions

    def recover(self) -> None:
        """Bring the dataset into step with all reports where a crash left it behind.

        Raises:
            KyaraError: database or folder cannot be used.
        """
        placement.reconcile(self.store, self.dataset)

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
        self._check_count(reports)
        known = self.find_names()
        chosen = self._check_label(action, label, name, operator, known)
        wish = json.dumps({"action": action, "label": chosen, "reports": sorted(reports)})

        def change(session: Session, made: StepRow) -> None:
            wanted: dict[str, Verdict] = {}
            stale = []
            for report_id, revision in sorted(
                reports.items()
            ):  # as others do: no two wait for each other
                row = rows.hold_report(session, report_id)
                after = _choose_verdict(row, action, chosen, known)
                if row.verdict == after:
                    continue
                if revision is not None and revision != row.revision:
                    stale.append(report_id)
                wanted[report_id] = after
            self._refuse_stale(session, stale, reports)
            for report_id, after in wanted.items():
                self._change_item(session, made, report_id, after)

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
        return [self.store.get(report_id) for report_id in self._undo(undoes, operator, step)]

    def undo_last(self, operator: str) -> tuple[str, list[Report]]:
        """Take back the operator's last step that stands; asked again, the one before it.

        Returns:
            The id of the step that was taken back, and its reports as they are now.

        Raises:
            NotFoundError: there is none.
            ConflictError: a report was decided anew since by somebody else.
        """
        last = self._find_last_step(operator)
        return last, self.undo(last, operator)

    def delete(self, choice: Choice, operator: str) -> list[str]:
        """Delete reports for good: picture, note, and what the dataset has of them. It cannot be undone.

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
                row = rows.hold_report(session, report_id)
                before, file = row.verdict, row.file
                mine = (SubmissionRow.report_id == report_id, *choice.submissions())
                for submission in session.scalars(select(SubmissionRow).where(*mine)).all():
                    rows.withdraw_submission(session, submission, made.at)
                if row.state == ReviewState.WITHDRAWN:
                    after = Verdict(ReviewState.WITHDRAWN)
                    steps.add_review(session, made, report_id, before, after)
                    row.review(made, after)
                    gone[report_id] = file

        self._take_step(None, operator, "delete", json.dumps({"choice": str(choice)}), change)
        for file in gone.values():
            self.store.discard_file(file)
        return list(gone)

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
                    f"{_show(label or '')} is nobody who is known: choose a character, or take it "
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

    def _change_item(self, session: Session, step: StepRow, item: str, after: Verdict) -> None:
        row = rows.hold_report(session, item)
        if row.verdict == after:
            return
        _refuse_two_labels(session, row, after, self.find_names)
        steps.add_review(session, step, item, row.verdict, after)
        row.review(step, after)
        session.flush()

    def _prepare(self, session: Session, change: Change, items: Collection[str]) -> None:
        placement.put_in(session, self.store, self.dataset, change, items)

    def _settle(self, change: Change, items: Collection[str]) -> None:
        placement.settle(self.store, self.dataset, change, items)


def _refuse_two_labels(
    session: Session, row: ReportRow, after: Verdict, find_names: Callable[[], KnownNames]
) -> None:
    """Keep the dataset from having the same picture under two labels.

    Raises:
        ConflictError: another report of the picture is accepted as somebody else.
    """
    if after.state != ReviewState.ACCEPTED:
        return
    other = session.scalar(
        select(ReportRow).where(
            ReportRow.pixels_sha256 == row.pixels_sha256,
            ReportRow.id != row.id,
            ReportRow.state == ReviewState.ACCEPTED,
            ReportRow.reviewed_label != after.label,
        )
    )
    if other is not None:
        name = find_names().say(other.reviewed_label or "")
        raise ConflictError(
            f"The same picture is accepted as {name} already (report {other.id}): "
            "decide about that one first. Nothing was changed."
        )


def _choose_verdict(row: ReportRow, action: Action, label: str | None, known: KnownNames) -> Verdict:
    """Return how a report is to stand."""
    if action == Action.REOPEN:
        return Verdict(ReviewState.PENDING)
    if action == Action.NOT_A_FACE or (action == Action.ACCEPT and row.label == NOT_A_FACE):
        return Verdict(ReviewState.REJECTED, NOT_A_FACE)
    if action == Action.REJECT:
        return Verdict(ReviewState.REJECTED)
    if action == Action.ACCEPT:
        label = None if row.label == NOT_LISTED else known.resolve(row.label)
        if label is None:
            raise BadInputError(
                f"The report {row.id} says {_show(row.label)}, which is nobody who is known: "
                "correct it, or take it as someone new. Nothing was changed."
            )
    return Verdict(ReviewState.ACCEPTED, label)


def _show(text: str) -> str:
    """Return what somebody wrote as it is to be read, in quotation marks."""
    return f"“{text[:80]}”" if text.isprintable() else ascii(text)[:80]
