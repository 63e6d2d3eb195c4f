"""The account store, in a file and in PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from kyara.errors import BadInputError, TooManyAttemptsError
from kyara.storage.clock import Clock
from kyara.web.operator.accounts import AccountStore

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
        except TooManyAttemptsError:
            return True

    with ThreadPoolExecutor(8) as pool:
        waited = sum(pool.map(guess, range(16)))
    assert waited >= 16 - 6  # five are free, and the sixth is the one after which they wait
    with pytest.raises(TooManyAttemptsError):
        store.log_in("rin", PASSWORD, sender="a")
    assert store.unlock() == 2
    assert store.log_in("rin", PASSWORD, sender="a")
