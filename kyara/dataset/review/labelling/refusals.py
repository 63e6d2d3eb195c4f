"""What a decision or an undo is refused for, so that two operators never overwrite each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from kyara.dataset.review.labelling import rows
from kyara.dataset.review.labelling.rules import FaceState, LabelConflictError
from kyara.errors import ConflictError, NotFoundError


def check_seen(connection: sqlite3.Connection, seen: Mapping[str, str | None]) -> None:
    """Refuse a decision about faces that are not as the operator saw them.

    Args:
        connection: to the journal.
        seen: face → version; None for one that must have no label.

    Raises:
        LabelConflictError: some differ.
    """
    changed = []
    for face, version in seen.items():
        last = rows.find_last(connection, face)
        state = rows.to_state(last) if last else FaceState(face)
        if (state.label is not None) if version is None else (state.version != version):
            changed.append(state)
    if changed:
        first = changed[0]
        who = f"{first.operator or 'nobody'} made it {first.label or 'a face without a label'}"
        raise LabelConflictError(
            f"{len(changed)} of {len(seen)} faces changed meanwhile ({first.face}: {who}). "
            "Nothing was changed.",
            changed,
        )


def check_undo(connection: sqlite3.Connection, undoes: str, operator: str) -> sqlite3.Row:
    """Return the action that an operator may take back.

    Raises:
        ConflictError: it is another's, is undone already, or is itself an undo.
        LabelConflictError: a face was labelled anew after it.
        NotFoundError: there is none of this id.
    """
    taken = rows.find_action(connection, undoes)
    if taken is None:
        raise NotFoundError(f"There is no action {ascii(undoes)[:80]}.")
    if taken["operator"] != operator:
        raise ConflictError(f"That was {taken['operator']}'s decision; only they can undo it.")
    if taken["undoes"] is not None:
        raise ConflictError("An undo cannot be undone; label the faces again.")
    if taken["undone_by"] is not None:
        raise ConflictError("That is undone already.")
    changed = [
        rows.to_state(last)
        for decision in rows.list_decisions(connection, taken["number"])
        if (last := rows.find_last(connection, decision["face"]))
        and last["stands"] != decision["number"]
    ]
    if changed:
        raise LabelConflictError(
            f"{changed[0].face} was labelled anew by {changed[0].operator}. Nothing was undone.",
            changed,
        )
    return taken
