"""The shape of the report database, and how it is opened. Nothing here knows about files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    DateTime,
    Engine,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kyara.errors import BadInputError, BusyError, StorageFullError
from kyara.images import Box
from kyara.reports.rules import MAX_LABEL_CHARACTERS, MAX_MODEL_VERSION_CHARACTERS

WAIT_FOR_DATABASE_S = 20
"""Longest wait for a connection, and for another process's write."""
_DISK_FULL_CODES = {"SQLITE_FULL", "53100"}
_LOCKED_CODES = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED", "55P03"}


class ReportState(StrEnum):
    """Where a report stands in review."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Report:
    """One reported crop, as other rooms see it.

    Attributes:
        id: 32 hexadecimal digits.
        label: who it shows, Unicode NFC.
        file: name inside the report folder.
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
    """

    id: str
    label: str
    file: str
    state: ReportState
    count: int
    created_at: datetime
    predicted: str | None
    confidence: float | None
    model_version: str | None
    box: Box | None
    note: str | None
    adopted: bool
    file_missing: bool


class UtcDateTime(TypeDecorator[datetime]):
    """A time that comes back in UTC from databases that forget time zones, too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Convert to UTC on the way in."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Say that it is UTC on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Parent of the report tables."""


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
    file: Mapped[str] = mapped_column(String(120), unique=True)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    pixels_sha256: Mapped[str | None] = mapped_column(String(64))
    predicted: Mapped[str | None] = mapped_column(String(MAX_LABEL_CHARACTERS))
    confidence: Mapped[float | None]
    model_version: Mapped[str | None] = mapped_column(String(MAX_MODEL_VERSION_CHARACTERS))
    box: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default=ReportState.PENDING)
    count: Mapped[int] = mapped_column(default=1)
    adopted: Mapped[bool] = mapped_column(default=False)
    file_missing: Mapped[bool] = mapped_column(default=False)

    def to_report(self) -> Report:
        """Return what other rooms see of this row."""
        return Report(
            id=self.id,
            label=self.label,
            file=self.file,
            state=ReportState(self.state),
            count=self.count,
            created_at=self.created_at,
            predicted=self.predicted,
            confidence=self.confidence,
            model_version=self.model_version,
            box=Box(**self.box) if self.box else None,
            note=self.note,
            adopted=self.adopted,
            file_missing=self.file_missing,
        )


class SubmissionRow(Base):
    """One visitor's sending of a report. It outlives its withdrawal, so that a late repeat is known."""

    __tablename__ = "submissions"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    report_id: Mapped[str] = mapped_column(ForeignKey("reports.id"), index=True)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StorageRow(Base):
    """One row: how many bytes the stored files take, so that no request has to look at the folder."""

    __tablename__ = "storage"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)


def open_database(url: str | URL) -> Engine:
    """Return an engine for a database URL; SQLite is set up to survive power loss.

    Raises:
        BadInputError: SQLAlchemy cannot make sense of the URL, or its driver is not installed.
    """
    try:
        address = make_url(url)
        engine = create_engine(
            address,
            hide_parameters=True,  # notes and labels stay out of logs
            pool_pre_ping=address.get_backend_name() != "sqlite",
            pool_size=8,
            max_overflow=24,
            pool_timeout=WAIT_FOR_DATABASE_S,
        )
    except (ArgumentError, ImportError) as error:
        raise BadInputError(
            f"The report database cannot be opened ({error}): set REPORT_DATABASE_URL to a URL "
            "that SQLAlchemy knows, and install its driver."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def create_tables(engine: Engine) -> None:
    """Make the tables that are not there yet.

    Raises:
        BadInputError: the database cannot be reached or read.
    """
    try:
        Base.metadata.create_all(engine)
    except DBAPIError as error:
        raise BadInputError(
            f"The report database {engine.url.render_as_string()} cannot be used ({error.orig}): "
            "check REPORT_DATABASE_URL and REPORT_FOLDER."
        ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={WAIT_FOR_DATABASE_S * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",  # an answered report is on disk, not only in the system's cache
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def explain_database_errors() -> Iterator[None]:
    """Turn a full disk and a busy database into errors that a visitor can act on.

    Both are raised only where the database has undone the transaction for certain.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise BusyError("Too many reports arrive at once. Please send it again in a moment.") from error
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
        if code in _DISK_FULL_CODES:
            raise StorageFullError(
                "The disk that holds the reports is full. Nothing was stored or changed; "
                "please try again later."
            ) from error
        if code in _LOCKED_CODES:
            raise BusyError("The report database is busy. Please send it again in a moment.") from error
        raise
