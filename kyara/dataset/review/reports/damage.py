"""A damaged report database is set aside whole, and made anew from the files: each carries its report.

What visitors were told 201 for comes back as pending; what operators decided about it since does not,
and is to be found in the file that was set aside.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from kyara.errors import UnavailableError
from kyara.storage.atomic import sync_folder
from kyara.storage.database import is_damaged

DATABASE_FILES = ("reports.db", "reports.db-wal", "reports.db-shm")

_log = logging.getLogger(__name__)


def find_cause(error: BaseException) -> BaseException | None:
    """Return SQLite's own error among the causes of one, if there is any."""
    cause: BaseException | None = error
    while cause is not None and not is_damaged(cause):
        cause = getattr(cause, "orig", None) or cause.__cause__
    return cause


def check_soundness(engine: Engine) -> None:
    """Have SQLite look over its whole file.

    Raises:
        UnavailableError: it is damaged.
        sqlalchemy.exc.DBAPIError: it is damaged so much that SQLite cannot look.
    """
    with engine.connect() as connection:
        found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if found != "ok":
        raise UnavailableError("The database of reports is damaged.") from _Damage(str(found))


class _Damage(Exception):
    """What SQLite found, in the shape of its own errors."""

    sqlite_errorname = "SQLITE_CORRUPT"


def set_database_aside(folder: Path) -> Path:
    """Move the database and its side files into a folder of their own, and return it."""
    aside = folder / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    aside.mkdir()
    for name in DATABASE_FILES:
        if (folder / name).exists():
            os.replace(folder / name, aside / name)
    sync_folder(aside)
    sync_folder(folder)
    _log.error("The damaged report database is in %s; a new one is made from the files.", aside)
    return aside
