"""Steps in a database that several servers share; one promoter at a time holds a row."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from kyara.errors import BusyError
from kyara.registry.history import Registry, Step
from kyara.registry.tables import SERVING, PromotionRow, ServingRow
from kyara.storage.database import explain_database_errors, open_database, prepare_tables

_COLUMNS = ("action", "name", "version", "sha256", "at")


class DatabaseSteps:
    """The steps in a database; see `history.StepKeeper`. It is opened by the first call of a process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: tuple[int, sessionmaker[Session]] | None = None
        self._opening = threading.Lock()

    def read(self) -> Registry:
        with _explain(), self._open()() as session:
            return _read(session)

    @contextmanager
    def change(self) -> Iterator[tuple[Registry, Callable[[Step], None]]]:
        """Hold the row meanwhile; steps and their count are committed together."""
        with _explain(), self._open().begin() as session:
            hold = update(ServingRow).where(ServingRow.id == 1).values(steps=ServingRow.steps)
            session.execute(hold.execution_options(synchronize_session=False))
            registry = _read(session)
            added: list[Step] = []
            yield registry, added.append
            for number, step in enumerate(added, len(registry.history) + 1):
                session.add(_make_row(number, step))
                session.flush()
                session.execute(update(ServingRow).where(ServingRow.id == 1).values(steps=number))

    def look(self) -> Hashable:
        with _explain(), self._open()() as session:
            return session.scalar(select(ServingRow.steps).where(ServingRow.id == 1))

    def close(self) -> None:
        with self._opening:
            if self._opened is not None:
                self._opened[1].kw["bind"].dispose()
            self._opened = None

    def _open(self) -> sessionmaker[Session]:
        """Return this process's sessions: connections from before a fork are another one's."""
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                engine = open_database(self._url, SERVING)
                sessions = sessionmaker(engine)
                try:
                    prepare_tables(engine, SERVING)
                    _make_lock_row(sessions)
                except BaseException:
                    engine.dispose()
                    raise
                self._opened = (os.getpid(), sessions)
            return self._opened[1]


@contextmanager
def _explain() -> Iterator[None]:
    """Say in a sentence that the database is away."""
    try:
        with explain_database_errors(SERVING):
            yield
    except SQLAlchemyError as error:
        raise BusyError(
            f"The database of {SERVING.holds} does not answer ({type(error).__name__}). What served "
            "goes on serving; look at what serves before you try again."
        ) from error


def _make_lock_row(sessions: sessionmaker[Session]) -> None:
    try:
        with sessions.begin() as session:
            if session.get(ServingRow, 1) is None:
                session.add(ServingRow(id=1, steps=0))
    except IntegrityError:  # another server was faster
        return


def _read(session: Session) -> Registry:
    rows = session.scalars(select(PromotionRow).order_by(PromotionRow.number)).all()
    return Registry(rows[-1].name if rows else "", tuple(_make_step(row) for row in rows))


def _make_step(row: PromotionRow) -> Step:
    return {
        "name": row.name,
        "version": row.version,
        "sha256": row.sha256,
        "at": row.at.isoformat(timespec="seconds"),
        "action": row.step,
        **row.note,
    }


def _make_row(number: int, step: Step) -> PromotionRow:
    return PromotionRow(
        number=number,
        step=step["action"],
        name=step["name"],
        version=step["version"],
        sha256=step["sha256"],
        at=datetime.fromisoformat(step["at"]),
        note={key: value for key, value in step.items() if key not in _COLUMNS},
    )
