"""A decision → the rows of its faces: who they are by a person's word, or by no word any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from kyara.dataset.library.tables import NO_FACE, OPERATOR, CharacterRow, FaceRow
from kyara.recognition.characters import NOT_A_FACE, Character

_TO_BE_ANSWERED = {"label": None, "confidence": 0.0, "status": "unknown", "answered_by": ""}


def describe_word(label: str | None) -> dict[str, Any]:
    """Return what a face's row says once a person has given it a label; None: the model is to say."""
    if label is None:
        return _TO_BE_ANSWERED
    if label == NOT_A_FACE:
        return {"label": None, "confidence": 0.0, "status": NO_FACE, "answered_by": OPERATOR}
    return {"label": label, "confidence": 1.0, "status": "known", "answered_by": OPERATOR}


def label_faces(connection: Connection, groups: Collection[int], label: str | None) -> None:
    """Give the faces of groups what `describe_word` says; what a model knows by now stays."""
    decided = FaceRow.answered_by == OPERATOR
    meant = decided if label is None else decided | (FaceRow.status != "known")
    query = update(FaceRow).where(FaceRow.face_group.in_(groups), meant).values(describe_word(label))
    connection.execute(query, execution_options={"synchronize_session": False})


def clear_answers(connection: Connection, groups: Collection[int]) -> None:
    """Forget who the faces of groups are, so that what a person says of them counts for all."""
    query = update(FaceRow).where(FaceRow.face_group.in_(groups)).values(_TO_BE_ANSWERED)
    connection.execute(query, execution_options={"synchronize_session": False})


def note_character(connection: Connection, character: Character) -> None:
    """Write down what people read for a character that was named."""
    connection.execute(delete(CharacterRow).where(CharacterRow.label == character.label))
    texts = {"name": dict(character.name), "work": dict(character.work)}
    connection.execute(insert(CharacterRow).values(label=character.label, **texts))


def move_faces(connection: Connection, faces: Sequence[int], group: int) -> None:
    """Put faces into a group."""
    query = update(FaceRow).where(FaceRow.id.in_(faces)).values(face_group=group)
    connection.execute(query, execution_options={"synchronize_session": False})
