"""Lock-out: how often somebody may guess a password, and how long the next guess waits.

An attempt is counted before the password is looked at, in a transaction of its own, so that guesses sent
at once are counted like guesses sent one after the other. What is counted is kept in the database: a
restart forgives nothing. While a subject waits, nothing is looked at and nothing is counted, so the wait
has an end. Waits grow by doubling up to a cap.

A stranger who keeps guessing at an account makes it wait again and again. The operator gets in all the
same: a browser that has logged in before carries a signed device cookie, and its attempts are counted
for this browser alone; and `python -m kyara operator unlock` forgets everything that was counted.

Source: device cookies: OWASP, "Slow down online guessing attacks with device cookies",
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kyara.errors import TooManyAttemptsError
from kyara.storage.clock import SKEW
from kyara.web.operator.accounts.tables import FailureRow

FORGET_AFTER = timedelta(hours=24)
"""So long after the last wrong password a subject starts anew."""
MAX_SUBJECTS = 10_000
"""So many are kept; past it those go whose last wrong password is longest ago, and who wait no more."""


@dataclass(frozen=True)
class Limit:
    """How a kind of subject is slowed down.

    Attributes:
        free: so many wrong passwords cost nothing.
        first_wait_s: wait after the next one; it doubles with each.
        longest_wait_s: where doubling ends.
    """

    free: int
    first_wait_s: int
    longest_wait_s: int

    def choose_wait(self, failures: int) -> timedelta:
        """Return how long the attempt after this many failures waits."""
        over = failures - self.free
        if over <= 0:
            return timedelta()
        return timedelta(seconds=min(self.longest_wait_s, self.first_wait_s * 2 ** min(over - 1, 30)))


LIMITS = {
    "address": Limit(free=5, first_wait_s=30, longest_wait_s=3600),
    "device": Limit(free=5, first_wait_s=30, longest_wait_s=900),
    "account": Limit(free=10, first_wait_s=15, longest_wait_s=300),
}


def name_subjects(name: str, sender: str, device: str | None) -> list[str]:
    """Return what an attempt is counted for: a known browser alone, else account and address.

    Args:
        name: of the account, which need not exist.
        sender: a keyed hash of the client's address.
        device: of a valid device cookie for this account.
    """
    return [f"device:{device}"] if device else [f"account:{name}", f"address:{sender}"]


def count_attempt(session: Session, subjects: Iterable[str], now: datetime) -> None:
    """Count one attempt as failed until `forgive` says otherwise.

    Args:
        session: in a fresh transaction, which the caller commits whatever comes.
        subjects: of `name_subjects`.
        now: with a time zone.

    Raises:
        TooManyAttemptsError: one of them still waits; nothing is counted.
    """
    rows = [_lock_subject(session, subject, now) for subject in sorted(subjects)]
    # What was written ahead of now is of a clock that was set back: nobody waits for it to come again.
    # An attempt may be counted before one that came first; without a wait of its own it blocks nobody.
    wait = max(
        (
            row.blocked_until - now
            for row in rows
            if row.last_at < row.blocked_until and row.last_at <= now + SKEW
        ),
        default=timedelta(),
    )
    if wait > timedelta():
        seconds = int(wait.total_seconds()) + 1
        raise TooManyAttemptsError(
            f"Too many wrong passwords. The next attempt is looked at in {seconds} seconds.",
            retry_after_s=seconds,
        )
    for row in rows:
        fresh = now - row.last_at > FORGET_AFTER
        row.failures = 1 if fresh else row.failures + 1
        row.last_at = now
        row.blocked_until = now + LIMITS[row.subject.split(":")[0]].choose_wait(row.failures)


def _lock_subject(session: Session, subject: str, now: datetime) -> FailureRow:
    """Return a subject's row, held until the commit."""
    statement = update(FailureRow).where(FailureRow.subject == subject)
    touched = session.execute(statement.values(failures=FailureRow.failures))
    if not cast("CursorResult[Any]", touched).rowcount:
        try:
            with session.begin_nested():
                session.add(FailureRow(subject=subject, failures=0, last_at=now, blocked_until=now))
        except IntegrityError:  # another process was faster
            session.execute(statement.values(failures=FailureRow.failures))
    return session.get_one(FailureRow, subject, populate_existing=True)


def forget_old(session: Session, now: datetime) -> None:
    """Delete what was counted of subjects that start anew, and of the oldest when there are too many.

    Args:
        session: of the caller's transaction.
        now: with a time zone.
    """
    oldest = now - FORGET_AFTER
    query = select(FailureRow.last_at).order_by(FailureRow.last_at.desc())
    past = session.scalar(query.offset(MAX_SUBJECTS).limit(1))
    session.execute(
        delete(FailureRow).where(
            FailureRow.last_at <= max(past or oldest, oldest), FailureRow.blocked_until <= now
        )
    )


def forgive(session: Session, subjects: Iterable[str]) -> None:
    """Forget what was counted of subjects: the password was right, or an operator unlocks."""
    for subject in sorted(subjects):  # as they are counted: no two wait for each other
        session.execute(delete(FailureRow).where(FailureRow.subject == subject))
