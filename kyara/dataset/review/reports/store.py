"""The report store: a crop and a correction in, a durable report out."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from kyara.dataset.review.reports import files, rows, rules
from kyara.dataset.review.reports.opening import ReportDatabase
from kyara.dataset.review.reports.recovery import Recovery
from kyara.dataset.review.reports.tables import REPORTS, Report, ReportRow
from kyara.dataset.review.tables import ReviewState
from kyara.errors import (
    BusyError,
    CollidedError,
    KyaraError,
    NotFoundError,
    StorageAwayError,
    UnreachableError,
)
from kyara.storage.clock import tell_time
from kyara.storage.database import explain_database_errors
from kyara.storage.files import Files, FolderFiles
from kyara.vision.images import hash_pixels, shrink_pixels

DEFAULT_QUOTA_BYTES = 2 * 1024**3
UNDO_S = 60
"""How long a visitor may take a report back; the page offers it for ten seconds."""
MAX_PICTURE_PX = 512
"""Longest side of what is kept of a crop: networks are trained on 128 to 299 px."""
_ATTEMPTS = 10

_log = logging.getLogger(__name__)


class ReportStore:
    """Reports as PNG files and a database; safe for many threads and processes.

    Attributes:
        folder: where the PNG files are, unless they are in an object store.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str | None = None,
        quota_bytes: int = DEFAULT_QUOTA_BYTES,
        *,
        files_in: Files | None = None,
        undo_s: float = UNDO_S,
        patient: bool = False,
    ) -> None:
        """Open the store, making what is missing, and repair what a crash left.

        Args:
            folder: made if need be.
            database_url: of SQLAlchemy; None is SQLite at `<folder>/reports.db`.
            quota_bytes: most bytes that all PNG files together may take.
            files_in: where the PNG files are, if not in the folder.
            undo_s: seconds within which `withdraw` works.
            patient: where folder or database cannot be used, log it, and try again with each use.

        Raises:
            BadInputError: folder or database cannot be used, and `patient` is not set.
        """
        self.folder = folder.resolve()
        self._files = files_in or FolderFiles(self.folder)
        self._quota_bytes = quota_bytes
        self._undo = timedelta(seconds=undo_s)
        self._database = ReportDatabase(self.folder, database_url, self._files)
        try:
            self._database.open()
        except KyaraError as error:
            if not patient:
                self.close()
                raise
            _log.error("Reports cannot be taken: %s", error)

    @property
    def recovery(self) -> Recovery:
        return self._database.recovery

    @property
    def quota_bytes(self) -> int:
        return self._quota_bytes

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Of the database, for the other modules of reports too.

        Raises:
            UnavailableError: folder or database cannot be used at the moment.
        """
        return self._database.sessions

    def close(self) -> None:
        """Close every connection and release the folder; harmless when done twice."""
        self._database.close()

    def add(
        self, crop: np.ndarray, label: str, *, sender: str | None = None, **said: Any
    ) -> tuple[Report, bool]:
        """Store a correction; when this returns, it survives a crash and a power cut.

        A token that was used before returns the report it made then, whatever else is sent with
        it, also where that was withdrawn. Pixels and label that have a report add to its count; pixels
        that have one under another label are stored once.

        Args:
            crop: `uint8 (H, W, 3)` sRGB; kept with at most `MAX_PICTURE_PX` a side.
            label: who it is; see `rules.check_label`.
            sender: of `hash_sender`; None where it is not known, and then it has no voice in a vote.
            said: what else `rules.check_correction` takes; without a token, a repeat is a submission of
                its own.

        Returns:
            The report, and whether it is a new one.

        Raises:
            BadInputError: the crop or a text breaks a rule.
            StorageFullError: the quota or the disk is full; nothing was stored.
            BusyError: the database could not be written in time; nothing was stored.
        """
        files.check_pixels(crop)
        correction = rules.check_correction(label, **said)
        return self._add(shrink_pixels(crop, MAX_PICTURE_PX), correction, tell_time(), sender)

    def withdraw(self, report_id: str, token: str) -> Report:
        """Take back the submission that this token made; the last one takes the file with it.

        Asked twice it gives the same report again.

        Raises:
            NotFoundError: no such report was made with this token.
            TooLateError: more than `undo_s` seconds have passed, or it has been reviewed.
        """
        rules.check_token(token)
        now = tell_time()
        with explain_database_errors(REPORTS), self.sessions.begin() as session:
            held = rows.lock_submission(session, report_id, token)
            if held is None:
                raise NotFoundError(
                    f"There is no report {report_id[:64]!r} that was made with this token."
                )
            row, submission = held
            if submission.withdrawn_at is None:
                rows.check_undo(row, now - submission.created_at, self._undo)
                row = rows.withdraw_submission(session, submission, now)
            report = row.to_report()
        if report.state == ReviewState.WITHDRAWN:
            self.discard_file(report.file)
        return report

    def get(self, report_id: str) -> Report:
        """Return one report.

        Raises:
            NotFoundError: there is none of this id.
        """
        with explain_database_errors(REPORTS), self.sessions() as session:
            row = session.get(ReportRow, report_id)
            if row is None:
                raise NotFoundError(f"There is no report {report_id[:64]!r}.")
            return row.to_report()

    def list(
        self, state: ReviewState | None = None, *, limit: int = 100, offset: int = 0
    ) -> list[Report]:
        """Return reports, newest first; without a state all of them, withdrawn ones included."""
        query = select(ReportRow).order_by(ReportRow.created_at.desc(), ReportRow.id)
        if state is not None:
            query = query.where(ReportRow.state == state)
        with explain_database_errors(REPORTS), self.sessions() as session:
            return [row.to_report() for row in session.scalars(query.limit(limit).offset(offset))]

    def count_by_state(self) -> Mapping[ReviewState, int]:
        query = select(ReportRow.state, func.count()).group_by(ReportRow.state)
        with explain_database_errors(REPORTS), self.sessions() as session:
            found: dict[str, int] = {state: count for state, count in session.execute(query)}
        return {state: found.get(state, 0) for state in ReviewState}

    def count_stored_bytes(self) -> int:
        with explain_database_errors(REPORTS), self.sessions() as session:
            return rows.count_stored_bytes(session)

    def _add(
        self, crop: np.ndarray, correction: rules.Correction, now: datetime, sender: str | None
    ) -> tuple[Report, bool]:
        pixels_sha256 = hash_pixels(crop)
        stored: rows.StoredFile | None = None
        try:
            for _ in range(_ATTEMPTS):
                try:
                    repeated = self._repeat(correction, pixels_sha256, now, sender)
                    if repeated is not None:
                        if stored:
                            self.discard_file(stored.name)
                        return repeated, False
                    if stored is None or not stored.size_bytes:
                        stored = self._find_file(pixels_sha256)
                    stored = stored or self._write(crop, correction, pixels_sha256, now)
                    with explain_database_errors(REPORTS), self.sessions.begin() as session:
                        quota = self._quota_bytes
                        row = rows.insert_report(
                            session, stored, correction, now, quota_bytes=quota, sender=sender
                        )
                        report = row.to_report()
                    return report, True
                except (IntegrityError, CollidedError):  # someone was faster with this token or crop
                    continue
            raise BusyError("This report collides with others being sent. Please send it again.")
        except UnreachableError:  # the row may be there: the file stays, and the next start adopts it
            raise
        except KyaraError:
            # Here the database has certainly not kept the row. After any other error it may have:
            # then the file stays, and the next start adopts it.
            if stored and stored.size_bytes:
                self._remove_file(stored.name)
            raise

    def _repeat(
        self, correction: rules.Correction, pixels_sha256: str, now: datetime, sender: str | None
    ) -> Report | None:
        """Return the report that this token made, or that has these pixels and counts this one."""
        with explain_database_errors(REPORTS), self.sessions() as session:
            row = rows.find_submitted(session, correction.token)
            if row is not None:
                return row.to_report()
            twin = rows.find_twin(session, correction.label, pixels_sha256)
        if twin is None:
            return None
        with explain_database_errors(REPORTS), self.sessions.begin() as session:
            row = rows.count_submission(session, twin, correction, now, sender)
            return row.to_report() if row else None

    def _find_file(self, pixels_sha256: str) -> rows.StoredFile | None:
        """Return the file that has these pixels already, for a report under another label."""
        with explain_database_errors(REPORTS), self.sessions() as session:
            name = rows.find_file(session, pixels_sha256)
        return rows.StoredFile(uuid.uuid4().hex, name, 0, pixels_sha256) if name else None

    def _write(
        self, crop: np.ndarray, correction: rules.Correction, pixels_sha256: str, now: datetime
    ) -> rows.StoredFile:
        """Write the crop, whole and flushed, under its final name."""
        details = {"correction": correction.to_json(), "created_at": now.isoformat()}
        data = files.encode_report(crop, details)
        used_bytes = self.count_stored_bytes()
        if used_bytes + len(data) > self._quota_bytes:
            raise rows.describe_full_quota(used_bytes, self._quota_bytes)
        report_id = uuid.uuid4().hex
        name = files.file_name(rules.choose_file_stem(correction.label), report_id)
        self._files.write(name, data)
        return rows.StoredFile(report_id, name, len(data), pixels_sha256)

    def discard_file(self, name: str) -> None:
        """Remove a file unless a report needs it; what fails, the next start repairs."""
        with explain_database_errors(REPORTS), self.sessions() as session:
            if rows.is_needed(session, name):
                return
        self._remove_file(name)

    def _remove_file(self, name: str) -> None:
        try:
            self._files.remove(name)
        except (OSError, StorageAwayError) as error:
            _log.warning("Cannot remove %s: %s", name, error)

    def check_files(self) -> None:
        """Ask the place of the PNG files whether it answers.

        Raises:
            StorageAwayError: it does not.
        """
        self._files.exists(".lock")

    def read_file(self, report: Report) -> bytes:
        """Return a report's PNG.

        Raises:
            NotFoundError: it is gone.
            StorageAwayError: nobody can tell at the moment.
        """
        try:
            return self._files.read(report.file)
        except OSError as error:
            raise NotFoundError(
                f"The picture of report {report.id} is gone ({error.strerror}). Nothing was changed."
            ) from error
