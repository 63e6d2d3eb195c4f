"""The account store: names and passwords in, operators and session tokens out."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from kyara.errors import BadInputError, NotFoundError
from kyara.storage.clock import SKEW, tell_time
from kyara.storage.database import explain_database_errors, open_database, prepare_tables
from kyara.web.operator.accounts import attempts, passwords
from kyara.web.operator.accounts.tables import (
    DATABASE_FILE,
    OPERATORS,
    FailureRow,
    OperatorRow,
    SessionRow,
)

SESSION_LIFE = timedelta(hours=12)
"""After that an operator logs in anew, whatever they are doing."""
FORGET_EVERY_S = 60.0
"""So often what was counted of wrong passwords is cleared of what is over."""


@dataclass(frozen=True)
class Operator:
    """Somebody who may review, label and promote.

    Attributes:
        name: lower case, `a-z 0-9 . _ -`.
        created_at: UTC.
        last_login_at: UTC; None before the first.
    """

    name: str
    created_at: datetime
    last_login_at: datetime | None


class AccountStore:
    """Accounts in a database; safe for many threads and processes.

    A SQLite file is made by the first account, not by looking for one: without operators there is none.
    """

    def __init__(self, instance: Path, database_url: str | None = None) -> None:
        """Take the database's place; nothing is opened yet.

        Args:
            instance: folder of what belongs to this installation alone.
            database_url: of SQLAlchemy; None is SQLite at `<instance>/operators.db`.
        """
        self._file = None if database_url else instance.resolve() / DATABASE_FILE
        self._url = database_url or URL.create("sqlite", database=str(self._file))
        self._engine: Engine | None = None
        self._turn = threading.Lock()
        self._forget_at = 0.0

    def close(self) -> None:
        """Close every connection; the next call opens them again."""
        with self._turn:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def exist(self) -> bool:
        if self._file is not None and not self._file.exists():
            return False
        with explain_database_errors(OPERATORS), self._open() as session:
            return session.scalar(select(OperatorRow.name).limit(1)) is not None

    def list(self) -> list[Operator]:
        if self._file is not None and not self._file.exists():
            return []
        with explain_database_errors(OPERATORS), self._open() as session:
            return [
                _describe(row) for row in session.scalars(select(OperatorRow).order_by(OperatorRow.name))
            ]

    def create(self, name: str, password: str) -> Operator:
        """Make an account.

        Raises:
            BadInputError: name or password break a rule, or the name is taken.
        """
        checked = passwords.check_name(name)
        password_hash = passwords.hash_password(passwords.check_password(password, checked))
        now = datetime.now(UTC)
        row = OperatorRow(name=checked, password_hash=password_hash, created_at=now, changed_at=now)
        try:
            with explain_database_errors(OPERATORS), self._open(make=True) as session, session.begin():
                session.add(row)
                session.flush()
                return _describe(row)
        except IntegrityError as error:
            raise BadInputError(
                f"There is an operator {checked} already; `operator password {checked}` changes their "
                "password."
            ) from error

    def change_password(self, name: str, password: str) -> None:
        """Give an account another password; every session of it ends, and nobody waits any more.

        Raises:
            NotFoundError: no such operator.
            BadInputError: the password breaks a rule.
        """
        checked = passwords.check_name(name)
        password_hash = passwords.hash_password(passwords.check_password(password, checked))
        with explain_database_errors(OPERATORS), self._open() as session, session.begin():
            row = self._find(session, checked)
            row.password_hash, row.changed_at = password_hash, datetime.now(UTC)
            session.execute(delete(SessionRow).where(SessionRow.operator == checked))
            attempts.forgive(session, [f"account:{checked}"])

    def remove(self, name: str) -> None:
        """Remove an account and end its sessions; what it reviewed stays under its name.

        Raises:
            NotFoundError: no such operator.
        """
        checked = passwords.check_name(name)
        with explain_database_errors(OPERATORS), self._open() as session, session.begin():
            row = self._find(session, checked)
            session.execute(delete(SessionRow).where(SessionRow.operator == checked))
            session.delete(row)

    def unlock(self) -> int:
        """Forget every wrong password that was counted, of all accounts and addresses.

        Returns:
            How many subjects were counted.
        """
        with explain_database_errors(OPERATORS), self._open() as session, session.begin():
            subjects = list(session.scalars(select(FailureRow.subject)))
            attempts.forgive(session, subjects)
            return len(subjects)

    def log_in(self, name: str, password: str, *, sender: str, device: str | None = None) -> str | None:
        """Open a session for the right password. Wrong ones and unknown names take the same time.

        Args:
            name: as it was typed.
            password: as it was typed.
            sender: a keyed hash of the client's address.
            device: of a valid device cookie for this account.

        Returns:
            The session's token, or None where name or password are wrong.

        Raises:
            TooManyAttemptsError: there were too many wrong ones; the password was not looked at.
            BusyError: too many log in at once; nothing was counted.
        """
        with passwords.take_turn():
            return self._log_in(name, password, sender, device)

    def _log_in(self, name: str, password: str, sender: str, device: str | None) -> str | None:
        now = tell_time()
        folded = name.strip().lower()
        known = folded if len(folded) <= 80 and folded.isascii() and folded.isprintable() else "?"
        subjects = attempts.name_subjects(known, sender, device)
        with explain_database_errors(OPERATORS), self._open() as session, session.begin():
            attempts.count_attempt(session, subjects, now)
            if time.monotonic() >= self._forget_at:
                self._forget_at = time.monotonic() + FORGET_EVERY_S
                attempts.forget_old(session, now)
        with explain_database_errors(OPERATORS), self._open() as session:
            row = session.get(OperatorRow, known)
            password_hash = row.password_hash if row else None
        if not passwords.verify_password(password, password_hash):
            return None
        token = secrets.token_urlsafe(32)
        with explain_database_errors(OPERATORS), self._open() as session, session.begin():
            attempts.forgive(session, subjects)
            row = session.get(OperatorRow, known)
            if row is None or row.password_hash != password_hash:  # changed while it was looked at
                return None
            if passwords.needs_new_hash(row.password_hash):
                row.password_hash = passwords.hash_password(password)
            row.last_login_at = now
            session.execute(delete(SessionRow).where(SessionRow.created_at < now - SESSION_LIFE))
            session.add(SessionRow(token_sha256=_hash(token), operator=known, created_at=now))
        return token

    def find_session(self, token: str) -> Operator | None:
        """Return whose session a token is; None if it has ended.

        The token is random and long, and looked up by its hash: there is nothing to time.
        """
        now = tell_time()
        query = (
            select(OperatorRow)
            .join(SessionRow, SessionRow.operator == OperatorRow.name)
            .where(
                SessionRow.token_sha256 == _hash(token),
                SessionRow.created_at.between(now - SESSION_LIFE, now + SKEW),
            )
        )
        with explain_database_errors(OPERATORS), self._open() as session:
            row = session.scalar(query)
            return _describe(row) if row else None

    def log_out(self, token: str) -> None:
        """End a session for good: a copy of its cookie is worth nothing either."""
        with explain_database_errors(OPERATORS), self._open() as session, session.begin():
            session.execute(delete(SessionRow).where(SessionRow.token_sha256 == _hash(token)))

    def _find(self, session: Session, name: str) -> OperatorRow:
        row = session.get(OperatorRow, name)
        if row is None:
            raise NotFoundError(f"There is no operator {name}; `operator list` names them.")
        return row

    def _open(self, *, make: bool = False) -> Session:
        """Return a session on the database, opening and preparing it the first time.

        Raises:
            NotFoundError: there is no file yet, and it is not to be made.
        """
        with self._turn:
            if self._engine is None:
                self._prepare_file(make=make)
                engine = open_database(self._url, OPERATORS)
                prepare_tables(engine, OPERATORS)
                self._engine = engine
            return sessionmaker(self._engine)()

    def _prepare_file(self, *, make: bool) -> None:
        """Make the SQLite file readable by its owner alone; SQLite's side files follow it."""
        if self._file is None or self._file.exists():
            return
        if not make:
            raise NotFoundError("There is no operator yet; `python -m kyara operator create` makes one.")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            raise BadInputError(
                f"The folder {self._file.parent} cannot be used ({error.strerror}): set INSTANCE_FOLDER "
                "to a folder that may be written."
            ) from error


def _describe(row: OperatorRow) -> Operator:
    return Operator(row.name, row.created_at, row.last_login_at)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
