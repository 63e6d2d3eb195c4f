"""What a person looks for → one page of the pictures that fit, and which of their faces are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from kyara.dataset.library.reading import (
    Library,
    LibraryFace,
    LibraryPicture,
    is_of_work,
    select_best,
    select_pictures,
)
from kyara.dataset.library.searching import NearFace
from kyara.dataset.library.tables import PictureRow, RootRow

_Labels = frozenset[str] | None
"""Of whom one is in the picture; None: anybody who has a name."""


@dataclass(frozen=True)
class Wanted:
    """Who is looked for; all of it has to be true of a picture.

    Attributes:
        characters: labels; all of them are in the picture.
        work: a part of a title, in any language and case; somebody of it is in the picture.
        min_confidence: 0 to 1, of each who is asked for; with nobody asked for, of anybody with a name.
    """

    characters: tuple[str, ...] = ()
    work: str = ""
    min_confidence: float = 0.0


@dataclass(frozen=True)
class Hit:
    """A picture that fits.

    Attributes:
        picture: with all its faces.
        meant: ids of the faces that are asked for; of all where nothing is.
        measure: how sure it is, 0 to 1: the confidence of the least sure of those who are asked for; of
            a face that is sought the cosine; None where nothing is asked.
    """

    picture: LibraryPicture
    meant: frozenset[int]
    measure: float | None


def find_page(library: Library, wanted: Wanted, start: int, count: int) -> tuple[list[Hit], int]:
    """Return some of the pictures that fit, and how many there are; the database does the paging.

    Args:
        library: where to look.
        wanted: what is asked; the surest picture comes first. With nothing asked all pictures come, in
            the order of their paths.
        start: how many to pass over.
        count: at most so many.
    """
    characters = library.read_characters()
    asked: list[_Labels] = [frozenset({label}) for label in dict.fromkeys(wanted.characters)]
    if wanted.work:
        some = characters.values()
        asked.append(frozenset(one.label for one in some if is_of_work(one.work, wanted.work)))
    if not asked and wanted.min_confidence > 0:
        asked.append(None)
    query = select_pictures()
    keys: list[ColumnElement[Any]] = [RootRow.path.expression, PictureRow.path.expression]
    confidences = []
    for labels in asked:
        best = select_best(labels, wanted.min_confidence)
        query = query.join(best, best.c.picture == PictureRow.id)
        confidences.append(best.c.confidence)
    if confidences:
        least = reduce(lambda one, other: case((one < other, one), else_=other), confidences)
        query = query.add_columns(least.label("least"))
        keys.insert(0, least.desc())
    with library.engine.connect() as connection:
        total = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = connection.execute(query.order_by(*keys).offset(start).limit(count)).all()
    pictures = library.add_faces(rows, characters)
    hits = [
        Hit(picture, _find_meant(picture.faces, asked, wanted), row.least if asked else None)
        for row, picture in zip(rows, pictures, strict=True)
    ]
    return hits, total


def show_near(library: Library, near: Sequence[NearFace]) -> list[Hit]:
    """Return the pictures of faces that are nearest to one that is sought, in their order."""
    pictures = library.read_named([one.picture for one in near])
    return [
        Hit(pictures[one.picture], frozenset({one.face}), one.cosine)
        for one in near
        if one.picture in pictures
    ]


def _find_meant(
    faces: Sequence[LibraryFace], asked: Sequence[_Labels], wanted: Wanted
) -> frozenset[int]:
    if not asked:
        return frozenset(face.id for face in faces)
    return frozenset(
        face.id
        for face in faces
        if face.label is not None
        and face.confidence >= wanted.min_confidence
        and any(labels is None or face.label in labels for labels in asked)
    )
