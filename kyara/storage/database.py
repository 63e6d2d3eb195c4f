"""How databases are opened, and what their errors mean to a person.

SQLite, in files, is set up to survive power loss. PostgreSQL serves several servers at once: whoever
waits for a lock, or for a database that went away, waits for seconds and then gets a sentence, and the
next request finds the database again.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Engine,
    FromClause,
    NullPool,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kyara.errors import (
    BadInputError,
    BusyError,
    CollidedError,
    KyaraError,
    NotFoundError,
    StorageFullError,
    UnavailableError,
    UnreachableError,
)
from kyara.storage.extras import name_install
from kyara.storage.migrations import Schema, has_tables, upgrade_database

WAIT_FOR_DATABASE_S = 8
"""Longest wait for a connection, and for another process's write."""
_log = logging.getLogger(__name__)
_CONNECT_S = 5
_FORGOTTEN_TRANSACTION_S = 60
_DISK_FULL_CODES = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "53100"}  # the second is a quota
_DAMAGED_CODES = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_UNUSABLE_CODES = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "25006")
_SQLITE_LOCKED_CODES = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED"}
# of PostgreSQL: a lock was not to be had in time, a statement took too long
_LOCKED_CODES = {*_SQLITE_LOCKED_CODES, "55P03", "57014"}
# a deadlock, a serialization failure
_COLLIDED_CODES = {"40P01", "40001"}
# of PostgreSQL: shutting down, crashed, starting, too many connections, cut off while idle
_UNREACHABLE_CODES = {"57P01", "57P02", "57P03", "53300", "25P03"}


@dataclass(frozen=True)
class DatabaseKind:
    """What a database is called in errors.

    Attributes:
        holds: what is in it, as in "the disk that holds the …".
        settings: the configuration keys that say where it is.
        schema: its tables and their revisions.
    """

    holds: str
    settings: str
    schema: Schema


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


def open_database(url: str | URL, kind: DatabaseKind, *, pooled: bool = True) -> Engine:
    """Return an engine for a database URL; SQLite is set up to survive power loss.

    Args:
        url: of SQLAlchemy.
        kind: what it is called in errors.
        pooled: keep connections; else each use opens its own, of whatever file is there then.

    Raises:
        BadInputError: SQLAlchemy cannot make sense of the URL, or its driver is not installed.
    """
    try:
        address = make_url(url)
        engine = create_engine(
            address,
            hide_parameters=True,  # notes, labels and hashes stay out of logs
            **(_choose_pool(address) if pooled else {"poolclass": NullPool}),
            **_choose_options(address),
        )
    except (ArgumentError, ImportError) as error:
        raise BadInputError(
            f"The database of {kind.holds} cannot be opened ({error}): set {kind.settings.split()[0]} "
            f"to a URL that SQLAlchemy knows, and install its driver (`{name_install('scale')}`)."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "handle_error", _drop_damaged)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare_postgres)
    return engine


def is_shared(url: str) -> bool:
    """Tell whether several servers may use the database of a URL: it is no file of SQLite's."""
    return bool(url) and not url.startswith("sqlite")


def _choose_pool(address: URL) -> dict[str, Any]:
    return {
        "pool_pre_ping": address.get_backend_name() != "sqlite",
        "pool_size": 8,
        "max_overflow": 24,
        "pool_timeout": WAIT_FOR_DATABASE_S,
    }


