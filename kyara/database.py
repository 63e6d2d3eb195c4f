"""How the databases of reports and of operators are opened, and what their errors mean to a person.

SQLite is set up to survive power loss; any other database that SQLAlchemy knows may be used instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    URL,
    DateTime,
    Engine,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kyara.errors import (
    BadInputError,
    BusyError,
    LostConnectionError,
    StorageFullError,
    UnavailableError,
)
from kyara.migrations import Room, upgrade_database

WAIT_FOR_DATABASE_S = 8
"""Longest wait for a connection, and for another process's write."""
_DISK_FULL_CODES = {"SQLITE_FULL", "53100"}
_DAMAGED_CODES = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_UNUSABLE_CODES = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "25006")
_GONE_CODES = ("57P", "08")
_LOCKED_CODES = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED", "55P03"}


@dataclass(frozen=True)
class DatabaseKind:
    """What a database is called in errors.

    Attributes:
        holds: what is in it, as in "the disk that holds the …".
        settings: the configuration keys that say where it is.
        room: its tables and their revisions.
    """

    holds: str
    settings: str
    room: Room


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


def open_database(url: str | URL, kind: DatabaseKind) -> Engine:
    """Return an engine for a database URL; SQLite is set up to survive power loss.

    Raises:
        BadInputError: SQLAlchemy cannot make sense of the URL, or its driver is not installed.
    """
    try:
        address = make_url(url)
        engine = create_engine(
            address,
            hide_parameters=True,  # notes, labels and hashes stay out of logs
            pool_pre_ping=address.get_backend_name() != "sqlite",
            pool_size=8,
            max_overflow=24,
            pool_timeout=WAIT_FOR_DATABASE_S,
        )
    except (ArgumentError, ImportError) as error:
        raise BadInputError(
            f"The database of {kind.holds} cannot be opened ({error}): set {kind.settings.split()[0]} "
            "to a URL that SQLAlchemy knows, and install its driver."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "handle_error", _drop_damaged)
    return engine


def prepare_tables(engine: Engine, kind: DatabaseKind) -> None:
    """Make the tables, or bring those of an older Kyara up to date; see `kyara.migrations`.

    Raises:
        BadInputError: the database cannot be reached, read or written, or a newer Kyara made it.
    """
    try:
        upgrade_database(engine, kind.room)
    except DBAPIError as error:
        raise BadInputError(
            f"The database of {kind.holds} {engine.url.render_as_string()} cannot be used "
            f"({_say_shortly(error)}): check {kind.settings}."
        ) from error


def _say_shortly(error: DBAPIError) -> str:
    """Return what the database says, without the statement that PostgreSQL repeats below it."""
    return str(error.orig).split("\n")[0]


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


def is_damaged(error: BaseException | None) -> bool:
    """Tell whether this is SQLite saying that its file is damaged."""
    return _find_code(error).startswith(_DAMAGED_CODES)


def _find_code(error: Any) -> str:
    return getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""


def _drop_damaged(context: Any) -> None:
    """Use no connection to a damaged file again: the next one sees what was put in its place."""
    if is_damaged(context.original_exception):
        context.is_disconnect = True


def watch_for_damage(engine: Engine, note: Callable[[], None]) -> None:
    """Call `note` whenever SQLite says that the file is damaged."""

    def look(context: Any) -> None:
        if is_damaged(context.original_exception):
            note()

    event.listen(engine, "handle_error", look)


@contextmanager
def explain_database_errors(kind: DatabaseKind) -> Iterator[None]:
    """Turn a trouble of the disk or the database into an error that a person can act on.

    All but `LostConnectionError` are raised only where the database has undone the transaction for
    certain.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise BusyError(
            f"Too many people use the {kind.holds} at once. Please send it again in a moment."
        ) from error
    except DBAPIError as error:
        code = _find_code(error.orig)
        if code in _DISK_FULL_CODES:
            raise StorageFullError(
                f"The disk that holds the {kind.holds} is full. Nothing was stored or changed; "
                "please try again later."
            ) from error
        if code in _LOCKED_CODES:
            raise BusyError(
                f"The database of {kind.holds} is busy. Please send it again in a moment."
            ) from error
        if code.startswith((*_DAMAGED_CODES, *_UNUSABLE_CODES)):
            what = "damaged" if code.startswith(_DAMAGED_CODES) else "not writable"
            raise UnavailableError(
                f"The database of {kind.holds} is {what}. Nothing was stored or changed; "
                "please try again later."
            ) from error
        if error.connection_invalidated or code.startswith(_GONE_CODES):
            raise LostConnectionError(
                f"The database of {kind.holds} does not answer. Please send it again in a moment."
            ) from error
        if not code and isinstance(error, OperationalError):  # it could not even be reached
            raise LostConnectionError(
                f"The database of {kind.holds} cannot be reached. Please send it again in a moment."
            ) from error
        raise
