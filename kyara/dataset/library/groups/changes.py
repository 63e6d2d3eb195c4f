"""What a decision does to groups: how each stands before it, and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from kyara.dataset.library.groups.effects import clear_answers, describe_word, move_faces
from kyara.dataset.library.groups.reading import Forest
from kyara.dataset.library.reading import is_shown
from kyara.dataset.library.tables import FaceRow, GroupRow, PictureRow
from kyara.errors import BadInputError, ConflictError, NotFoundError
from kyara.recognition.characters import Character

MOST_CHOSEN = 1_000
"""Faces or groups of one decision."""
_SAID = "label", "status", "answered_by"
"""Of a face's row, what tells what was said of it."""
Placing = dict[str, Any]
"""How a group stands: `label` and `merged_into`."""


@dataclass
class Change:
    """What a decision does.

    Attributes:
        placings: group → how it stands before and after.
        taught_anew: groups whose faces are others now, though their names are not.
        character: who was named.
    """

    placings: dict[int, tuple[Placing, Placing]] = field(default_factory=dict)
    taught_anew: set[int] = field(default_factory=set)
    character: Character | None = None


def relabel(
    forest: Forest, groups: Sequence[int], label: str, character: Character | None = None
) -> Change:
    """Give groups a label; see `GroupJournal.name`."""
    change = Change(character=character)
    for group in groups:
        forest.check_root(group)
        before = _place(forest, group)
        if before["label"] != label:
            change.placings[group] = before, {**before, "label": label}
    if not change.placings:
        raise ConflictError("That is said of it already; nothing was changed.")
    return change


def merge(forest: Forest, group: int, others: Sequence[int]) -> Change:
    """Put groups together; see `GroupJournal.merge`."""
    roots = [forest.check_root(one) for one in dict.fromkeys([group, *others])]
    if not 2 <= len(roots) <= MOST_CHOSEN:
        raise BadInputError(f"Choose 2 to {MOST_CHOSEN} groups to put together; received {len(roots)}.")
    labels = sorted({label for root in roots if (label := forest.rows[root][0]) is not None})
    if len(labels) > 1:
        raise ConflictError(
            f"They have different names ({', '.join(labels)}): give one of them the other's name first."
        )
    change = Change()
    before = _place(forest, group)
    if labels and before["label"] is None:
        change.placings[group] = before, {**before, "label": labels[0]}
    for root in roots[1:]:
        was = _place(forest, root)
        change.placings[root] = was, {**was, "merged_into": group}
    return change


def split(connection: Connection, forest: Forest, group: int, faces: Sequence[int]) -> Change:
    """Take faces out, into new groups; see `GroupJournal.split`.

    Of each part of the group its faces go into one of their own, so that undoing puts them back there.
    """
    forest.check_root(group)
    parts = forest.list_parts([group])[group]
    if not 1 <= len(faces) <= MOST_CHOSEN:
        raise BadInputError(f"Choose 1 to {MOST_CHOSEN} faces to take out; received {len(faces)}.")
    query = select(FaceRow.id, FaceRow.face_group).where(
        FaceRow.id.in_(faces), FaceRow.face_group.in_(parts)
    )
    found = connection.execute(query.order_by(FaceRow.id)).all()
    if missing := set(faces) - {row.id for row in found}:
        raise NotFoundError(f"The group {group} has no face {min(missing)}.")
    left = select(FaceRow.id).where(FaceRow.face_group.in_(parts), FaceRow.id.not_in(faces)).limit(1)
    if connection.scalar(left) is None:
        raise BadInputError("All faces of the group are chosen; leave some in it.")
    return _take_out(connection, forest, found, None)


def say_faces(
    connection: Connection,
    forest: Forest,
    faces: Sequence[int],
    label: str,
    character: Character | None = None,
) -> Change:
    """Say who faces show, whatever was said of them before; see `GroupJournal.say`.

    They go into groups of their own, which have the label: as after a split, undoing puts those that had
    a group back into it. Faces of which a person has said that already stay where they are.
    """
    if not 1 <= len(faces) <= MOST_CHOSEN:
        raise BadInputError(f"Choose 1 to {MOST_CHOSEN} faces; received {len(faces)}.")
    columns = FaceRow.id, FaceRow.face_group, FaceRow.label, FaceRow.status, FaceRow.answered_by
    query = select(*columns).join(PictureRow, PictureRow.id == FaceRow.picture)
    query = query.where(FaceRow.id.in_(faces), is_shown())
    found = connection.execute(query.order_by(FaceRow.id)).all()
    if missing := set(faces) - {row.id for row in found}:
        raise NotFoundError(f"There is no face {min(missing)} any more; look for it again.")
    word = describe_word(label)
    found = [row for row in found if any(getattr(row, name) != word[name] for name in _SAID)]
    if not found:
        raise ConflictError("That is said of them already; nothing was changed.")
    change = _take_out(connection, forest, found, label)
    clear_answers(connection, list(change.placings))
    change.character = character
    return change


def _take_out(connection: Connection, forest: Forest, found: Sequence[Any], label: str | None) -> Change:
    """Put faces into new groups, one for those of each group that they had; the first gets a label."""
    of_part: dict[int | None, list[int]] = {}
    for row in found:
        of_part.setdefault(row.face_group, []).append(row.id)
    change, first = Change(), None
    for part, some in of_part.items():
        row = insert(GroupRow).values(label=None, merged_into=part).returning(GroupRow.id)
        new = connection.execute(row).scalar_one()
        move_faces(connection, some, new)
        after = _make_placing(None if first else label, first)
        change.placings[new] = _make_placing(None, part), after
        first = first or new
        if part is not None and forest.label(part) is not None:
            change.taught_anew.add(part)
        forest.rows[new] = None, part
    return change


def _place(forest: Forest, group: int) -> Placing:
    return _make_placing(*forest.rows[group])


def _make_placing(label: str | None, merged_into: int | None) -> Placing:
    return {"label": label, "merged_into": merged_into}
