"""The shape of the report database. Nothing here knows about files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kyara.dataset.review.reports.rules import MAX_LABEL_CHARACTERS, MAX_MODEL_VERSION_CHARACTERS
from kyara.dataset.review.steps import Verdict
from kyara.dataset.review.tables import JOURNAL, MAX_OPERATOR_CHARACTERS, ReviewState, StepRow
from kyara.storage.client_hash import SENDER_CHARACTERS
from kyara.storage.database import DatabaseKind, UtcDateTime
from kyara.storage.migrations import Schema
from kyara.vision.boxes import Box


@dataclass(frozen=True)
class Report:
    """One reported crop, as other modules see it.

    Attributes:
        id: 32 hexadecimal digits.
        label: who it shows, Unicode NFC.
        file: name inside the report folder; reports of the same pixels share it.
        state: where it stands in review.
        count: how many submissions (same pixels, same label) stand behind it.
        created_at: time of the first one, UTC.
        predicted: label that the site had answered.
        confidence: of that answer, 0 to 1.
        model_version: the model that answered.
        box: where the crop lay, in source-image pixels.
        note: the earliest note that was not withdrawn.
        adopted: the row was rebuilt from its file at a start.
        file_missing: the file was gone at the last start.
        pixels_sha256: of shape and pixels: reports of the same picture share it; None once withdrawn.
        reviewed_label: who it shows by the last review; None before one.
        reviewed_by: the operator; None before a review.
        reviewed_at: UTC; None before a review.
        revision: grows with every review; who decides names the one that they saw.
    """

    id: str
    label: str
    file: str
    state: ReviewState
    count: int
    created_at: datetime
    predicted: str | None
    confidence: float | None
    model_version: str | None
    box: Box | None
    note: str | None
    adopted: bool
    file_missing: bool
    pixels_sha256: str | None
    reviewed_label: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    revision: int


class Base(DeclarativeBase):
    """Parent of the report tables."""


REPORTS = DatabaseKind(
    "reports", "REPORT_DATABASE_URL or DATABASE_URL, and REPORT_FOLDER", Schema("reports", Base.metadata)
)
REPORT_JOURNAL = replace(REPORTS, schema=JOURNAL)


class ReportRow(Base):
    """One reported crop. A withdrawn one stays as a stub without note and pixels."""

    __tablename__ = "reports"
    __table_args__ = (
        # Withdrawn rows have no pixels_sha256: NULLs never collide, so the crop may be reported anew.
        UniqueConstraint("label", "pixels_sha256", name="one_report_per_label_and_pixels"),
        Index("reports_by_state", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    label: Mapped[str] = mapped_column(String(MAX_LABEL_CHARACTERS))
    file: Mapped[str] = mapped_column(String(120), index=True)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    pixels_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    predicted: Mapped[str | None] = mapped_column(String(MAX_LABEL_CHARACTERS))
    confidence: Mapped[float | None]
    model_version: Mapped[str | None] = mapped_column(String(MAX_MODEL_VERSION_CHARACTERS))
    box: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default=ReviewState.PENDING)
    count: Mapped[int] = mapped_column(default=1)
    adopted: Mapped[bool] = mapped_column(default=False)
    file_missing: Mapped[bool] = mapped_column(default=False)
    reviewed_label: Mapped[str | None] = mapped_column(String(MAX_LABEL_CHARACTERS))
    reviewed_by: Mapped[str | None] = mapped_column(String(MAX_OPERATOR_CHARACTERS))
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def verdict(self) -> Verdict:
        return Verdict(ReviewState(self.state), self.reviewed_label)

    def review(self, step: StepRow, after: Verdict) -> None:
        """Let a step give the report another verdict."""
        pending = after.state == ReviewState.PENDING
        self.state, self.reviewed_label = after.state, after.label
        self.reviewed_by, self.reviewed_at = (None, None) if pending else (step.operator, step.at)
        self.revision += 1

    def to_report(self) -> Report:
        values = {field.name: getattr(self, field.name) for field in fields(Report)}
        box = Box(**self.box) if self.box else None
        return Report(**{**values, "state": ReviewState(self.state), "box": box})


class SubmissionRow(Base):
    """One visitor's sending of a report. It outlives its withdrawal, so that a late repeat is known."""

    __tablename__ = "submissions"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    report_id: Mapped[str] = mapped_column(ForeignKey("reports.id"), index=True)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sender: Mapped[str | None] = mapped_column(String(SENDER_CHARACTERS), index=True)
    """A keyed hash of the client's address; None where it is not known."""


class SettingRow(Base):
    """What is kept once: the key of the senders' hashes, the switch of the vote."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class StorageRow(Base):
    """One row: how many bytes the stored files take, so that no request has to look at the folder."""

    __tablename__ = "storage"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