def _choose_options(address: URL) -> dict[str, Any]:
    """Return the connection settings that end a wait for a machine that is gone."""
    if address.get_backend_name() != "postgresql" or address.get_driver_name() != "psycopg":
        return {}
    options = {"connect_timeout": _CONNECT_S, "tcp_user_timeout": WAIT_FOR_DATABASE_S * 1000}
    options |= {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    return {
        "isolation_level": "READ COMMITTED",
        "connect_args": {key: value for key, value in options.items() if key not in address.query},
    }


def prepare_tables(engine: Engine, kind: DatabaseKind, *, new: bool = True) -> None:
    """Make the tables, or bring those of an older Kyara up to date; see `kyara.storage.migrations`.

    Args:
        engine: of the database.
        kind: what it is called in errors.
        new: make them where there are none; else such a database is left as it is.

    Raises:
        NotFoundError: there are none, and none are to be made.
        BadInputError: the database cannot be read or written, or a newer Kyara made it.
        UnreachableError: it does not answer; why is logged.
    """
    try:
        if not new and not has_tables(engine, kind.schema):
            raise NotFoundError(f"The database {engine.url.render_as_string()} has no {kind.holds}.")
        upgrade_database(engine, kind.schema)
    except DBAPIError as error:
        if _is_unreachable(error):
            _log.error("%s: %s", engine.url.render_as_string(), say_shortly(error))
            raise UnreachableError(  # visitors may read this, too: no address
                f"The database of {kind.holds} cannot be reached. Please try again in a moment; if that "
                f"does not help, check {kind.settings}."
            ) from error
        raise BadInputError(
            f"The database of {kind.holds} {engine.url.render_as_string()} cannot be used "
            f"({say_shortly(error)}): check {kind.settings}."
        ) from error


def lock_table(connection: Connection, table: FromClause) -> None:
    """Lock a table against other writers until the commit; readers go on.

    SQLite needs no such lock: there one writes at a time, whatever they write.
    """
    if connection.dialect.name == "postgresql":
        name = connection.dialect.identifier_preparer.format_table(table)  # type: ignore[arg-type]
        connection.execute(text(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"))


def say_shortly(error: DBAPIError) -> str:
    """Return what the database says, without the statement that PostgreSQL repeats below it."""
    return str(error.orig).split("\n")[0]


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={WAIT_FOR_DATABASE_S * 1000}")
    _choose_journal(cursor)
    # an answered report is on disk, not only in the system's cache
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _choose_journal(cursor: sqlite3.Cursor) -> None:
    """Switch a new file to write-ahead logging; of two that do so at once SQLite refuses one at once."""
    until = time.monotonic() + WAIT_FOR_DATABASE_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if _find_code(error) not in _SQLITE_LOCKED_CODES or time.monotonic() >= until:
                raise
            time.sleep(0.01)


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


def _prepare_postgres(connection: Any, _record: Any) -> None:
    connection.autocommit = True  # what is set in a transaction ends with it
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{WAIT_FOR_DATABASE_S}s'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_FORGOTTEN_TRANSACTION_S}s'")
    connection.autocommit = False


@contextmanager
def explain_database_errors(kind: DatabaseKind) -> Iterator[None]:
    """Turn the errors that a person can do something about into sentences.

    All are raised only where the database has undone the transaction for certain, but one.

    Raises:
        StorageFullError: the disk is full.
        BusyError: others hold what is needed; CollidedError where trying again at once will do.
        UnavailableError: the file is damaged, or may not be written.
        UnreachableError: the database went away. Where this is said of a commit, it may have been done.
        BadInputError: a text or a number cannot be kept in this database.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise BusyError(
            f"Too many people use the {kind.holds} at once. Please send it again in a moment."
        ) from error
    except (DBAPIError, UnicodeEncodeError) as error:
        explained = _explain(error, kind)
        if explained is None:
            raise
        raise explained from error


def _explain(error: DBAPIError | UnicodeEncodeError, kind: DatabaseKind) -> KyaraError | None:
    if isinstance(error, UnicodeEncodeError | DataError):
        return BadInputError(
            f"The database of {kind.holds} cannot keep this: a text is too long, or has characters that "
            "no text may have. Nothing was changed."
        )
    code = _find_code(error.orig)
    if code in _DISK_FULL_CODES:
        return StorageFullError(
            f"The disk that holds the {kind.holds} is full. Nothing was stored or changed; "
            "please try again later."
        )
    if code in _LOCKED_CODES | _COLLIDED_CODES:
        error_class = CollidedError if code in _COLLIDED_CODES else BusyError
        return error_class(f"The database of {kind.holds} is busy. Please send it again in a moment.")
    if code.startswith((*_DAMAGED_CODES, *_UNUSABLE_CODES)):
        what = "damaged" if code.startswith(_DAMAGED_CODES) else "not writable"
        return UnavailableError(
            f"The database of {kind.holds} is {what}. Nothing was stored or changed; "
            "please try again later."
        )
    if _is_unreachable(error):
        return UnreachableError(
            f"The database of {kind.holds} cannot be reached. Please send it again in a moment."
        )
    return None


def _is_unreachable(error: DBAPIError) -> bool:
    code = _find_code(error.orig)
    if not code:  # it could not even say what is wrong
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return code in _UNREACHABLE_CODES or code.startswith("08")
