"""Rows of pictures and of their faces, written in a transaction of the caller's.

What a person said of a face stays where its picture is looked at again, by another network or detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from kyara.dataset.library.tables import OPERATOR, FaceRow, PictureRow
from kyara.vision.boxes import Box, measure_overlap

SAME_FACE = 0.5
"""Intersection over union from which two boxes in one picture are of the same face."""
_BOX = ("x", "y", "width", "height")
_WORD = ("label", "confidence", "status", "answered_by")


def change_picture(connection: Connection, picture: int, **values: Any) -> None:
    """Change columns of a picture's row."""
    connection.execute(update(PictureRow).where(PictureRow.id == picture).values(values))


def put_picture(
    connection: Connection, root: int, path: str, values: dict[str, Any], number: int | None
) -> int:
    """Write the row of a picture, that of the id `number` or else a new one; return its id."""
    if number is not None:
        change_picture(connection, number, **values)
        return number
    row = insert(PictureRow).values(root=root, path=path, **values).returning(PictureRow.id)
    return connection.execute(row).scalar_one()


def put_faces(connection: Connection, picture: int, faces: list[dict[str, Any]]) -> None:
    """Write the faces of a picture in the place of those that it has."""
    connection.execute(delete(FaceRow).where(FaceRow.picture == picture))
    own = {"picture": picture, "face_group": None}
    if faces:
        connection.execute(insert(FaceRow), [own | face for face in faces])


def read_decided(connection: Connection, picture: int, sha256: str) -> list[dict[str, Any]]:
    """Return the faces of a picture that are in groups, if its content is still this one."""
    names = (*_BOX, *_WORD, "face_group")
    columns = [getattr(FaceRow, name) for name in names]
    query = select(*columns).join(PictureRow, PictureRow.id == FaceRow.picture)
    query = query.where(PictureRow.id == picture, PictureRow.sha256 == sha256)
    query = query.where(FaceRow.face_group.is_not(None)).order_by(FaceRow.id)
    return [dict(row._mapping) for row in connection.execute(query)] if sha256 else []


def keep_decided(faces: Sequence[dict[str, Any]], decided: Sequence[dict[str, Any]]) -> None:
    """Give the faces of a picture that was looked at again the groups that they had, and their names."""
    free = list(faces)
    for old in decided:
        overlaps = [measure_overlap(_make_box(old), _make_box(face)) for face in free]
        if max(overlaps, default=0.0) < SAME_FACE:
            continue
        face = free.pop(overlaps.index(max(overlaps)))
        face["face_group"] = old["face_group"]
        if old["answered_by"] == OPERATOR:
            face |= {name: old[name] for name in _WORD}


def _make_box(face: dict[str, Any]) -> Box:
    return Box(*(face[name] for name in _BOX))
