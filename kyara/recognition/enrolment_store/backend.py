"""Where taught characters are kept: an SQLite file, or a PostgreSQL database that several servers share.

Both are opened by `storage.database`, and their tables come from one line of revisions.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Column, Connection, Engine, MetaData, Table, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable, DropTable

from kyara.errors import BadInputError, KyaraError
from kyara.recognition.enrolment_store.tables import TAUGHT, characters
from kyara.storage.atomic import explain_sqlite_error
from kyara.storage.database import (
    explain_database_errors,
    lock_table,
    open_database,
    prepare_tables,
    say_shortly,
)
from kyara.storage.migrations import upgrade_database

FILE_VERSION = 1
"""SQLite's `user_version`, by which the first releases tell that the tables are there."""
LOOK_EVERY_S = 0.5
"""How often a server asks whether another one taught something; an event may cut it short."""
AFTER_TROUBLE_S = 2.0
"""How long a database that did not answer is not asked again, as who asks holds up an answer."""


class State(Enum):
    """What a look at the place tells.

    Attributes:
        SAME: nothing happened that is worth a question, or it is not yet time for one.
        CHANGED: there may be changes.
        ANEW: it is another database than before; everything is to be read.
        GONE: what was there is there no more.
    """

    SAME = "same"
    CHANGED = "changed"
    ANEW = "anew"
    GONE = "gone"


class Backend(ABC):
    """Where taught characters are kept; safe for many threads but for `look`, `follow` and `close`."""

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether there may be anything to read."""

    @abstractmethod
    def look(self) -> State:
        """Tell whether anything may have changed since the last reading; it costs next to nothing."""

    @abstractmethod
    def follow(self) -> AbstractContextManager[Connection]:
        """Read what `look` found, all of it at one moment; the next `look` compares with this moment."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """Read, from any thread."""

    @abstractmethod
    def change(self, *, erase: bool = False) -> AbstractContextManager[Connection]:
        """Make one transaction, alone: all of it is on disk when this ends, or nothing is.

        Args:
            erase: leave nothing of what is deleted behind: of a file that nobody reads meanwhile.
                PostgreSQL frees it when it tidies up.
        """

    @abstractmethod
    def explain(self, what: str) -> AbstractContextManager[None]:
        """Turn the place's errors into sentences: no room, others write for too long, or it is damaged.

        Args:
            what: what was being done: `read` or `changed`.
        """

    @abstractmethod
    def wake(self) -> None:
        """Let the next `look` look, however short the last one is ago."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection; the next call opens them again, and `look` finds everything anew."""


class FileBackend(Backend):
    """An SQLite file: the first enrolment makes it, a machine's processes share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        address = path.absolute().as_uri()  # "rw": who only reads makes no file
        url = URL.create("sqlite", database=address, query={"mode": "rw", "uri": "true"})
        self._engine = open_database(url, TAUGHT, pooled=False)
        self._reader: Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version: int | None = None

    def exists(self) -> bool:
        return self.path.exists()

    def look(self) -> State:
        anew = self._follow_file()
        if self._reader is None:
            return State.GONE if anew else State.SAME
        if _read_version(self._reader) == self._version:
            return State.SAME
        return State.ANEW if anew else State.CHANGED

    def _follow_file(self) -> bool:
        """Open the file if it is there; tell whether it is another one than before."""
        try:
            status = os.stat(self.path)
            file = (status.st_dev, status.st_ino)
        except FileNotFoundError:
            file = None
        if file == self._file:
            return False
        had_one = self._reader is not None
        self.close()
        if file is not None:
            if not self._prepare():  # whoever makes it has not finished
                return had_one
            self._reader = self._engine.connect()
        self._file = file
        return True

    def _prepare(self) -> bool:
        """Bring the tables up to date; tell whether they are there at all."""
        with self._engine.connect() as connection:
            _check_version(connection)
            there = inspect(connection).has_table(characters.name)
        if there and os.access(self.path, os.W_OK):
            upgrade_database(self._engine, TAUGHT.schema)
        return there

    @contextmanager
    def follow(self) -> Iterator[Connection]:
        assert self._reader is not None
        version = _read_version(self._reader)
        _supply_tables(self._reader)
        self._reader.exec_driver_sql("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.rollback()
        self._version = version

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            _supply_tables(connection)
            yield connection

    @contextmanager
    def change(self, *, erase: bool = False) -> Iterator[Connection]:
        with self.explain("changed"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(0o644)
            with self._engine.connect() as connection:
                _check_version(connection)
                connection.rollback()
                upgrade_database(self._engine, TAUGHT.schema)
                connection.exec_driver_sql("PRAGMA secure_delete=ON")  # forgotten crops are overwritten
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.exec_driver_sql(f"PRAGMA user_version={FILE_VERSION}")
                yield connection
                connection.commit()
                if erase:
                    with suppress(DBAPIError):  # the change itself is safe by now
                        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def explain(self, what: str) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error, OSError, ValueError, TypeError) as error:  # odd values, too
            cause: Any = error.orig if isinstance(error, DBAPIError) and error.orig else error
            words = f"What was taught cannot be {what}: {self.path} ({cause})."
            raise explain_sqlite_error(cause, self.path, words) from error

    def wake(self) -> None:
        """Do nothing: every look looks."""

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = self._file = self._version = None


def _read_version(connection: Connection) -> int:
    """Return SQLite's number that grows with every change of others; takes some microseconds."""
    raw: Any = connection.connection.dbapi_connection
    return raw.execute("PRAGMA data_version").fetchone()[0]


