"""What commands about a library share: which one, and how its pictures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kyara.errors import NotFoundError
from kyara.recognition.characters import choose_text

if TYPE_CHECKING:
    from kyara.dataset.library.reading import Library, LibraryPicture

LIBRARY_FILE = "kyara-library.db"
"""The library by default, in the current folder."""

library_option: Any = click.option(
    "--library",
    "place",
    default=LIBRARY_FILE,
    envvar="KYARA_LIBRARY",
    metavar="FILE|URL",
    help="The library: an SQLite file, or the URL of a PostgreSQL database.",
)


def find_label(library: Library, text: str) -> str:
    """Return the label of whom a text names.

    Raises:
        NotFoundError: it is nobody's name in the library, or several's.
    """
    from kyara.recognition.name_search import KnownNames

    label = KnownNames.of(library.read_characters().values()).resolve(text)
    if label is None:
        raise NotFoundError(
            f"Nobody in this library is called {ascii(text)[:120]}, or several are; "
            "`kyara library show` lists who is in it."
        )
    return label


def say_faces(picture: LibraryPicture, language: str) -> str:
    """Return who is in a picture, in a few words."""
    named = [
        (choose_text(face.names, language) or face.label or "unnamed")
        + ("?" if face.status == "probably" else "")
        for face in picture.faces
        if face.label is not None
    ]
    if unknown := len(picture.faces) - len(named):
        named.append(f"{unknown} unknown")
    return ", ".join(named)
