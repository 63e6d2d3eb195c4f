"""Taught characters in a PostgreSQL database that several servers share."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from kyara.errors import BadInputError, KyaraError
from kyara.recognition.enrolment_store.place import Look
from kyara.recognition.enrolment_store.tables import TAUGHT, characters
from kyara.storage.database import (
    explain_database_errors,
    lock_table,
    open_database,
    prepare_tables,
    say_shortly,
)

LOOK_EVERY_S = 0.5
"""How often a server asks whether another one taught something; an event may cut it short."""
AFTER_TROUBLE_S = 2.0
"""How long a database that did not answer is not asked again, as who asks holds up an answer."""


class TaughtServer:
    """The database."""

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
        """Tell that there may be something to read."""
        return True

    def look(self) -> Look:
        """Tell whether it is time to ask.

        Raises:
            KyaraError: the database did not answer a moment ago.
        """
        if time.monotonic() >= self._next_look:
            return Look.CHANGED
        if self._trouble is not None:
            raise self._trouble
        return Look.SAME

    @contextmanager
    def follow(self) -> Iterator[Connection]:
        """Read everything of one moment."""
        self._next_look = time.monotonic() + LOOK_EVERY_S  # before: an event that comes meanwhile counts
        try:
            with self.explain("read"), self._prepare().connect() as connection:
                yield connection.execution_options(isolation_level="REPEATABLE READ")
        except KyaraError as error:
            self._next_look, self._trouble = time.monotonic() + AFTER_TROUBLE_S, error
            raise
        self._trouble = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read, from any thread."""
        with self._prepare().connect() as connection:
            yield connection

    @contextmanager
    def change(self, *, erase: bool = False) -> Iterator[Connection]:
        """Make one transaction; who reads waits for nothing, who changes waits for the others.

        Args:
            erase: changes nothing here: PostgreSQL frees what is deleted when it tidies up.
        """
        with self.explain("changed"), self._prepare().begin() as connection:
            lock_table(connection, characters)  # changes are numbered, and seen in this order
            yield connection
        self.wake()

    @contextmanager
    def explain(self, what: str) -> Iterator[None]:
        """Turn the database's errors into sentences.

        Raises:
            StorageFullError: no room.
            BusyError: others write for too long, or the database cannot be reached.
            KyaraError: there is something else wrong with it.
        """
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
        """Let the next `look` look: something was taught, here or by somebody who says so."""
        self._next_look = 0.0

    def close(self) -> None:
        """Close every connection; the next call opens them again."""
        self._engine.dispose()
        self.wake()
