"""Taught characters in an SQLite file: the first lesson makes it, a machine's processes share it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect
from sqlalchemy.exc import DBAPIError

from kyara.recognition.enrolment_store.place import Look
from kyara.recognition.enrolment_store.tables import TAUGHT, characters
from kyara.storage.atomic import explain_sqlite_error
from kyara.storage.migrations import upgrade_database

WAIT_FOR_WRITER_S = 20
FILE_VERSION = 1
"""SQLite's `user_version`, by which the first releases tell that the tables are there."""


class TaughtFile:
    """The file."""

    def __init__(self, path: Path) -> None:
        """Take the file's place; nothing is opened yet."""
        self.path = path
        self._reading = _make_engine(path, make=False)
        self._writing = _make_engine(path, make=True)
        self._reader: Connection | None = None
        self._raw: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version: int | None = None

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self.path.exists()

    def look(self) -> Look:
        """Tell whether somebody wrote to the file since the last reading; takes some microseconds."""
        anew = self._follow_file()
        if self._raw is None:
            return Look.GONE if anew else Look.SAME
        (version,) = self._raw.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return Look.SAME
        return Look.ANEW if anew else Look.CHANGED

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
            self._reader = self._reading.connect()
            raw = self._reader.connection.dbapi_connection
            assert isinstance(raw, sqlite3.Connection)
            self._raw = raw
        self._file = file
        return True

    def _prepare(self) -> bool:
        """Bring the tables up to date; tell whether they are there at all."""
        with self._reading.connect() as connection:
            _check_version(connection)
            there = inspect(connection).has_table(characters.name)
        if there and os.access(self.path, os.W_OK):
            upgrade_database(self._writing, TAUGHT.room)
        return there

    @contextmanager
    def follow(self) -> Iterator[Connection]:
        """Read what `look` found, all of it at one moment."""
        assert self._reader is not None
        assert self._raw is not None
        (version,) = self._raw.execute("PRAGMA data_version").fetchone()
        self._reader.exec_driver_sql("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.rollback()
        self._version = version

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read, from any thread."""
        with self._reading.connect() as connection:
            yield connection

    @contextmanager
    def change(self, *, erase: bool = False) -> Iterator[Connection]:
        """Make one transaction: all of it is on disk when this ends, or nothing is.

        Args:
            erase: leave nothing of what is deleted in the write-ahead log, unless somebody reads it.
        """
        with self.explain("changed"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._writing.connect() as connection:
                _check_version(connection)
                connection.rollback()
                upgrade_database(self._writing, TAUGHT.room)
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.exec_driver_sql(f"PRAGMA user_version = {FILE_VERSION}")
                yield connection
                connection.commit()
                if erase:
                    with suppress(DBAPIError):  # the change itself is safe by now
                        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def explain(self, what: str) -> Iterator[None]:
        """Turn SQLite's errors into sentences.

        Raises:
            StorageFullError: no room.
            BusyError: others write for too long.
            KyaraError: the file is damaged, or cannot be opened.
        """
        try:
            yield
        except (
            DBAPIError,
            sqlite3.Error,
            OSError,
            ValueError,
            TypeError,
        ) as error:  # strange values, too
            cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
            words = f"What was taught cannot be {what}: {self.path} ({cause})."
            assert isinstance(cause, Exception)
            raise explain_sqlite_error(cause, self.path, words) from error

    def wake(self) -> None:
        """Do nothing: every look looks."""

    def close(self) -> None:
        """Close the file; the next look opens it again and finds everything anew."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._raw = self._file = self._version = None


def _make_engine(path: Path, *, make: bool) -> Engine:
    return create_engine(
        "sqlite://",
        creator=partial(_open_file, path, make=make),
        poolclass=NullPool,
        hide_parameters=True,
    )


def _open_file(path: Path, *, make: bool) -> sqlite3.Connection:
    """Open the file; a commit is on disk when it returns.

    Args:
        path: of the file.
        make: make it, empty, if it is not there.

    Raises:
        sqlite3.Error: it is not there, or cannot be opened.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if make else 'rw'}",
        uri=True,
        timeout=WAIT_FOR_WRITER_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # forgotten crops are overwritten
        if make:
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _check_version(connection: Connection) -> None:
    """Refuse a file that is another program's, or of a Kyara that counts in another way.

    Raises:
        sqlite3.DatabaseError: its schema has a number that this Kyara does not know.
    """
    version = connection.exec_driver_sql("PRAGMA user_version").scalar()
    if version not in (0, FILE_VERSION):
        raise sqlite3.DatabaseError(f"its schema is {version}; this Kyara reads {FILE_VERSION}")