def _supply_tables(connection: Connection) -> None:
    """Have what the file lacks read as empty, for this connection.

    It is being made, or is an older release's, and may not be written here.
    """
    inspected = inspect(connection)
    there, supplied = inspected.get_table_names(), inspected.get_temp_table_names()
    for table in TAUGHT.schema.tables.sorted_tables:
        columns = [Column(column.name, column.type) for column in table.columns]
        empty = Table(table.name, MetaData(), *columns, schema="temp")
        if table.name in supplied:
            connection.execute(DropTable(empty))
        if table.name not in there:
            connection.execute(CreateTable(empty))
    connection.rollback()


def _check_version(connection: Connection) -> None:
    """Refuse a file that is another program's, or of a Kyara that counts in another way.

    Raises:
        ValueError: its schema has a number that this Kyara does not know.
    """
    version = connection.exec_driver_sql("PRAGMA user_version").scalar()
    if version not in (0, FILE_VERSION):
        raise ValueError(f"its schema is {version}; this Kyara reads {FILE_VERSION}")


class ServerBackend(Backend):
    """A PostgreSQL database."""

    def __init__(self, url: str) -> None:
        """Take the database's address; it need not be there yet.

        Raises:
            BadInputError: it is not PostgreSQL's.
        """
        self._engine = open_database(url, TAUGHT)
        if self._engine.dialect.name != "postgresql":
            raise BadInputError(
                f"Taught characters are kept in SQLite or PostgreSQL, not {self._engine.dialect.name}: "
                "set TAUGHT_DATABASE to a file, or DATABASE_URL to a database of PostgreSQL."
            )
        weakref.finalize(self, self._engine.dispose)  # a model that serves no more leaves none open
        self._prepared = False
        self._turn = threading.Lock()
        self._next_look = 0.0
        self._trouble: KyaraError | None = None

    def exists(self) -> bool:
        return True

    def look(self) -> State:
        if time.monotonic() >= self._next_look:
            return State.CHANGED
        if self._trouble is not None:
            raise self._trouble
        return State.SAME

    @contextmanager
    def follow(self) -> Iterator[Connection]:
        self._next_look = time.monotonic() + LOOK_EVERY_S  # before: an event that comes meanwhile counts
        try:
            with self.explain("read"), self.read() as connection:
                yield connection.execution_options(isolation_level="REPEATABLE READ")
        except KyaraError as error:
            self._next_look, self._trouble = time.monotonic() + AFTER_TROUBLE_S, error
            raise
        self._trouble = None

    def read(self) -> AbstractContextManager[Connection]:
        return self._prepare().connect()

    @contextmanager
    def change(self, *, erase: bool = False) -> Iterator[Connection]:
        with self.explain("changed"), self._prepare().begin() as connection:
            lock_table(connection, characters)  # changes are numbered, and seen in this order
            yield connection
        self.wake()

    @contextmanager
    def explain(self, what: str) -> Iterator[None]:
        try:
            with explain_database_errors(TAUGHT):
                yield
        except (DBAPIError, ValueError, TypeError) as error:  # values nobody here wrote, too
            cause = say_shortly(error) if isinstance(error, DBAPIError) else str(error)
            raise KyaraError(
                f"What was taught cannot be {what}: {self._engine.url.render_as_string()} ({cause}). "
                "Nothing was changed."
            ) from error

    def _prepare(self) -> Engine:
        """Return the engine; the first time the tables are made or brought up to date."""
        with self._turn:
            if not self._prepared:
                prepare_tables(self._engine, TAUGHT)
                self._prepared = True
        return self._engine

    def wake(self) -> None:
        self._next_look = 0.0

    def close(self) -> None:
        self._engine.dispose()
        self.wake()
