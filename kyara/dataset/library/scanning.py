"""A scan: folders are compared with the library, what is new is looked at, who it is is answered.

All that is done is in the database after each commit: a scan that is killed loses at most what its
workers had in hand, and the next one goes on.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, func, select, text

from kyara.dataset.library.answering import Answerer, answer_anew, count_outdated
from kyara.dataset.library.comparing import Comparison, SeenBy, Tally
from kyara.dataset.library.looking import SHARD_PICTURES, name_detector, plan_looking
from kyara.dataset.library.opening import find_file
from kyara.dataset.library.parts import Part, is_within, plan_parts
from kyara.dataset.library.storing import ShardWriter
from kyara.dataset.library.tables import NO_FACE, FaceRow, PictureRow, RootRow
from kyara.errors import BadInputError, BusyError, NotFoundError
from kyara.recognition.embeddings import split_names
from kyara.storage.atomic import explain_os_error, hold_lock
from kyara.storage.parallel import Engine as Workers
from kyara.storage.parallel import Work, open_pool, run_work
from kyara.vision.detectors.base import check_installed
from kyara.vision.picture_files import has_heif

_SCAN_LOCK = 0x6B796C6962  # "kylib"; of PostgreSQL's advisory locks
_SQLITE_ENDINGS = ("-wal", "-shm", "-journal")
Progress = Callable[[str, int], Any]
"""A stage and how many items it has → a context manager of a function that hears what is done."""


@dataclass(frozen=True, kw_only=True)
class ScanOrder:
    """What is to be scanned, and how.

    Attributes:
        place: the library, a file or a URL.
        answerer: the model.
        detector: name of what finds the faces; None: the default.
        level: its strictness; None: its default.
        workers: who does the work.
        work: the work folder; None: one beside the library's file, or one that is gone afterwards.
        forget_missing: forget the pictures whose files are gone.
    """

    place: str
    answerer: Answerer
    detector: str | None = None
    level: int | None = None
    workers: Workers = field(default_factory=Workers)
    work: Path | None = None
    forget_missing: bool = False


@dataclass(frozen=True)
class Told:
    """Where a scan reports to.

    Attributes:
        fail: called with the path of a file or folder that cannot be read, and why.
        say: called with a sentence about the scan.
        progress: see `Progress`.
    """

    fail: Callable[[str, str], None]
    say: Callable[[str], None]
    progress: Progress


def scan_folders(engine: Engine, folders: Sequence[str], order: ScanOrder, told: Told) -> dict[str, Any]:
    """Bring a library up to date with folders.

    Args:
        engine: the library's.
        folders: none is inside another; without any, all that were scanned before. One that cannot be
            read is told, and the others are scanned.
        order: how.
        told: where it reports to.

    Returns:
        The summary, as JSON has it; see docs/library.md.

    Raises:
        BusyError: another scan of this library runs.
        KyaraError: the model or the database cannot be used; what is done is kept.
    """
    since, tally = time.perf_counter(), Tally()
    check_installed()
    name = f"{name_detector(order.detector, order.level)}/{order.answerer.network}"
    seen_by = SeenBy(name, "+heif" if has_heif() else "")
    task = plan_looking(order.answerer.bundle, order.detector, order.level)
    with _hold_scan(engine, order) as folder:
        parts = list(_plan_parts(engine, folders or list_roots(engine), tally, told))
        comparisons = [Comparison(engine, part, seen_by, tally, told.fail) for part in parts]
        paths = chain.from_iterable(one.find_work() for one in comparisons)
        with Work.hold(folder, task, split_names(paths, SHARD_PICTURES)) as work:
            if tally.again:
                told.say(
                    f"{tally.again} picture(s) were seen by another network or face detector: they are "
                    "looked at again."
                )
            writer = ShardWriter(engine, parts, order.answerer, seen_by, tally, told.fail)
            if work.items:
                with (
                    told.progress("Scanning", work.items) as step,
                    open_pool(order.workers, task) as pool,
                ):
                    for number in run_work(work, pool, step):
                        writer.write(work, number)
            _answer_outdated(engine, order.answerer, told)
            there = [part for part, one in zip(parts, comparisons, strict=True) if one.is_there]
            forgotten = _forget_missing(engine, there) if order.forget_missing else 0
            work.remove()
    seconds = time.perf_counter() - since
    return {**_describe(tally, seconds), "forgotten": forgotten, **count_library(engine)}


@contextmanager
def _hold_scan(engine: Engine, order: ScanOrder) -> Iterator[Path]:
    """Keep other scans of the library away; give the work folder."""
    with ExitStack() as held:
        held.enter_context(hold_library(engine, order.place))
        if order.work is not None:
            yield order.work
        elif (file := find_file(order.place)) is not None:
            yield _name_work(file)
        else:
            own = held.enter_context(tempfile.TemporaryDirectory(prefix="kyara-scan-"))
            yield Path(own) / "work"


@contextmanager
def hold_library(engine: Engine, place: str) -> Iterator[None]:
    """Keep scans of a library away: by a lock beside its file, or by one in its database.

    Raises:
        BusyError: a scan runs.
        KyaraError: there can be no lock beside the file.
    """
    busy, file = "Another scan of this library runs; wait for its end.", find_file(place)
    with ExitStack() as held:
        if file is not None:
            try:
                held.enter_context(hold_lock(_name_lock(file), busy=busy, remove=True))
            except OSError as error:
                raise explain_os_error(error, str(_name_lock(file)), "Nothing was done.") from error
        else:
            connection = held.enter_context(engine.connect())
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.scalar(text(f"SELECT pg_try_advisory_lock({_SCAN_LOCK})")):
                raise BusyError(busy)
            held.callback(connection.scalar, text(f"SELECT pg_advisory_unlock({_SCAN_LOCK})"))
        yield


def list_own(place: str, work: Path | None) -> tuple[str, ...]:
    """Return the files and folders that a scan writes, as `os.path.realpath` gives them.

    Args:
        place: the library.
        work: the work folder that is asked for.
    """
    file = find_file(place)
    own = [] if work is None else [work]
    if file is not None:
        beside = [file.with_name(file.name + ending) for ending in _SQLITE_ENDINGS]
        own += [file, *beside, _name_lock(file), _name_work(file)]
    return tuple(os.path.realpath(one) for one in own)


def _name_lock(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


def _name_work(file: Path) -> Path:
    return file.with_name(f"{file.name}.work")


def forget_root(engine: Engine, *names: str) -> int:
    """Forget a folder that was scanned, and those that were inside it; return how many pictures.

    Args:
        engine: the library's, held by `hold_library`.
        names: what the folder may be called; it need not be there.

    Raises:
        NotFoundError: it was not scanned.
    """
    with engine.begin() as connection:
        roots = {path: number for number, path in connection.execute(select(RootRow.id, RootRow.path))}
        folder = next((name for name in names if name in roots), None)
        if folder is None:
            raise NotFoundError(
                f"{ascii(names[0])[:200]} is no folder that was scanned; `kyara library show` tells."
            )
        some = [number for path, number in roots.items() if is_within(path, folder)]
        pictures = select(PictureRow.id).where(PictureRow.root.in_(some))
        connection.execute(delete(FaceRow).where(FaceRow.picture.in_(pictures)))
        forgotten = connection.execute(delete(PictureRow).where(PictureRow.root.in_(some))).rowcount
        connection.execute(delete(RootRow).where(RootRow.id.in_(some)))
    return forgotten


def list_roots(engine: Engine) -> list[str]:
    """Return the folders that were scanned, without those inside others."""
    with engine.connect() as connection:
        return drop_nested(connection.scalars(select(RootRow.path)).all())


def drop_nested(folders: Sequence[str]) -> list[str]:
    """Return folders, sorted, without those inside others; paths as `os.path.realpath` gives them."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not any(is_within(folder, outer) for outer in kept):
            kept.append(folder)
    return kept


