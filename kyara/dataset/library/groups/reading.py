"""Groups as they are shown: how many faces each has, and which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from sqlalchemy import ColumnElement, Connection, Engine, func, select

from kyara.dataset.library.answering import read_embeddings
from kyara.dataset.library.reading import is_shown
from kyara.dataset.library.tables import (
    NO_FACE,
    OPERATOR,
    FaceRow,
    GroupRow,
    GroupStepRow,
    PictureRow,
)
from kyara.errors import NotFoundError
from kyara.recognition.characters import NOT_A_FACE
from kyara.recognition.gallery import scale_to_unit
from kyara.storage.paging import read_pages

FACES_AT_ONCE = 500
"""Ids in one query."""


class State(StrEnum):
    """What a person has said of a group."""

    OPEN = "open"
    NAMED = "named"
    NOT_A_FACE = "not_a_face"


@dataclass(frozen=True)
class Group:
    """A group that stands for itself.

    Attributes:
        id: its number.
        label: of the character; None: nobody has said; `NOT_A_FACE`: it shows no faces.
        size: how many faces it has.
    """

    id: int
    label: str | None
    size: int

    @property
    def state(self) -> State:
        """What a person has said of it."""
        return tell_state(self.label)


@dataclass(frozen=True)
class Forest:
    """All groups, and which are part of which.

    Attributes:
        rows: id → label and the group that it is part of.
    """

    rows: dict[int, tuple[str | None, int | None]] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: Connection) -> Forest:
        """Read the groups of a library."""
        found = connection.execute(select(GroupRow.id, GroupRow.label, GroupRow.merged_into))
        return cls({row.id: (row.label, row.merged_into) for row in found})

    @property
    def roots(self) -> list[int]:
        """The groups that are part of no other."""
        return sorted(group for group, (_, into) in self.rows.items() if into is None)

    def find_root(self, group: int) -> int:
        """Return the outermost group that a group is part of."""
        while (into := self.rows[group][1]) is not None:
            group = into
        return group

    def label(self, group: int) -> str | None:
        """Return what counts for a group: the label of its root."""
        return self.rows[self.find_root(group)][0]

    def list_parts(self, roots: Sequence[int]) -> dict[int, list[int]]:
        """Return root → itself and all that are part of it."""
        parts: dict[int, list[int]] = {root: [] for root in roots}
        for group in self.rows:
            if (root := self.find_root(group)) in parts:
                parts[root].append(group)
        return parts

    def check_root(self, group: int) -> int:
        """Return the number of a group that stands for itself.

        Raises:
            NotFoundError: there is none of this number.
        """
        if group not in self.rows:
            raise NotFoundError(f"There is no group {group}; `kyara groups show` lists them.")
        if (root := self.find_root(group)) != group:
            raise NotFoundError(f"The group {group} is part of the group {root} now.")
        return group


def tell_state(label: str | None) -> State:
    """Return the state of a group with this label."""
    if label is None:
        return State.OPEN
    return State.NOT_A_FACE if label == NOT_A_FACE else State.NAMED


def is_in_group() -> ColumnElement[bool]:
    """Return the condition that a face counts: its picture is there, and nobody knows it by now.

    Of a group that was named or said to be no face all count; see `FaceRow.status`.
    """
    open_to_all = FaceRow.status.in_(("unknown", "probably", NO_FACE))
    decided = FaceRow.answered_by == OPERATOR
    return is_shown() & (open_to_all | decided)


def list_groups(engine: Engine, state: State = State.OPEN) -> list[Group]:
    """Return the groups in a state that have faces, the largest first."""
    with engine.connect() as connection:
        forest = Forest.read(connection)
        query = select(FaceRow.face_group, func.count()).join(
            PictureRow, PictureRow.id == FaceRow.picture
        )
        query = query.where(FaceRow.face_group.is_not(None), is_in_group()).group_by(FaceRow.face_group)
        counts = {group: count for group, count in connection.execute(query) if group is not None}
    sizes: defaultdict[int, int] = defaultdict(int)
    for group, count in counts.items():
        sizes[forest.find_root(group)] += count
    groups = [Group(root, forest.rows[root][0], size) for root, size in sizes.items()]
    return sorted((one for one in groups if one.state == state), key=lambda one: (-one.size, one.id))


def find_group(engine: Engine, group: int) -> Group:
    """Return a group by its number.

    Raises:
        NotFoundError: there is no such group, or it is part of another.
    """
    with engine.connect() as connection:
        forest = Forest.read(connection)
        root = forest.check_root(group)
        query = select(func.count(FaceRow.id)).join(PictureRow, PictureRow.id == FaceRow.picture)
        size = 0
        for some in _split(forest.list_parts([root])[root]):
            size += connection.scalar(query.where(FaceRow.face_group.in_(some), is_in_group())) or 0
    return Group(root, forest.rows[root][0], size)


def list_faces(engine: Engine, roots: Sequence[int]) -> dict[int, list[int]]:
    """Return root → ids of its faces, those that are most like all of them first."""
    with engine.connect() as connection:
        forest = Forest.read(connection)
    parts = forest.list_parts(roots)
    return {
        root: [face for face, _ in _sort_typical(*_read_embeddings(engine, groups))]
        for root, groups in parts.items()
    }


def find_covers(engine: Engine, roots: Sequence[int]) -> dict[int, int]:
    """Return root → the id of its first face; groups without faces are left out."""
    with engine.connect() as connection:
        forest = Forest.read(connection)
        of_root = {part: root for root, parts in forest.list_parts(roots).items() for part in parts}
        query = select(FaceRow.face_group, func.min(FaceRow.id))
        query = query.join(PictureRow, PictureRow.id == FaceRow.picture)
        query = query.where(FaceRow.face_group.is_not(None), is_in_group())
        rows = connection.execute(query.group_by(FaceRow.face_group)).all()
    covers: dict[int, int] = {}
    for group, face in rows:
        if group in of_root:
            root = of_root[group]
            covers[root] = min(face, covers.get(root, face))
    return covers


def read_means(
    engine: Engine, forest: Forest, roots: Sequence[int], network: str
) -> dict[int, np.ndarray]:
    """Return root → mean of its faces' unit embeddings, `float32 (features,)`.

    Groups without faces of this network are left out.
    """
    of_root = {part: root for root, parts in forest.list_parts(roots).items() for part in parts}
    sums: dict[int, np.ndarray] = {}
    counts: defaultdict[int, int] = defaultdict(int)
    query = select(FaceRow.id, FaceRow.face_group, FaceRow.embedding)
    query = query.join(PictureRow, PictureRow.id == FaceRow.picture)
    query = query.where(FaceRow.face_group.is_not(None), FaceRow.network == network, is_in_group())
    for page in read_pages(engine, query, FaceRow.id, 20 * FACES_AT_ONCE) if of_root else ():
        rows = [row for row in page if row.face_group in of_root]
        if not rows:
            continue
        unit = scale_to_unit(read_embeddings([row.embedding for row in rows]).astype(np.float32))
        for row, vector in zip(rows, unit, strict=True):
            root = of_root[row.face_group]
            sums[root] = sums[root] + vector if root in sums else vector
            counts[root] += 1
    return {root: sums[root] / counts[root] for root in roots if root in sums}


def count_ungrouped(engine: Engine) -> int:
    """Count the unknown faces that have no group: alone, or not grouped yet."""
    query = select(func.count(FaceRow.id)).join(PictureRow, PictureRow.id == FaceRow.picture)
    query = query.where(is_shown(), FaceRow.face_group.is_(None), FaceRow.status == "unknown")
    with engine.connect() as connection:
        return connection.scalar(query) or 0


def read_head(engine: Engine) -> dict[str, str | int | None]:
    """Return the number of the last decision that stands, and what can be undone and redone."""
    with engine.connect() as connection:
        done = _find_step(connection, undone=False)
        undone = _find_step(connection, undone=True)
    return {
        "step": done[0] if done else 0,
        "undo": done[1] if done else None,
        "redo": undone[1] if undone else None,
    }


def _find_step(connection: Connection, *, undone: bool) -> tuple[int, str] | None:
    order = GroupStepRow.id if undone else GroupStepRow.id.desc()
    query = select(GroupStepRow.id, GroupStepRow.action).where(GroupStepRow.undone.is_(undone))
    row = connection.execute(query.order_by(order).limit(1)).first()
    return (row.id, row.action) if row else None


def _read_embeddings(engine: Engine, groups: Sequence[int]) -> tuple[list[int], np.ndarray]:
    """Return the ids of the faces of groups, and their embeddings."""
    query = select(FaceRow.id, FaceRow.embedding).join(PictureRow, PictureRow.id == FaceRow.picture)
    rows = []
    for some in _split(groups):
        with engine.connect() as connection:
            rows += connection.execute(query.where(FaceRow.face_group.in_(some), is_in_group())).all()
    rows.sort(key=lambda row: row.id)
    faces = [row.id for row in rows]
    if len({len(row.embedding) for row in rows}) != 1:  # of several networks, or there are none
        return faces, np.ones((len(faces), 1), np.float32)
    return faces, scale_to_unit(read_embeddings([row.embedding for row in rows]).astype(np.float32))


def _sort_typical(faces: Sequence[int], unit: np.ndarray) -> list[tuple[int, float]]:
    if not len(faces):
        return []
    like = unit @ unit.mean(axis=0)
    return sorted(zip(faces, like.tolist(), strict=True), key=lambda one: (-one[1], one[0]))


def _split(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), FACES_AT_ONCE):
        yield ids[start : start + FACES_AT_ONCE]
