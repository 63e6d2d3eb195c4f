"""The report store: a crop and a correction in, a durable report out."""

from __future__ import annotations

import logging
import os
import uuid
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import URL, Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker

from kyara.database import explain_database_errors, open_database, prepare_tables
from kyara.errors import (
    BadInputError,
    BusyError,
    CollidedError,
    KyaraError,
    NotFoundError,
    StorageFullError,
    TooLateError,
    UnreachableError,
)
from kyara.images import Box
from kyara.reports import files, rows
from kyara.reports.recovery import Recovery, recover
from kyara.reports.rules import Correction, check_correction, check_token, choose_file_stem
from kyara.reports.tables import REPORTS, Report, ReportRow, ReportState

DEFAULT_QUOTA_BYTES = 2 * 1024**3
UNDO_S = 60
"""How long a visitor may take a report back; the page offers it for ten seconds."""
_ATTEMPTS = 10

_log = logging.getLogger(__name__)


class ReportStore:
    """Reports in a folder of PNG files and a database; safe for many threads and processes.

    Attributes:
        folder: where the PNG files are.
        recovery: what the start found and repaired.
        sessions: of the database, for the other rooms of reports.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str | None = None,
        quota_bytes: int = DEFAULT_QUOTA_BYTES,
        *,
        undo_s: float = UNDO_S,
    ) -> None:
        """Open the store, making what is missing, and repair what a crash left.

        Args:
            folder: for the files; made if need be.
            database_url: of SQLAlchemy; None is SQLite at `<folder>/reports.db`.
            quota_bytes: most bytes that all PNG files together may take.
            undo_s: seconds within which `withdraw` works.

        Raises:
            BadInputError: folder or database cannot be used.
        """
        self.folder = folder.resolve()
        self._quota_bytes = quota_bytes
        self._undo = timedelta(seconds=undo_s)
        default_url = URL.create("sqlite", database=str(self.folder / "reports.db"))
        engine = open_database(database_url or default_url, REPORTS)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = files.FolderLock(self.folder)
        except OSError as error:
            raise BadInputError(
                f"The report folder {self.folder} cannot be used ({error.strerror}): "
                "set REPORT_FOLDER to a folder that may be written."
            ) from error
        self._release = weakref.finalize(self, _release, engine, lock.descriptor)
        self.sessions = sessionmaker(engine)
        if not (alone := lock.take_alone()):
            lock.share()  # after this, whoever was alone has made the tables and is done repairing
        self.recovery = self._prepare(engine, alone)
        lock.share()

    def close(self) -> None:
        """Close every connection and let go of the folder; harmless when done twice."""
        self._release()

    def add(
        self,
        crop: np.ndarray,
        label: str,
        *,
        note: str | None = None,
        predicted: str | None = None,
        confidence: float | None = None,
        model_version: str | None = None,
        box: Box | None = None,
        token: str | None = None,
        sender: str | None = None,
    ) -> tuple[Report, bool]:
        """Store a correction; when this returns, it survives a crash and a power cut.

        A token that was used before returns the report it made then, whatever else is sent with
        it, also where that was withdrawn. Pixels and label that have a report add to its count.

        Args:
            crop: `uint8 (H, W, 3)` sRGB.
            label: who it is; see `rules.check_label`.
            note: at most 1,000 characters.
            predicted: label that the site had answered.
            confidence: of that answer, 0 to 1.
            model_version: at most 100 characters.
            box: where the crop lies, in source-image pixels.
            token: 8 to 64 of `A-Z a-z 0-9 _ -`; without one, a repeat is a submission of its own.
            sender: of `hash_sender`; None where it is not known, and then it has no voice in a vote.

        Returns:
            The report, and whether it is a new one.

        Raises:
            BadInputError: the crop or a text breaks a rule.
            StorageFullError: the quota or the disk is full; nothing was stored.
            BusyError: the database could not be written in time; nothing was stored.
        """
        files.check_pixels(crop)
        correction = check_correction(
            label,
            token=token,
            note=note,
            predicted=predicted,
            confidence=confidence,
            model_version=model_version,
            box=box,
        )
        return self._add(crop, correction, datetime.now(UTC), sender)

    def withdraw(self, report_id: str, token: str) -> Report:
        """Take back the submission that this token made; the last one takes the file with it.

        Args:
            report_id: of the report.
            token: as given to `add`.

        Returns:
            The report as it is now; the same again when asked twice.

        Raises:
            NotFoundError: no such report was made with this token.
            TooLateError: more than `undo_s` seconds have passed, or it has been reviewed.
        """
        check_token(token)
        now = datetime.now(UTC)
        with explain_database_errors(REPORTS), self.sessions.begin() as session:
            held = rows.lock_submission(session, report_id, token)
            if held is None:
                raise NotFoundError(
                    f"There is no report {report_id[:64]!r} that was made with this token."
                )
            row, submission = held
            if submission.withdrawn_at is None:
                self._check_undo(row, now - submission.created_at)
                row = rows.withdraw_submission(session, submission, now)
            report = row.to_report()
        if report.state == ReportState.WITHDRAWN:
            self.remove_file(report.file)
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
        self, state: ReportState | None = None, *, limit: int = 100, offset: int = 0
    ) -> list[Report]:
        """Return reports, newest first.

        Args:
            state: only those in this state; None for all, withdrawn ones included.
            limit: most reports to return.
            offset: how many to skip.
        """
        query = select(ReportRow).order_by(ReportRow.created_at.desc(), ReportRow.id)
        if state is not None:
            query = query.where(ReportRow.state == state)
        with explain_database_errors(REPORTS), self.sessions() as session:
            return [row.to_report() for row in session.scalars(query.limit(limit).offset(offset))]

    def count_by_state(self) -> Mapping[ReportState, int]:
        """Return how many reports are in each state."""
        query = select(ReportRow.state, func.count()).group_by(ReportRow.state)
        with explain_database_errors(REPORTS), self.sessions() as session:
            found: dict[str, int] = {state: count for state, count in session.execute(query)}
        return {state: found.get(state, 0) for state in ReportState}

    def count_stored_bytes(self) -> int:
        """Return how many bytes the PNG files of all reports take."""
        with explain_database_errors(REPORTS), self.sessions() as session:
            return rows.count_stored_bytes(session)

    def _prepare(self, engine: Engine, alone: bool) -> Recovery:
        """Make the tables where there are none and repair what a crash left."""
        prepare_tables(engine, REPORTS)
        try:
            with explain_database_errors(REPORTS):
                return recover(self.folder, self.sessions, alone=alone)
        except StorageFullError as error:  # the site is still good for everything else
            _log.error("Nothing was repaired in %s: %s", self.folder, error)
            return Recovery()

    def _add(
        self, crop: np.ndarray, correction: Correction, now: datetime, sender: str | None
    ) -> tuple[Report, bool]:
        pixels_sha256 = files.hash_pixels(crop)
        stored: rows.StoredFile | None = None
        try:
            for _ in range(_ATTEMPTS):
                try:
                    repeated = self._repeat(correction, pixels_sha256, now, sender)
                    if repeated is not None:
                        if stored and stored.name != repeated.file:
                            self.remove_file(stored.name)
                        return repeated, False
                    stored = stored or self._write(crop, correction, pixels_sha256, now)
                    with explain_database_errors(REPORTS), self.sessions.begin() as session:
                        row = rows.insert_report(
                            session,
                            stored,
                            correction,
                            now,
                            quota_bytes=self._quota_bytes,
                            sender=sender,
                        )
                        report = row.to_report()
                    return report, True
                except (IntegrityError, CollidedError):  # someone was faster with this token or crop
                    continue
            raise BusyError("This report collides with others being sent. Please send it again.")
        except UnreachableError:
            raise
        except KyaraError:
            # Here the database has certainly not kept the row. After any other error it may have:
            # then the file stays, and the next start adopts it.
            if stored:
                self.remove_file(stored.name)
            raise

    def _repeat(
        self, correction: Correction, pixels_sha256: str, now: datetime, sender: str | None
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

    def _write(
        self, crop: np.ndarray, correction: Correction, pixels_sha256: str, now: datetime
    ) -> rows.StoredFile:
        """Write the crop, whole and flushed, under its final name."""
        details = {"correction": correction.to_json(), "created_at": now.isoformat()}
        data = files.encode_report(crop, details)
        used_bytes = self.count_stored_bytes()
        if used_bytes + len(data) > self._quota_bytes:
            raise rows.describe_full_quota(used_bytes, self._quota_bytes)
        report_id = uuid.uuid4().hex
        name = files.file_name(choose_file_stem(correction.label), report_id)
        files.write_file(self.folder, name, data)
        return rows.StoredFile(report_id, name, len(data), pixels_sha256)

    def _check_undo(self, row: ReportRow, age: timedelta) -> None:
        if row.state != ReportState.PENDING:
            raise TooLateError(f"This report is already {row.state}; it cannot be taken back any more.")
        if age > self._undo:
            raise TooLateError(
                f"A report can be taken back for {self._undo.total_seconds():g} seconds; "
                f"this one was sent {age.total_seconds():.0f} seconds ago."
            )

    def remove_file(self, name: str) -> None:
        """Remove a file that has no row or a withdrawn one; what fails, the next start repairs."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("Cannot remove %s: %s", name, error)


def _release(engine: Engine, lock_descriptor: int) -> None:
    engine.dispose()
    os.close(lock_descriptor)
