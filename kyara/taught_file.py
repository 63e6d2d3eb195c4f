"""The SQLite file of taught characters: its tables, how it is opened, and its errors as sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from kyara.durable import explain_sqlite_error

WAIT_FOR_WRITER_S = 8
SCHEMA_VERSION = 1
_TABLES = (
    """CREATE TABLE characters (
        label TEXT PRIMARY KEY, name TEXT NOT NULL, work TEXT NOT NULL,
        forgotten INTEGER NOT NULL, changed INTEGER NOT NULL
    )""",
    "CREATE INDEX characters_by_change ON characters (changed)",
    """CREATE TABLE crops (
        id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL REFERENCES characters (label),
        png BLOB NOT NULL, sha256 TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE (label, sha256)
    )""",
    """CREATE TABLE features (
        crop INTEGER NOT NULL REFERENCES crops (id) ON DELETE CASCADE,
        backbone TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (crop, backbone)
    )""",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def open_file(path: Path, *, make: bool = False) -> sqlite3.Connection:
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
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def has_tables(connection: sqlite3.Connection) -> bool:
    """Tell whether the tables are there; they are not while the file is being made.

    Raises:
        sqlite3.DatabaseError: they are those of another Kyara.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        raise sqlite3.DatabaseError(f"its schema is {version}; this Kyara reads {SCHEMA_VERSION}")
    return version == SCHEMA_VERSION


@contextmanager
def change_file(path: Path, *, erase: bool = False) -> Iterator[sqlite3.Connection]:
    """Make one transaction: all of it is on disk when this ends, or nothing is.

    Args:
        path: of the file, which is made if it is not there.
        erase: leave nothing of what is deleted in the write-ahead log either, unless somebody reads it.

    Raises:
        StorageFullError: no room. Otherwise as `explain_errors`.
    """
    with explain_errors(path, "changed"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(open_file(path, make=True)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not has_tables(connection):
                    for statement in _TABLES:
                        connection.execute(statement)
                yield connection
                connection.execute("COMMIT")
                if erase:
                    with suppress(sqlite3.Error):  # the change itself is safe by now
                        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


@contextmanager
def explain_errors(path: Path, what: str) -> Iterator[None]:
    """Turn SQLite's errors into sentences.

    Args:
        path: of the file.
        what: what was being done: `read` or `changed`.

    Raises:
        StorageFullError: no room.
        BusyError: others write for too long.
        KyaraError: the file is damaged, or cannot be opened.
    """
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:  # values nobody here wrote, too
        words = f"What was taught cannot be {what}: {path} ({error})."
        raise explain_sqlite_error(error, path, words) from error