def _plan_parts(engine: Engine, folders: Sequence[str], tally: Tally, told: Told) -> Iterator[Part]:
    for folder in folders:
        try:
            yield from plan_parts(engine, folder)
        except BadInputError as error:
            tally.failed += 1
            told.fail(folder, str(error))


def _answer_outdated(engine: Engine, answerer: Answerer, told: Told) -> None:
    if outdated := count_outdated(engine, answerer):
        told.say(
            f"{outdated} face(s) are answered again, without their pictures: another model answers, or "
            "it was taught something else."
        )
        with told.progress("Answering", outdated) as step:
            for count in answer_anew(engine, answerer):
                step(count)


def _forget_missing(engine: Engine, parts: list[Part]) -> int:
    """Forget the pictures of these parts whose files are gone; return how many."""
    forgotten = 0
    with engine.begin() as connection:
        for part in parts:
            gone = PictureRow.missing_since.is_not(None) & part.select()
            missing = select(PictureRow.id).where(gone)
            connection.execute(delete(FaceRow).where(FaceRow.picture.in_(missing)))
            forgotten += connection.execute(delete(PictureRow).where(gone)).rowcount
    return forgotten


def _describe(tally: Tally, seconds: float) -> dict[str, Any]:
    names = ("new", "changed", "moved", "again", "failed", "looked")
    return {
        **{name: getattr(tally, name) for name in names},
        "seconds": round(seconds, 3),
        "pictures_per_second": round(tally.looked / seconds, 2),
        "stages": {stage: round(total, 3) for stage, total in tally.seconds.items()},
    }


def count_library(engine: Engine) -> dict[str, int]:
    """Count what is in a library; faces are those of pictures that are there."""
    there = PictureRow.missing_since.is_(None)
    with engine.connect() as connection:
        pictures = connection.scalar(select(func.count()).where(there)) or 0
        missing = connection.scalar(select(func.count(PictureRow.id)).where(~there)) or 0
        unreadable = connection.scalar(
            select(func.count(PictureRow.id)).where(there, PictureRow.error.is_not(None))
        )
        query = select(FaceRow.status, func.count()).join(PictureRow, PictureRow.id == FaceRow.picture)
        query = query.where(there, FaceRow.status != NO_FACE)
        rows = connection.execute(query.group_by(FaceRow.status))
        faces = {status: count for status, count in rows}
    statuses = {status: faces.get(status, 0) for status in ("known", "probably", "unknown")}
    counts = {"pictures": pictures, "missing": missing, "unreadable": unreadable or 0}
    return {**counts, "faces": sum(faces.values()), **statuses}
