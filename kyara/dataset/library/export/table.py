"""CSV: a row for each face, for spreadsheets; a name that looks like a formula is not one there."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

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
    text = io.StringIO(newline="")
    write_rows(text, [COLUMNS, *_list_rows(pictures, target)])
    yield NewFile(out, text.getvalue().encode())


def _list_rows(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[tuple[object, ...]]:
    for picture in pictures:
        shared = target.name_picture(picture), picture.sha256, picture.width, picture.height
        for face in picture.faces:
            names = name_face(face, target.language), name_work(face, target.language)
            yield *shared, *face.box, face.label, *names, face.confidence, face.status
