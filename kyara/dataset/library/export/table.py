"""CSV: a row for each face, for spreadsheets; a name that looks like a formula is not one there."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence

from kyara.dataset.library.export.choosing import name_face, name_work
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import NewFile
from kyara.dataset.library.reading import LibraryPicture
from kyara.storage.cells import write_rows

COLUMNS = (
    *("picture", "sha256", "picture_width", "picture_height"),
    *("x", "y", "width", "height", "label", "name", "work", "confidence", "status"),
)


def make_table(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give the one file, in UTF-8.

    Raises:
        BadInputError: no file is asked for.
    """
    out = target.need_out("file")
    yield NewFile(out, write_table(pictures, target.name_picture, target.language).encode())


def write_table(
    pictures: Iterable[LibraryPicture], name_picture: Callable[[LibraryPicture], str], language: str
) -> str:
    """Return CSV: a row for each face, and one for a picture that has none.

    Args:
        pictures: with the faces to tell.
        name_picture: what the table calls a picture.
        language: of names and works.
    """
    text = io.StringIO(newline="")
    write_rows(text, [COLUMNS, *_list_rows(pictures, name_picture, language)])
    return text.getvalue()


def _list_rows(
    pictures: Iterable[LibraryPicture], name_picture: Callable[[LibraryPicture], str], language: str
) -> Iterator[tuple[object, ...]]:
    for picture in pictures:
        shared = name_picture(picture), picture.sha256, picture.width, picture.height
        for face in picture.faces:
            names = name_face(face, language), name_work(face, language)
            yield *shared, *face.box, face.label, *names, face.confidence, face.status
        if not picture.faces:
            yield *shared, *[None] * (len(COLUMNS) - len(shared))
