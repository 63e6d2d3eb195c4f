"""Opening the report database: made, upgraded, repaired after a crash, made anew if it is damaged."""

from __future__ import annotations

import logging
import threading
import weakref
from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session, sessionmaker

from kyara.dataset.review.reports.damage import check_soundness, find_cause, set_database_aside
from kyara.dataset.review.reports.recovery import Recovery, recover
from kyara.dataset.review.reports.tables import REPORT_JOURNAL, REPORTS
from kyara.errors import BadInputError, KyaraError, StorageAwayError, StorageFullError, UnavailableError
from kyara.storage.database import (
    explain_database_errors,
    is_damaged,
    open_database,
    prepare_tables,
    watch_for_damage,
)
from kyara.storage.files import Files
from kyara.storage.files.folder import FolderLock

_log = logging.getLogger(__name__)


class ReportDatabase:
    """The database of a report folder; safe for many threads and processes.

    Attributes:
        recovery: what the last opening found and repaired.
    """

    def __init__(self, folder: Path, url: str | None, place: Files) -> None:
        """Take the database's place; `open` opens it.

        Args:
            folder: of the lock, and of the SQLite file.
            url: of SQLAlchemy; None is SQLite at `<folder>/reports.db`.
            place: where the PNG files are.

        Raises:
            BadInputError: the URL cannot be understood.
        """
        self.recovery = Recovery()
        self._folder, self._place = folder, place
        self._own_file = not url
        default_url = URL.create("sqlite", database=str(folder / "reports.db"))
        self._engine = open_database(url or default_url, REPORTS)
        self._sessions = sessionmaker(self._engine)
        self._lock = FolderLock(folder)
        self._turn = threading.Lock()
        self._ready = threading.Event()
        # After damage the next use opens it again, and makes it anew where nobody else uses it.
        watch_for_damage(self._engine, self._ready.clear)
        self._release = weakref.finalize(self, _release, self._engine, self._lock)

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Sessions; where it could not be opened yet this tries again.

        Raises:
            UnavailableError: folder or database cannot be used at the moment.
        """
        if not self._ready.is_set():
            try:
                self.open()
            except KyaraError as error:
                _log.error("Reports cannot be taken: %s", error)
                raise UnavailableError(
                    "Reports cannot be taken at the moment; everything else works. "
                    "Please send it again later."
                ) from error
        return self._sessions

    def close(self) -> None:
        """Close every connection and release the folder; harmless when done twice."""
        self._release()

    def open(self) -> None:
        """Make what is missing, and repair what a crash left; harmless when done twice.

        Raises:
            BadInputError: folder or database cannot be used.
            KyaraError: not at the moment.
        """
        with self._turn:
            if self._ready.is_set():
                return
            alone = self._enter_folder()
            try:
                self._prepare_or_renew(alone)
            finally:
                self._lock.share()
            self._ready.set()

    def _enter_folder(self) -> bool:
        """Make the folder and lock it; tell whether no other process uses it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            alone = self._lock.take_alone()
        except OSError as error:
            raise BadInputError(
                f"The report folder {self._folder} cannot be used ({error.strerror}): "
                "set REPORT_FOLDER to a folder that may be written."
            ) from error
        if not alone:
            self._lock.share()  # once shared, tables exist and recovery has run
        return alone

    def _prepare_or_renew(self, alone: bool) -> None:
        try:
            self.recovery = self._prepare(alone)
        except (BadInputError, UnavailableError) as error:
            if not (alone and self._own_file and is_damaged(find_cause(error))):
                raise
            self._engine.dispose()
            set_database_aside(self._folder)
            self.recovery = self._prepare(alone)

    def _prepare(self, alone: bool) -> Recovery:
        """Make the tables where there are none, and bring files and rows into step."""
        for kind in (REPORTS, REPORT_JOURNAL):
            prepare_tables(self._engine, kind)
        try:
            with explain_database_errors(REPORTS):
                if self._own_file:
                    check_soundness(self._engine)
                alone = alone and not self._place.shared
                return recover(self._place, self._sessions, alone=alone)
        except (StorageFullError, StorageAwayError) as error:
            # the site is still good for everything else
            _log.error("Nothing was repaired in %s: %s", self._place, error)
            return Recovery()


def _release(engine: Engine, lock: FolderLock) -> None:
    engine.dispose()
    lock.close()
