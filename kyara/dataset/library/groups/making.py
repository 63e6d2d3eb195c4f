"""A library's unknown faces → groups; new faces join the groups that are there.

What was decided stays: a group that is there keeps its faces, and no two of them are put together. A new
face joins the group without a name that it is like on average; into one that was named, or said to be no
face, nothing is put that nobody has seen. Faces that look like no other have no group, and are looked at
again the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from kyara.dataset.library.answering import read_embeddings
from kyara.dataset.library.groups.linking import group_faces
from kyara.dataset.library.groups.reading import Forest, read_means
from kyara.dataset.library.reading import is_shown
from kyara.dataset.library.tables import FaceRow, GroupRow, PictureRow
from kyara.recognition.gallery import scale_to_unit

MOST_AT_ONCE = 50_000
"""Faces that are grouped together; what is beyond joins their groups, or is grouped after them."""


@dataclass(frozen=True)
class Grouping:
    """What grouping came to.

    Attributes:
        faces: that had no group.
        joined: of them, those that went into groups that were there.
        grouped: of them, those that make new groups.
        groups: that are new.
        alone: of them, those that look like no other.
        other_network: unknown faces that another network has seen; they were left out.
    """

    faces: int = 0
    joined: int = 0
    grouped: int = 0
    groups: int = 0
    alone: int = 0
    other_network: int = 0


def make_groups(
    engine: Engine,
    network: str,
    least: float,
    *,
    method: str = "average",
    probably: bool = False,
    progress: Callable[[int], Any] = lambda done: None,
) -> Grouping:
    """Group the unknown faces of a library that have no group.

    Args:
        engine: the library's.
        network: fingerprint of what made the embeddings; those of others are left out.
        least: average cosine from which faces are put together.
        method: of `linking.METHODS`.
        probably: take the faces that are probably somebody, too.
        progress: called with how many faces were compared since.

    Raises:
        NotInstalledError: the method needs a package that is not there.
    """
    statuses = ["unknown", "probably"] if probably else ["unknown"]
    ids = _list_faces(engine, network, statuses)
    joined = grouped = groups = 0
    for start in range(0, len(ids), MOST_AT_ONCE):
        some = ids[start : start + MOST_AT_ONCE]
        unit = _read_faces(engine, some)
        found = _join(engine, unit, network, least)
        rest = np.flatnonzero(found < 0)
        numbers = group_faces(unit[rest], least, method, progress)
        with engine.begin() as connection:
            new = _add_groups(connection, numbers)
            found[rest] = new[numbers]
            _put(connection, some, found)
        joined += len(some) - len(rest)
        grouped += int((new[numbers] >= 0).sum())
        groups += int((new >= 0).sum())
    others = _list_faces(engine, network, statuses, other=True)
    alone = len(ids) - joined - grouped
    return Grouping(len(ids), joined, grouped, groups, alone, len(others))


def _list_faces(
    engine: Engine, network: str, statuses: Sequence[str], *, other: bool = False
) -> list[int]:
    """Return the ids of the faces without a group, of this network or of others."""
    own = FaceRow.network != network if other else FaceRow.network == network
    query = select(FaceRow.id).join(PictureRow, PictureRow.id == FaceRow.picture)
    query = query.where(is_shown(), own, FaceRow.face_group.is_(None), FaceRow.status.in_(statuses))
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(FaceRow.id)))


def _read_faces(engine: Engine, ids: Sequence[int]) -> np.ndarray:
    """Return the embeddings of faces, `float32 (N, features)` of unit length."""
    parts = [np.zeros((0, 1), np.float32)] if not ids else []
    for start in range(0, len(ids), 500):
        query = select(FaceRow.embedding).where(FaceRow.id.in_(ids[start : start + 500]))
        with engine.connect() as connection:
            rows = connection.scalars(query.order_by(FaceRow.id)).all()
        parts.append(scale_to_unit(read_embeddings(rows).astype(np.float32)))
    return np.concatenate(parts)


def _join(engine: Engine, unit: np.ndarray, network: str, least: float) -> np.ndarray:
    """Return the group without a name that each face is like, -1 for none: `int64 (N,)`."""
    with engine.connect() as connection:
        forest = Forest.read(connection)
    roots = [root for root in forest.roots if forest.label(root) is None]
    means = read_means(engine, forest, roots, network)
    found = np.full(len(unit), -1, np.int64)
    if not means or not len(unit):
        return found
    groups = np.array(list(means), np.int64)
    cosines = unit @ np.stack(list(means.values())).T
    best = cosines.argmax(axis=1)
    like = cosines[np.arange(len(unit)), best] >= least
    found[like] = groups[best[like]]
    return found


def _add_groups(connection: Connection, numbers: np.ndarray) -> np.ndarray:
    """Make a group for each number that several faces have; return its id by number, -1 for none."""
    sizes = np.bincount(numbers) if len(numbers) else np.zeros(0, np.int64)
    new = np.full(len(sizes), -1, np.int64)
    several = np.flatnonzero(sizes > 1)
    if len(several):
        rows: list[dict[str, Any]] = [{"label": None}] * len(several)
        query = insert(GroupRow).returning(GroupRow.id, sort_by_parameter_order=True)
        new[several] = connection.scalars(query, rows).all()
    return new


def _put(connection: Connection, faces: Sequence[int], groups: np.ndarray) -> None:
    """Write the groups of faces that have one."""
    rows = [
        {"face": face, "its": group}
        for face, group in zip(faces, groups.tolist(), strict=True)
        if group >= 0
    ]
    if rows:
        connection.execute(
            update(FaceRow).where(FaceRow.id == bindparam("face")).values(face_group=bindparam("its")),
            rows,
            execution_options={"synchronize_session": False},
        )
