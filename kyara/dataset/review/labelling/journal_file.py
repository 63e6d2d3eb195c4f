"""The SQLite file of the journal: its tables, how it is opened, and its errors as sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kyara.storage.atomic import explain_sqlite_error

WAIT_FOR_WRITER_S = 20
SCHEMA_VERSION = 1
# Rows are only ever added. What a face is now is what its last decision made of it.
_TABLES = (
    """CREATE TABLE IF NOT EXISTS actions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, operator TEXT NOT NULL, at TEXT NOT NULL,
        undoes INTEGER UNIQUE REFERENCES actions (number),
        request TEXT NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS actions_by_operator ON actions (operator, number)",
    # `stands`: the decision that decides after this one; of an undo, the one before what it took back
    """CREATE TABLE IF NOT EXISTS decisions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        action INTEGER NOT NULL REFERENCES actions (number),
        face TEXT NOT NULL, before TEXT, after TEXT,
        prior INTEGER REFERENCES decisions (number), stands INTEGER
    )""",
    "CREATE INDEX IF NOT EXISTS decisions_by_face ON decisions (face, number)",
    "CREATE INDEX IF NOT EXISTS decisions_by_action ON decisions (action)",
    """CREATE TABLE IF NOT EXISTS characters (
        label TEXT PRIMARY KEY, name TEXT NOT NULL, work TEXT NOT NULL,
        operator TEXT NOT NULL, at TEXT NOT NULL
    )""",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, making it if need be; a commit is on disk when it returns.

    Raises:
        KyaraError: as `explain_errors`.
    """
    with explain_errors(path):
        connection = sqlite3.connect(
            path, timeout=WAIT_FOR_WRITER_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
            _make_tables(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version:
        raise sqlite3.DatabaseError(f"its schema is {version}; this Kyara reads {SCHEMA_VERSION}")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("COMMIT")


@contextmanager
def write_together(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Make one transaction: all of it is on disk when this ends, or nothing is.

    Raises:
        KyaraError: as `explain_errors`.
    """
    with explain_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def explain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into sentences.

    Raises:
        StorageFullError: no room.
        BusyError: others write for too long.
        KyaraError: the file is damaged, or cannot be opened or written.
    """
    try:
        yield
    except sqlite3.Error as error:
        words = f"The journal of labels {path} cannot be used ({error})."
        raise explain_sqlite_error(error, path, words) from error
