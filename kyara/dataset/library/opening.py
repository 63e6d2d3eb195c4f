"""A library by file or URL: opened, made if need be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine

from kyara.dataset.library.tables import LIBRARY
from kyara.errors import NotFoundError
from kyara.storage.atomic import explain_os_error
from kyara.storage.database import explain_database_errors, is_shared, open_database, prepare_tables


@contextmanager
def open_library(place: str, *, new: bool = False) -> Iterator[Engine]:
    """Open the database of a library; its errors are sentences.

    Args:
        place: an SQLite file, or the URL of a database.
        new: make it where there is none.

    Raises:
        NotFoundError: there is no such file, or no library in it, and none is to be made.
        KyaraError: it cannot be opened, read or written.
    """
    file = find_file(place)
    if file is not None and not file.exists():
        if not new:
            raise NotFoundError(f"There is no library {file}; `kyara scan FOLDER` makes one.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, str(file.parent), "Nothing was done.") from error
    url = place if file is None else URL.create("sqlite+pysqlite", database=str(file))
    engine = open_database(url, LIBRARY)
    try:
        prepare_tables(engine, LIBRARY, new=new)
        with explain_database_errors(LIBRARY):
            yield engine
    finally:
        engine.dispose()


def find_file(place: str) -> Path | None:
    """Return the file of a library; None where it is in a database that has a URL."""
    if is_shared(place) and "://" in place:
        return None
    return Path(place.removeprefix("sqlite+pysqlite:///").removeprefix("sqlite:///"))
