"""Who is in which picture: what is searched, shown and exported of a library."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, or_, select

from kyara.dataset.library.opening import open_library
from kyara.dataset.library.sources import join_path, make_path
from kyara.dataset.library.tables import NO_FACE, CharacterRow, FaceRow, PictureRow, RootRow
from kyara.recognition.characters import Character

PICTURES_AT_ONCE = 500
"""Pictures whose faces are read together."""


@dataclass(frozen=True)
class LibraryFace:
    """A face of a picture.

    Attributes:
        box: x, y, width and height in pixels of the upright picture.
        label: who it is; None if unknown.
        names: language code → what people read; empty if unknown.
        work: language code → the series; empty if unknown.
        confidence: 0 to 1, of the likeliest character.
        status: `known`, `probably` or `unknown`.
        id: its number.
    """

    box: tuple[int, int, int, int]
    label: str | None
    names: dict[str, str]
    work: dict[str, str]
    confidence: float
    status: str
    id: int = field(default=0, compare=False)


@dataclass(frozen=True)
class LibraryPicture:
    """A picture that is there and can be read.

    Attributes:
        path: absolute; a byte that is no UTF-8 is in it as `os.fsdecode` has it. Of an object in a
            bucket it is a `BucketPath`, whose text is its URL.
        sha256: of the file when it was looked at.
        width: of the upright picture, in pixels.
        height: likewise.
        faces: the largest first.
        id: its number.
    """

    path: Path
    sha256: str
    width: int
    height: int
    faces: tuple[LibraryFace, ...]
    id: int = field(default=0, compare=False)


class Library:
    """The database of a library, open for reading."""

    def __init__(self, engine: Engine) -> None:
        """Take the database, as `open_library` gives it."""
        self.engine = engine

    @classmethod
    @contextmanager
    def open(cls, place: str) -> Iterator[Library]:
        """Open a library that is there; its errors are sentences.

        Args:
            place: an SQLite file, or the URL of a database.

        Raises:
            KyaraError: there is no such library, or it cannot be read.
        """
        with open_library(place) as engine:
            yield cls(engine)

    def read_characters(self) -> dict[str, Character]:
        """Return everybody who has been found: label → character."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(CharacterRow.label, CharacterRow.name, CharacterRow.work))
            return {label: Character(label, name, work) for label, name, work in rows}

    def count_characters(self, limit: int) -> list[tuple[str, int]]:
        """Return who is in the most pictures: labels, and how many pictures."""
        count = func.count(FaceRow.picture.distinct())
        query = select(FaceRow.label, count).join(PictureRow, PictureRow.id == FaceRow.picture)
        query = query.where(is_shown(), FaceRow.label.is_not(None)).group_by(FaceRow.label)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(count.desc(), FaceRow.label).limit(limit))
            return [(label, pictures) for label, pictures in rows if label is not None]

    def read_pictures(
        self,
        *,
        character: str | None = None,
        work: str | None = None,
        together: Collection[str] = (),
        min_confidence: float = 0.0,
    ) -> Iterator[LibraryPicture]:
        """Give the pictures that fit, a few hundred in memory at a time.

        Faces that are less confident than asked do not make a picture fit; of a picture that does all
        faces are given, as they are. Missing and unreadable pictures are left out.

        Args:
            character: label of somebody who is in them; the most confident picture comes first then,
                else they come in the order of their names.
            work: in any language, or a part of its title, in any case: somebody of it is in them.
            together: labels of others who are all in them, too.
            min_confidence: least confidence, 0 to 1, of whom is asked for; with nobody asked for, of
                anybody who is named.
        """
        characters = self.read_characters()
        asked = [[label] for label in together]
        if work is not None:
            asked.append([one.label for one in characters.values() if is_of_work(one.work, work)])
        if not asked and character is None and min_confidence > 0:
            asked.append(list(characters))
        query = select_pictures()
        keys: list[Any] = [RootRow.path, PictureRow.path]
        if character is not None:
            best = select_best([character], min_confidence)
            query = query.join(best, best.c.picture == PictureRow.id)
            keys = [-best.c.confidence, *keys]
        for labels in asked:
            query = query.where(PictureRow.id.in_(_select_with(labels, min_confidence)))
        named = [key.label(f"key_{number}") for number, key in enumerate(keys)]
        query = query.add_columns(*named).order_by(*keys).limit(PICTURES_AT_ONCE)
        page = query
        while True:  # no transaction waits while the caller works
            with self.engine.connect() as connection:
                rows = connection.execute(page).all()
            if not rows:
                return
            yield from self.add_faces(rows, characters)
            page = query.where(_comes_after(keys, rows[-1][-len(keys) :]))

    def read_named(self, ids: Sequence[int]) -> dict[int, LibraryPicture]:
        """Return the pictures of these ids: id → picture; those that are not there are left out."""
        characters = self.read_characters()
        with self.engine.connect() as connection:
            rows = connection.execute(select_pictures().where(PictureRow.id.in_(ids))).all()
        return dict(zip((row.id for row in rows), self.add_faces(rows, characters), strict=True))

    def add_faces(
        self, rows: Sequence[Any], characters: dict[str, Character]
    ) -> Iterator[LibraryPicture]:
        """Give the pictures of rows of `select_pictures`, each with its faces."""
        with self.engine.connect() as connection:
            faces = _read_faces(connection, [row.id for row in rows], characters)
        for row in rows:
            path = make_path(join_path(row.root, row.path))
            own = tuple(faces.get(row.id, ()))
            yield LibraryPicture(path, row.sha256, row.width, row.height, own, row.id)


