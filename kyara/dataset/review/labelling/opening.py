"""The file of a dataset's journal: where it is, and opening it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from kyara.dataset.review.tables import JOURNAL
from kyara.errors import BadInputError
from kyara.storage.atomic import explain_sqlite_error
from kyara.storage.database import DatabaseKind, open_database, say_shortly
from kyara.storage.migrations import upgrade_database

JOURNAL_FILE = "labels.db"
LABELS = DatabaseKind("labels", "the dataset folder", JOURNAL)


def open_labels(path: Path) -> Engine:
    """Open the file, making it if need be; that of an older Kyara is carried over.

    Raises:
        KyaraError: it is damaged, of a newer Kyara, cannot be written, or there is no room.
    """
    engine = open_database(URL.create("sqlite", database=str(path)), LABELS)
    try:
        upgrade_database(engine, JOURNAL)
    except (DBAPIError, BadInputError) as error:
        engine.dispose()
        if isinstance(error, BadInputError):
            raise
        words = f"The journal of labels {path} cannot be used ({say_shortly(error)})."
        raise explain_sqlite_error(error.orig or error, path, words) from error
    return engine
