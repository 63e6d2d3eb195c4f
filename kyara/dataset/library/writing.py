"""Rows of pictures and of their faces, written in a transaction of the caller's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, update

from kyara.dataset.library.tables import FaceRow, PictureRow


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
    if faces:
        connection.execute(insert(FaceRow), [{"picture": picture, **face} for face in faces])
