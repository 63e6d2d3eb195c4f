"""What is read from and added to the journal, inside a transaction that the caller commits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from kyara.dataset.review.labelling.rules import Action, FaceState

_STATE = """SELECT decisions.face, decisions.after AS label, actions.id AS version,
    actions.operator, actions.at, decisions.stands, MAX(decisions.number) AS number
    FROM decisions JOIN actions ON actions.number = decisions.action"""
_ACTION = """SELECT actions.*, taken.id AS undoes_id, undo.operator AS undone_by FROM actions
    LEFT JOIN actions AS undo ON undo.undoes = actions.number
    LEFT JOIN actions AS taken ON taken.number = actions.undoes"""


def find_last(connection: sqlite3.Connection, face: str) -> sqlite3.Row | None:
    """Return the last decision about a face, or None."""
    return connection.execute(f"{_STATE} WHERE face = ? GROUP BY face", (face,)).fetchone()


def read_states(connection: sqlite3.Connection) -> dict[str, FaceState]:
    """Return what the journal says of every face that was ever decided on, by id."""
    return {row["face"]: to_state(row) for row in connection.execute(f"{_STATE} GROUP BY face")}


def to_state(row: sqlite3.Row) -> FaceState:
    """Return what other rooms see of a face."""
    at = datetime.fromisoformat(row["at"])
    return FaceState(row["face"], row["label"], row["version"], row["operator"], at)


def list_labels(connection: sqlite3.Connection, face: str) -> set[str]:
    """Return every label that a face ever had: where its file may be."""
    rows = connection.execute("SELECT before, after FROM decisions WHERE face = ?", (face,))
    return {label for row in rows for label in row if label is not None}


def find_action(connection: sqlite3.Connection, action: str) -> sqlite3.Row | None:
    """Return an action, with `undoes_id` and `undone_by`, or None."""
    return connection.execute(f"{_ACTION} WHERE actions.id = ?", (action,)).fetchone()


def list_decisions(connection: sqlite3.Connection, number: int) -> list[sqlite3.Row]:
    """Return the decisions of an action, in the order in which they were made."""
    query = "SELECT * FROM decisions WHERE action = ? ORDER BY number"
    return connection.execute(query, (number,)).fetchall()


def list_actions(
    connection: sqlite3.Connection, operator: str | None, most: int, *, standing: bool
) -> list[Action]:
    """Return actions, newest first.

    Args:
        connection: to the journal.
        operator: only this one's.
        most: at most so many.
        standing: only decisions that nobody took back.
    """
    conditions, values = ["1"], []
    if operator is not None:
        conditions.append("actions.operator = ?")
        values.append(operator)
    if standing:
        conditions.append("actions.undoes IS NULL AND undo.id IS NULL")
    query = f"{_ACTION} WHERE {' AND '.join(conditions)} ORDER BY actions.number DESC LIMIT ?"
    found = connection.execute(query, (*values, most)).fetchall()
    return [to_action(connection, row) for row in found]


def to_action(connection: sqlite3.Connection, row: sqlite3.Row) -> Action:
    """Return what other rooms see of an action."""
    decisions = list_decisions(connection, row["number"])
    return Action(
        id=row["id"],
        operator=row["operator"],
        at=datetime.fromisoformat(row["at"]),
        undoes=row["undoes_id"],
        undone_by=row["undone_by"],
        faces=tuple(decision["face"] for decision in decisions),
        label=None if row["undoes"] else decisions[0]["after"],
    )


def add_action(
    connection: sqlite3.Connection, action: str, operator: str, request: str, undoes: int | None
) -> int:
    """Add an action without decisions, and return its number."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    added = connection.execute(
        "INSERT INTO actions (id, operator, at, undoes, request) VALUES (?, ?, ?, ?, ?)",
        (action, operator, now, undoes, request),
    )
    assert added.lastrowid is not None
    return added.lastrowid


def add_decision(connection: sqlite3.Connection, number: int, face: str, label: str | None) -> None:
    """Give a face a label, as part of an action."""
    last = find_last(connection, face)
    before, prior = (last["label"], last["stands"]) if last else (None, None)
    added = connection.execute(
        "INSERT INTO decisions (action, face, before, after, prior) VALUES (?, ?, ?, ?, ?)",
        (number, face, before, label, prior),
    )
    query = "UPDATE decisions SET stands = number WHERE number = ?"
    connection.execute(query, (added.lastrowid,))


def add_reversal(connection: sqlite3.Connection, number: int, taken: sqlite3.Row) -> None:
    """Take a decision back, as part of an undo."""
    connection.execute(
        "INSERT INTO decisions (action, face, before, after, prior, stands) VALUES (?, ?, ?, ?, ?, ?)",
        (number, taken["face"], taken["after"], taken["before"], taken["number"], taken["prior"]),
    )


def add_character(
    connection: sqlite3.Connection,
    label: str,
    name: Mapping[str, str],
    work: Mapping[str, str],
    operator: str,
) -> bool:
    """Note the name of a new character; False where the label has one already."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    texts = (json.dumps(texts, ensure_ascii=False) for texts in (name, work))
    query = "INSERT OR IGNORE INTO characters (label, name, work, operator, at) VALUES (?, ?, ?, ?, ?)"
    return connection.execute(query, (label, *texts, operator, now)).rowcount == 1


def list_characters(
    connection: sqlite3.Connection,
) -> Iterable[tuple[str, dict[str, str], dict[str, str]]]:
    """Yield label, names and works of the characters that operators made."""
    for row in connection.execute("SELECT label, name, work FROM characters ORDER BY label"):
        yield row["label"], json.loads(row["name"]), json.loads(row["work"])
