"""Folders beside the database: what is new, changed, moved or missing since the last scan.

A file whose size and time are as they were is not opened. One that is new or changed, and as long as a
file that is known, is hashed: if its content is known, it was moved or copied, and what is known of it
goes with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from kyara.dataset.library.parts import Part
from kyara.dataset.library.sources import find_source, join_path
from kyara.dataset.library.tables import FaceRow, PictureRow, RootRow
from kyara.dataset.library.walking import FoundFile, walk_files
from kyara.dataset.library.writing import change_picture, put_faces, put_picture
from kyara.storage.clock import tell_time
from kyara.storage.paging import read_pages

FILES_AT_ONCE = 500
"""Files that are compared in one commit."""
_EMPTY = (
    "No picture is left in this folder: is its disk there? The library keeps what it knows of them; "
    "`kyara library forget` forgets the folder."
)


@dataclass
class Tally:
    """What a scan came to.

    Attributes:
        new: files that were not in the library; copies of known ones are among them.
        changed: files whose content is another.
        moved: known content whose file lies elsewhere now.
        again: unchanged files that another network or detector had looked at.
        failed: files and folders that could not be read.
        looked: files that were opened to find faces.
        seconds: of each stage, all workers together.
    """

    new: int = 0
    changed: int = 0
    moved: int = 0
    again: int = 0
    failed: int = 0
    looked: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Note that a stage took so long once more."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


@dataclass(frozen=True)
class SeenBy:
    """What looks at pictures.

    Attributes:
        name: of detector and network, as rows of pictures that could be read have it.
        reads: what else could be read: another install may read what this one cannot.
    """

    name: str
    reads: str = ""

    def note(self, error: str | None) -> str:
        """Return what a row has of it: of a picture that could not be read what was tried, too."""
        return self.name if error is None else self.name + self.reads


@dataclass(frozen=True)
class _Pair:
    """A file, its row, or both."""

    file: FoundFile | None
    row: Any

    def is_unchanged(self) -> bool:
        file, row = self.file, self.row
        return bool(file and row and (file.size, file.mtime_ns) == (row.size, row.mtime_ns))


class Comparison:
    """One part beside the database."""

    def __init__(
        self,
        engine: Engine,
        part: Part,
        seen_by: SeenBy,
        tally: Tally,
        tell: Callable[[str, str], None],
    ) -> None:
        """Take what is compared.

        Args:
            engine: the library's.
            part: what is walked through.
            seen_by: what looks at pictures now; those that something else has seen are looked at again.
            tally: where what is found is counted.
            tell: called with what cannot be read, and why.
        """
        self._engine, self._part, self._seen_by = engine, part, seen_by
        self._tally, self._tell = tally, tell
        self._unread: list[str] = []
        self._now = tell_time()

    @property
    def is_there(self) -> bool:
        """Whether the folder could be read, once `find_work` has ended; else nothing is missing."""
        return self._part.prefix not in self._unread

    def find_work(self) -> Iterator[str]:
        """Write down what can be told without looking into pictures; give the paths of the others."""
        pairs = self._pair()
        while some := list(islice(pairs, FILES_AT_ONCE)):
            hashes = self._hash_candidates(some)
            with self._engine.begin() as connection:
                work = [pair for pair in some if self._settle(connection, pair, hashes)]
            for pair in work:
                assert pair.file is not None
                yield join_path(self._part.folder, pair.file.path)

    def _pair(self) -> Iterator[_Pair]:
        """Give files and rows, both sorted by the bytes of their paths, side by side."""
        part = self._part
        files = walk_files(part.folder, part.prefix, part.passed, self._note_unread)
        rows = self._read_rows()
        file, row = next(files, None), next(rows, None)
        if file is None and row and not part.prefix and self.is_there and self._has_pictures():
            self._note_unread("", _EMPTY)
        while file or row:
            at_file = os.fsencode(file.path) if file else None
            at_row = os.fsencode(row.path) if row else None
            has_file = at_row is None or (at_file is not None and at_file <= at_row)
            has_row = at_file is None or (at_row is not None and at_row <= at_file)
            yield _Pair(file if has_file else None, row if has_row else None)
            file = next(files, None) if has_file else file
            row = next(rows, None) if has_row else row

    def _note_unread(self, path: str, error: OSError | str) -> None:
        self._unread.append(path)
        self._tally.failed += 1
        said = error if isinstance(error, str) else f"It cannot be read ({error.strerror})."
        self._tell(join_path(self._part.folder, path), said)

    def _has_pictures(self) -> bool:
        """Return whether a picture of the part was there at the last scan."""
        there = select(PictureRow.id).where(self._part.select(), PictureRow.missing_since.is_(None))
        with self._engine.connect() as connection:
            return connection.scalar(there.limit(1)) is not None

    def _read_rows(self) -> Iterator[Any]:
        """Give the rows of the part, while others are written."""
        columns = select(*PictureRow.__table__.columns).where(self._part.select())
        for page in read_pages(self._engine, columns, PictureRow.path, FILES_AT_ONCE):
            yield from page

    def _hash_candidates(self, pairs: list[_Pair]) -> dict[str, str]:
        """Hash new and changed files that are as long as a known one: path → SHA-256."""
        files = [pair.file for pair in pairs if pair.file and not pair.is_unchanged()]
        with self._engine.connect() as connection:
            sizes = {file.size for file in files}
            known = set(connection.scalars(select(PictureRow.size).where(PictureRow.size.in_(sizes))))
        awaited = {pair.row.path for pair in pairs if pair.row and pair.row.next_sha256}
        hashes = {}
        for file in files:
            if (file.size in known or file.path in awaited) and (sha256 := self._hash(file)):
                hashes[file.path] = sha256
        return hashes

    def _hash(self, file: FoundFile) -> str:
        """Return the SHA-256 of a file; nothing where it is no longer the one that was found."""
        path = join_path(self._part.folder, file.path)
        try:
            found, data = find_source(path).read(path)
        except OSError:
            return ""
        is_same = (found.size, found.mtime_ns) == (file.size, file.mtime_ns)
        return hashlib.sha256(data).hexdigest() if is_same else ""

    def _settle(self, connection: Connection, pair: _Pair, hashes: dict[str, str]) -> bool:
        """Write down what is known of a file; return whether it has to be looked at."""
        file, row = pair.file, pair.row
        if file is None:
            self._mark_missing(connection, row)
            return False
        if pair.is_unchanged():
            if row.missing_since is not None:
                change_picture(connection, row.id, missing_since=None)
            return self._is_outdated(row)
        sha256 = hashes.get(file.path)
        if row is not None and sha256 and sha256 in (row.sha256, row.next_sha256):
            # it was touched, or copied back; or an export that wrote into it was killed just then
            now = {"size": file.size, "mtime_ns": file.mtime_ns, "sha256": sha256, "next_sha256": None}
            change_picture(connection, row.id, missing_since=None, **now)
            return row.error is not None or self._is_outdated(row)
        twins = self._find_twins(connection, sha256)
        gone = next((twin for twin in twins if not _exists(twin)), None)
        if row is None and gone is not None:
            self._tally.moved += 1
            where = {"root": self._part.root, "path": file.path, "mtime_ns": file.mtime_ns}
            change_picture(connection, gone.id, missing_since=None, **where)
            return self._is_outdated(gone)
        self._tally.new += row is None
        self._tally.changed += row is not None and row.size >= 0
        read = next((twin for twin in twins if twin.error is None), None)
        if read is None:  # what cannot be read is told of each copy
            return True
        self._copy(connection, read, file, row)
        return self._is_outdated(read)

    def _mark_missing(self, connection: Connection, row: Any) -> None:
        if row.missing_since is None and not any(map(row.path.startswith, self._unread)):
            still = PictureRow.root == row.root, PictureRow.path == row.path  # it was not moved just now
            values = {"missing_since": self._now}
            connection.execute(update(PictureRow).where(PictureRow.id == row.id, *still).values(values))

    def _is_outdated(self, row: Any) -> bool:
        if row.seen_by == self._seen_by.note(row.error):
            return False
        self._tally.again += 1
        return True

    @staticmethod
    def _find_twins(connection: Connection, sha256: str | None) -> list[Any]:
        """Return the rows with this content, and their roots."""
        if not sha256:
            return []
        query = select(*PictureRow.__table__.columns, RootRow.path.label("folder"))
        query = query.join(RootRow, RootRow.id == PictureRow.root).where(PictureRow.sha256 == sha256)
        return list(connection.execute(query.order_by(PictureRow.id)))

    def _copy(self, connection: Connection, twin: Any, file: FoundFile, row: Any) -> None:
        """Give a file what is known of another one with its content."""
        kept = ("sha256", "width", "height", "seen_by", "scanned_at", "error")
        picture = {name: getattr(twin, name) for name in kept}
        picture |= {"size": file.size, "mtime_ns": file.mtime_ns, "missing_since": None}
        picture |= {"next_sha256": None}
        number = put_picture(connection, self._part.root, file.path, picture, row and row.id)
        columns = [
            column for column in FaceRow.__table__.columns if column.name not in ("id", "picture")
        ]
        query = select(*columns).where(FaceRow.picture == twin.id).order_by(FaceRow.id)
        put_faces(connection, number, [dict(face._mapping) for face in connection.execute(query)])


def _exists(row: Any) -> bool:
    path = join_path(row.folder, row.path)
    return find_source(path).exists(path)
