"""What a decision is made of, and what may be in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from anyascii import anyascii

from kyara.errors import BadInputError
from kyara.recognition.characters import MAX_LABEL_CHARACTERS, NOT_A_FACE, NOT_LISTED
from kyara.vision.picture_files import SUFFIXES

MAX_FOLDER_BYTES = 200
_RESERVED = {NOT_A_FACE, NOT_LISTED}


def check_faces(faces: Iterable[str]) -> None:
    """Refuse ids that are no file's.

    Raises:
        BadInputError: for one of these.
    """
    for face in faces:
        if "/" in face or "\0" in face or face.startswith(".") or not 1 <= len(face) <= 200:
            raise BadInputError(f"{ascii(face)[:80]} is not the id of a face.")


def check_decision(label: str | None) -> str | None:
    """Return the label that faces are to be given, unchanged; None and `NOT_A_FACE` are fine.

    A model's labels may be written in any script; those of new characters are plainer, see
    `kyara.recognition.characters.check_label`.

    Raises:
        BadInputError: it is no label, or could not be a folder below `faces/`.
    """
    if label is None or label == NOT_A_FACE:
        return label
    parts = label.split("/")
    if (
        len(parts) > 2
        or len(label) > MAX_LABEL_CHARACTERS
        or label in _RESERVED
        or unicodedata.normalize("NFC", label) != label
        or not all(map(_may_be_folder, parts))
    ):
        raise BadInputError(f"{ascii(label)[:120]} cannot be a character's label; choose another.")
    return label


def _may_be_folder(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return (
        1 <= len(name.encode()) <= MAX_FOLDER_BYTES
        and name.isprintable()
        and name == name.strip()
        and not name.startswith(".")
        and "\\" not in name
        and suffix not in SUFFIXES | {".csv"}
    )


def make_label(name: str) -> str:
    """Make a label of what people read: `Charles Montgomery Burns` → `charles_montgomery_burns`.

    Raises:
        BadInputError: nothing is left of the name in ASCII letters.
    """
    words = re.findall(r"[a-z0-9]+", anyascii(name).lower())
    label = "_".join(words)[:MAX_LABEL_CHARACTERS].strip("_")
    if not label:
        raise BadInputError(f"No label can be made of the name {ascii(name)[:60]}: give one as well.")
    return label


def name_file(face: str) -> str:
    """Return the file name of a face: its id, with `.png` where the id names no kind of picture."""
    return face if PurePosixPath(face).suffix.lower() in SUFFIXES else f"{face}.png"


def name_face(file: str) -> str:
    """Return the id of a face from its file name."""
    return file.removesuffix(".png")
