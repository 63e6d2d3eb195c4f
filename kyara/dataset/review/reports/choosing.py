"""Which reports are meant: by id, state, character or sender; conditions for queries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from kyara.dataset.review.reports.tables import ReportRow, SubmissionRow
from kyara.dataset.review.tables import ReviewState
from kyara.errors import BadInputError


@dataclass(frozen=True)
class Choice:
    """Reports that meet everything that is given; withdrawn ones only where that state is.

    Attributes:
        ids: of reports; None for any.
        state: in review; None for any but withdrawn.
        label: what the visitor or the reviewer says, as it is kept.
        sender: somebody who stands behind it.
    """

    ids: Collection[str] | None = None
    state: ReviewState | None = None
    label: str | None = None
    sender: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what a row of `reports` has to meet."""
        found: list[ColumnElement[bool]] = []
        if self.state is None:
            found.append(ReportRow.state != ReviewState.WITHDRAWN)
        else:
            found.append(ReportRow.state == self.state)
        if self.ids is not None:
            found.append(ReportRow.id.in_(list(self.ids)))
        if self.label is not None:
            found.append(or_(ReportRow.label == self.label, ReportRow.reviewed_label == self.label))
        if self.sender is not None:
            sent = select(SubmissionRow.report_id).where(*self.submissions())
            found.append(ReportRow.id.in_(sent))
        return found

    def submissions(self) -> list[Any]:
        """Return what a live row of `submissions` has to meet: of the sender, where one is given."""
        found: list[Any] = [SubmissionRow.withdrawn_at.is_(None)]
        if self.sender is not None:
            found.append(SubmissionRow.sender == self.sender)
        return found

    def check_given(self) -> None:
        """Refuse to mean everything.

        Raises:
            BadInputError: neither ids nor a label nor a sender is given.
        """
        if self.ids is None and self.label is None and self.sender is None:
            raise BadInputError("Say which reports: by id, by character or by sender.")
