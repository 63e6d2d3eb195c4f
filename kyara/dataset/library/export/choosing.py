"""Which faces of a library go out, and what their characters are called there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from kyara.dataset.library.reading import LibraryFace, LibraryPicture, is_of_work
from kyara.recognition.characters import choose_text, name_after_label

Status = Literal["known", "probably"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""How sure a face has to be, the surest first; those that come before are taken, too."""


@dataclass(frozen=True)
class Choice:
    """Which faces go out: those that have a name, and everything that is asked here.

    Attributes:
        character: label of whom alone to take; None for everybody.
        work: take only characters of a work whose title has this in it, in any language and case.
        min_confidence: least confidence, 0 to 1.
        status: `known`, or `probably` for probable names, too.
    """

    character: str | None = None
    work: str | None = None
    min_confidence: float = 0.0
    status: Status = "known"

    def takes(self, face: LibraryFace) -> bool:
        """Tell whether a face goes out."""
        return (
            face.label is not None
            and face.status in STATUSES[: STATUSES.index(self.status) + 1]
            and face.confidence >= self.min_confidence
            and self.character in (None, face.label)
            and (self.work is None or is_of_work(face.work, self.work))
        )

    def choose(self, pictures: Iterable[LibraryPicture]) -> Iterator[LibraryPicture]:
        """Give the pictures that have such faces, with those alone."""
        for picture in pictures:
            if faces := tuple(face for face in picture.faces if self.takes(face)):
                yield replace(picture, faces=faces)


def name_face(face: LibraryFace, language: str) -> str:
    """Return a face's name, one line: in a language, else in English, in any, or made of its label."""
    name = choose_text(face.names, language) or name_after_label(face.label or "")["en"]
    return re.sub(r"\s+", " ", name).strip()


def name_work(face: LibraryFace, language: str) -> str:
    """Return the title of a face's work in one line, chosen likewise; empty where none is known."""
    return re.sub(r"\s+", " ", choose_text(face.work, language)).strip()


def list_names(picture: LibraryPicture, language: str) -> list[tuple[str, str]]:
    """Return name and work of everybody in a picture, each once, in the order of the faces."""
    return list(
        dict.fromkeys((name_face(face, language), name_work(face, language)) for face in picture.faces)
    )
