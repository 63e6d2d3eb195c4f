"""What a decision is made of, and what may be in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from anyascii import anyascii

from kyara.errors import BadInputError, ConflictError
from kyara.recognition.characters import MAX_LABEL_CHARACTERS
from kyara.vision.images import SUFFIXES

NOT_A_FACE = "not_a_face"
"""The decision that a crop shows no face; its file goes to a folder of this name beside `faces/`."""
MAX_FACES = 1000
"""Most faces of one decision."""
MAX_FOLDER_BYTES = 200
_RESERVED = {NOT_A_FACE, "not_listed"}
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class FaceState:
    """What the journal says of one face now.

    Attributes:
        face: its id.
        label: of the character, `NOT_A_FACE`, or None while it has no label.
        version: the id of the last action that touched it; empty where none has.
        operator: who made that action; empty where none was made.
        at: when, UTC; None where none was made.
    """

    face: str
    label: str | None = None
    version: str = ""
    operator: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Action:
    """One thing that an operator did: a decision about some faces, or an undo of one.

    Attributes:
        id: chosen by whoever acts; doing it again changes nothing.
        operator: who did it.
        at: when, UTC.
        undoes: id of the action that it takes back, or None.
        undone_by: who took it back, or None while it stands.
        faces: ids of the faces.
        label: that they were given; None where the label was taken away. Of an undo: None.
    """

    id: str
    operator: str
    at: datetime
    undoes: str | None
    undone_by: str | None
    faces: tuple[str, ...]
    label: str | None


class LabelConflictError(ConflictError):
    """Somebody else labelled one of the faces meanwhile; nothing was changed.

    Attributes:
        faces: how the faces that differ are now.
    """

    def __init__(self, message: str, faces: Collection[FaceState] = ()) -> None:
        """Take the sentence and the faces as they are now."""
        super().__init__(message)
        self.faces = tuple(faces)


def check_action_id(action: str) -> str:
    """Return the id of an action unchanged.

    Raises:
        BadInputError: not 8 to 64 of `A-Z a-z 0-9 _ -`.
    """
    if not _ID.fullmatch(action):
        raise BadInputError(
            f"An action's id has 8 to 64 of A-Z a-z 0-9 _ -; received {ascii(action)[:80]}."
        )
    return action


def check_faces(faces: Mapping[str, str | None]) -> None:
    """Refuse too many faces, none, and ids that are no file's.

    Raises:
        BadInputError: for one of these.
    """
    if not 1 <= len(faces) <= MAX_FACES:
        raise BadInputError(f"A decision is about 1 to {MAX_FACES} faces; received {len(faces)}.")
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