def is_of_work(titles: Mapping[str, str], work: str) -> bool:
    """Tell whether a work is meant: a text is part of its title in any language, in any case."""
    return any(work.casefold() in title.casefold() for title in titles.values())


def _comes_after(keys: Sequence[Any], last: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes after another one in the order of keys."""
    key, *rest = keys
    if not rest:
        return key > last[0]
    return or_(key > last[0], and_(key == last[0], _comes_after(rest, last[1:])))


def is_shown() -> ColumnElement[bool]:
    """Return the condition that a picture is there and could be read."""
    return PictureRow.missing_since.is_(None) & PictureRow.error.is_(None)


def select_pictures() -> Select[*tuple[Any, ...]]:
    """Select the pictures that are shown, with the paths of their roots."""
    columns = PictureRow.id, PictureRow.path, PictureRow.sha256, PictureRow.width, PictureRow.height
    return (
        select(*columns, RootRow.path.label("root"))
        .join(RootRow, RootRow.id == PictureRow.root)
        .where(is_shown())
    )


def select_best(labels: Collection[str] | None, min_confidence: float) -> Any:
    """Return the pictures with one of these characters, and the confidence of the surest of them.

    Args:
        labels: of the characters; None: anybody who has a name.
        min_confidence: least confidence, 0 to 1.
    """
    named = FaceRow.label.is_not(None) if labels is None else FaceRow.label.in_(sorted(labels))
    return (
        select(FaceRow.picture, func.max(FaceRow.confidence).label("confidence"))
        .where(named, FaceRow.confidence >= min_confidence)
        .group_by(FaceRow.picture)
        .subquery()
    )


def _select_with(labels: Collection[str], min_confidence: float) -> Select[Any]:
    """Return the ids of the pictures with somebody of these."""
    return select(FaceRow.picture).where(FaceRow.label.in_(labels), FaceRow.confidence >= min_confidence)


def _read_faces(
    connection: Connection, pictures: Sequence[int], characters: dict[str, Character]
) -> dict[int, list[LibraryFace]]:
    """Return the faces of pictures: picture id → faces, in the order in which they were found."""
    columns = (
        *(FaceRow.id, FaceRow.picture),
        *(FaceRow.x, FaceRow.y, FaceRow.width, FaceRow.height),
        *(FaceRow.label, FaceRow.confidence, FaceRow.status),
    )
    query = select(*columns).where(FaceRow.picture.in_(pictures), FaceRow.status != NO_FACE)
    query = query.order_by(FaceRow.id)
    found: dict[int, list[LibraryFace]] = {}
    for row in connection.execute(query):
        character = characters.get(row.label or "")
        names = dict(character.name) if character else {}
        work = dict(character.work) if character else {}
        box = row.x, row.y, row.width, row.height
        face = LibraryFace(box, row.label, names, work, row.confidence, row.status, row.id)
        found.setdefault(row.picture, []).append(face)
    return found
