"""The tables of the review journal: the same in the database of reports and in a dataset's `labels.db`.

Reports may be shared by several servers, so their journal lies beside them. Collected faces are files of
one dataset folder, so theirs lies in that folder. Rows are only ever added.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kyara.recognition.characters import MAX_LABEL_CHARACTERS
from kyara.storage.database import UtcDateTime
from kyara.storage.migrations import Schema

MAX_OPERATOR_CHARACTERS = 40
MAX_ITEM_CHARACTERS = 200


class ReviewState(StrEnum):
    """Where a report or a collected face stands in review; only reports are withdrawn."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class JournalBase(DeclarativeBase):
    """Parent of the journal's tables."""


class StepRow(JournalBase):
    """One thing that an operator did to one or more items; it is undone as a whole."""

    __tablename__ = "review_steps"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator: Mapped[str] = mapped_column(String(MAX_OPERATOR_CHARACTERS), index=True)
    action: Mapped[str] = mapped_column(String(16))
    request: Mapped[str] = mapped_column(Text)
    """What was asked for, so that the same id with another wish is refused."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    undoes: Mapped[str | None] = mapped_column(String(64))
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReviewRow(JournalBase):
    """What one step did to one item; `before` and `after` are verdicts as JSON."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(ForeignKey(StepRow.id), index=True)
    item: Mapped[str] = mapped_column("report_id", String(MAX_ITEM_CHARACTERS), index=True)
    """Id of a report or of a collected face; the column has the name of the releases before."""
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)


class NewCharacterRow(JournalBase):
    """A character that an operator made: label, and what people read, by language."""

    __tablename__ = "new_characters"

    label: Mapped[str] = mapped_column(String(MAX_LABEL_CHARACTERS), primary_key=True)
    name: Mapped[dict[str, str]] = mapped_column(JSON)
    work: Mapped[dict[str, str]] = mapped_column(JSON)
    operator: Mapped[str] = mapped_column(String(MAX_OPERATOR_CHARACTERS))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


JOURNAL = Schema("review", JournalBase.metadata, carried_over=frozenset({"actions", "decisions"}))
"""The other two are of the `labels.db` of the releases before."""
