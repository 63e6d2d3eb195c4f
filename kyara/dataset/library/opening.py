"""A library by file or URL: opened, made if need be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Engine

from kyara.dataset.library.tables import LIBRARY
from kyara.errors import BadInputError, NotFoundError
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
        BadInputError: the file is another program's; it stays as it is.
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
    elif file is not None:
        _check_file(file, new=new)
    url = place if file is None else URL.create("sqlite+pysqlite", database=str(file))
    engine = open_database(url, LIBRARY)
    try:
        prepare_tables(engine, LIBRARY, new=new)
        with explain_database_errors(LIBRARY):
            yield engine
    finally:
        engine.dispose()


def _check_file(file: Path, *, new: bool) -> None:
    """Refuse an SQLite file without a library before it is opened for writing, which would change it.

    A file that SQLite cannot read passes: the error is raised where it is opened.

    Raises:
        NotFoundError: there is no library in it, and none is to be made.
        BadInputError: it has tables of another program.
    """
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        tables = {name for (name,) in connection.execute(query)}
        if LIBRARY.schema.version_table.name in tables:
            return
        if not new:
            raise NotFoundError(f"{file} has no library. `kyara scan FOLDER` makes one.")
        if tables:
            raise BadInputError(
                f"{file} is another program's database: name another file for a library."
            )


def find_file(place: str) -> Path | None:
    """Return the file of a library; None where it is in a database that has a URL."""
    if is_shared(place) and "://" in place:
        return None
    return Path(place.removeprefix("sqlite+pysqlite:///").removeprefix("sqlite:///"))
