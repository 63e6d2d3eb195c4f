"""The account store, in a file and in PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from waiting import wait_until

from kyara.errors import BadInputError, BusyError, TooManyAttemptsError
from kyara.storage.clock import Clock
from kyara.web.operator.accounts import AccountStore, attempts, passwords
from kyara.web.operator.accounts.tables import FailureRow

PASSWORD = "nine lives of a cat"


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[AccountStore]:
    store = AccountStore(tmp_path / "instance", database_url)
    yield store
    store.close()


def test_an_account_logs_in_and_its_sessions_end_with_the_password(store: AccountStore):
    assert not store.exist()
    store.create("rin", PASSWORD)
    with pytest.raises(BadInputError, match="There is an operator rin already"):
        store.create("rin", PASSWORD)
    token = store.log_in("Rin", PASSWORD, sender="a")
    assert token
    found = store.find_session(token)
    assert found is not None
    assert found.last_login_at is not None
    assert (found.name, found.last_login_at.utcoffset()) == ("rin", found.created_at.utcoffset())
    store.change_password("rin", "another nine lives")
    assert store.find_session(token) is None
    assert store.log_in("rin", PASSWORD, sender="a") is None
    again = store.log_in("rin", "another nine lives", sender="a")
    assert again
    store.log_out(again)
    assert store.find_session(again) is None
    store.remove("rin")
    assert store.list() == []


def test_a_clock_that_is_set_back_lets_nobody_wait_and_no_session_live_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store, clock = AccountStore(tmp_path), Clock()
    month = timedelta(days=30)
    monkeypatch.setattr("kyara.web.operator.accounts.store.tell_time", lambda: clock.now() + month)
    store.create("rin", PASSWORD)
    token = store.log_in("rin", PASSWORD, sender="a")
    assert token and store.find_session(token)
    with pytest.raises(TooManyAttemptsError):
        while True:
            store.log_in("rin", "a guess", sender="b")
    monkeypatch.setattr("kyara.web.operator.accounts.store.tell_time", clock.now)
    assert store.find_session(token) is None
    assert store.log_in("rin", PASSWORD, sender="b")
    store.close()


def test_a_long_wait_is_told_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, clock, passed = AccountStore(tmp_path), Clock(), timedelta()
    monkeypatch.setattr("kyara.web.operator.accounts.store.tell_time", lambda: clock.now() + passed)
    store.create("rin", PASSWORD)
    wait_s = 0
    while wait_s <= 120:
        try:
            store.log_in("rin", "a guess", sender="a")
        except TooManyAttemptsError as error:
            wait_s = error.retry_after_s
            assert str(error).endswith(f" is looked at in {wait_s} seconds.")
            passed += timedelta(seconds=wait_s)
    store.close()


def test_within_a_process_time_never_goes_back(monkeypatch: pytest.MonkeyPatch):
    clock, real = Clock(), time.time
    before = clock.now()
    monkeypatch.setattr("time.time", lambda: real() - 30 * 24 * 3600)
    assert before <= clock.now() <= before + timedelta(minutes=5)
    monkeypatch.setattr("time.time", lambda: real() + 3600)
    assert clock.now() >= before + timedelta(hours=1)


@pytest.mark.parametrize("name", ["", "nobody", "r\x00in", "\ud800", "琴吹䌷", "x" * 5000])
def test_a_name_that_nobody_has_is_a_wrong_password(store: AccountStore, name: str):
    store.create("rin", PASSWORD)
    assert store.log_in(name, PASSWORD, sender="a") is None


def test_wrong_passwords_at_once_are_all_counted(store: AccountStore):
    store.create("rin", PASSWORD)

    def guess(number: int) -> bool:
        try:
            return store.log_in("rin", f"a guess {number}", sender="a") is not None
        except (TooManyAttemptsError, BusyError):  # the machine may be too slow for eight at once
            return True

    with ThreadPoolExecutor(8) as pool:
        waited = sum(pool.map(guess, range(16)))
    assert waited >= 16 - 6  # five are free, and the sixth is the one after which they wait
    with pytest.raises(TooManyAttemptsError):
        store.log_in("rin", PASSWORD, sender="a")
    assert store.unlock() == 2
    assert store.log_in("rin", PASSWORD, sender="a")


def test_who_finds_no_place_to_wait_is_refused_at_once_and_not_counted(store: AccountStore):
    store.create("rin", PASSWORD)
    with ExitStack() as held:
        held.enter_context(passwords.take_turn())
        held.enter_context(passwords.take_turn())
        with ThreadPoolExecutor(6) as pool:
            waiting = [pool.submit(store.log_in, "nobody", PASSWORD, sender=str(n)) for n in range(6)]
            wait_until(lambda: passwords._turns.count().full)
            with pytest.raises(BusyError) as refused:
                store.log_in("rin", "a wrong guess", sender="a")
            assert refused.value.reason == "full" and refused.value.retry_after_s > 0
            held.close()
            assert [one.result() for one in waiting] == [None] * 6
    assert store.unlock() == 1 + 6  # the account `nobody` and six addresses


def test_an_attempt_that_is_counted_after_a_later_one_is_not_blocked_by_it(store: AccountStore):
    store.create("rin", PASSWORD)
    now = datetime.now(UTC)
    for moment in (now, now - timedelta(milliseconds=80)):
        with store._open() as session, session.begin():
            attempts.count_attempt(session, ["account:rin"], moment)
    with store._open() as session:
        assert session.get_one(FailureRow, "account:rin").failures == 2


def test_what_was_counted_is_deleted_when_it_is_over_or_too_much(store: AccountStore, monkeypatch):
    store.create("rin", PASSWORD)
    now = datetime.now(UTC)
    ages = {"account:a": timedelta(hours=25), "account:b": timedelta(hours=2), "account:c": timedelta()}
    waits = {"account:d": timedelta(hours=23)}
    with store._open() as session, session.begin():
        for subject, age in {**ages, **waits}.items():
            until = now + timedelta(hours=1) if subject in waits else now - age
            session.add(FailureRow(subject=subject, failures=9, last_at=now - age, blocked_until=until))
    assert store.log_in("nobody", PASSWORD, sender="a") is None

    def list_subjects() -> list[str]:
        with store._open() as session:
            return sorted(session.scalars(select(FailureRow.subject)))

    assert list_subjects() == ["account:b", "account:c", "account:d", "account:nobody", "address:a"]
    monkeypatch.setattr(attempts, "MAX_SUBJECTS", 3)
    with store._open() as session, session.begin():
        attempts.forget_old(session, datetime.now(UTC))
    assert list_subjects() == ["account:c", "account:d", "account:nobody", "address:a"]
