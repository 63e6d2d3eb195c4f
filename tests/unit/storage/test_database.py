"""What goes wrong with a database is told in a sentence, and goes on when it is over."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from kyara.dataset.review.reports import ReportStore, rows
from kyara.dataset.review.reports.tables import REPORTS
from kyara.errors import BadInputError, BusyError, CollidedError, KyaraError, UnreachableError
from kyara.storage import database
from kyara.storage.database import explain_database_errors, open_database

CROP = np.zeros((8, 8, 3), np.uint8)
LOCK = text("UPDATE faces SET name = 'x' WHERE id = :id")


@pytest.fixture
def faces(postgres_url: str) -> Iterator[Engine]:
    """A table with two rows."""
    engine = open_database(postgres_url, REPORTS)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE faces (id INTEGER PRIMARY KEY, name VARCHAR(3))"))
        connection.execute(text("INSERT INTO faces VALUES (1, 'a'), (2, 'b')"))
    yield engine
    engine.dispose()


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[ReportStore]:
    store = ReportStore(tmp_path / "user_report", database_url)
    yield store
    store.close()


def test_a_deadlock_is_a_collision_for_one_of_the_two(faces: Engine):
    meet, told = threading.Barrier(2), []

    def lock(first: int, second: int) -> None:
        try:
            with explain_database_errors(REPORTS), faces.begin() as connection:
                connection.execute(LOCK, {"id": first})
                meet.wait(60)
                connection.execute(LOCK, {"id": second})
        except CollidedError as error:
            told.append(str(error))

    threads = [threading.Thread(target=lock, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["The database of reports is busy. Please send it again in a moment."]


def test_a_lock_that_is_not_to_be_had_in_time_is_busy(faces: Engine, monkeypatch):
    monkeypatch.setattr(database, "WAIT_FOR_DATABASE_S", 1)
    with faces.begin() as holder:
        holder.execute(LOCK, {"id": 1})
        impatient = open_database(faces.url, REPORTS)
        with pytest.raises(BusyError), explain_database_errors(REPORTS), impatient.begin() as second:
            second.execute(LOCK, {"id": 1})
        impatient.dispose()


def test_a_new_file_is_opened_while_another_process_begins_to_write_it(tmp_path: Path):
    holder = sqlite3.connect(tmp_path / "new.db", check_same_thread=False, isolation_level=None)
    holder.execute("CREATE TABLE faces (id INTEGER)")
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, holder.rollback)
    release.start()
    engine = open_database(f"sqlite:///{tmp_path / 'new.db'}", REPORTS)
    with engine.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        connection.execute(text("INSERT INTO faces VALUES (1)"))
    release.join()
    holder.close()
    engine.dispose()


def test_a_file_that_stays_locked_is_given_up(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(database, "WAIT_FOR_DATABASE_S", 1)
    holder = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    holder.execute("CREATE TABLE faces (id INTEGER)")
    holder.execute("BEGIN IMMEDIATE")
    engine = open_database(f"sqlite:///{tmp_path / 'new.db'}", REPORTS)
    with pytest.raises(BusyError), explain_database_errors(REPORTS), engine.begin():
        pass
    holder.close()


def test_a_text_that_does_not_fit_is_bad_input_and_a_wrong_statement_is_not(faces: Engine):
    for name in ("four", "\x00", "\ud800"):
        with pytest.raises(BadInputError, match="cannot keep this"), explain_database_errors(REPORTS):
            with faces.begin() as connection:
                connection.execute(text("UPDATE faces SET name = :name"), {"name": name})
    with (
        pytest.raises(ProgrammingError),
        explain_database_errors(REPORTS),
        faces.connect() as connection,
    ):
        connection.execute(text("SELECT nothing FROM faces"))


@pytest.mark.parametrize("report_id", ["\x00", "\ud800", "x" * 5000, "琴吹䌷"])
def test_a_strange_id_is_nobodys(store: ReportStore, report_id: str):
    for call in (lambda: store.get(report_id), lambda: store.withdraw(report_id, "a-visitors-token")):
        with pytest.raises(KyaraError) as told:
            call()
        assert told.value.status in (400, 404)


def test_connections_that_were_cut_are_made_anew(postgres_url: str, tmp_path: Path):
    store = ReportStore(tmp_path, postgres_url)
    store.add(CROP, "miku")
    cut_connections(postgres_url)
    assert [report.label for report in store.list()] == ["miku"]
    store.close()


def test_a_commit_that_nobody_knows_of_keeps_the_picture_and_a_repeat_is_stored_once(
    postgres_url: str, tmp_path: Path, monkeypatch
):
    store = ReportStore(tmp_path, postgres_url)
    insert = rows.insert_report

    def insert_and_cut(*given, **more):
        row = insert(*given, **more)
        cut_connections(postgres_url)
        return row

    with monkeypatch.context() as patch:
        patch.setattr(rows, "insert_report", insert_and_cut)
        with pytest.raises(UnreachableError, match="cannot be reached"):
            store.add(CROP, "miku", token="a-visitors-token")
    (left,) = tmp_path.glob("*.png")
    report, created = store.add(CROP, "miku", token="a-visitors-token")
    store.close()
    again = ReportStore(tmp_path, postgres_url)
    assert (created, again.recovery.set_aside) == (True, [left.name])
    assert [kept.id for kept in again.list()] == [report.id]
    again.close()


def cut_connections(url: str) -> None:
    """End all other connections to a database, as an administrator does."""
    engine = open_database(url, REPORTS)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()
