"""What is in a library: its folders listed and forgotten, its pictures and faces counted."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, select

from kyara.dataset.library.parts import is_within
from kyara.dataset.library.tables import NO_FACE, FaceRow, PictureRow, RootRow
from kyara.errors import NotFoundError


def count_library(engine: Engine) -> dict[str, int]:
    """Count what is in a library; faces are those of pictures that are there."""
    there = PictureRow.missing_since.is_(None)
    with engine.connect() as connection:
        pictures = connection.scalar(select(func.count()).where(there)) or 0
        missing = connection.scalar(select(func.count(PictureRow.id)).where(~there)) or 0
        unreadable = connection.scalar(
            select(func.count(PictureRow.id)).where(there, PictureRow.error.is_not(None))
        )
        query = select(FaceRow.status, func.count()).join(PictureRow, PictureRow.id == FaceRow.picture)
        query = query.where(there, FaceRow.status != NO_FACE)
        rows = connection.execute(query.group_by(FaceRow.status))
        faces = {status: count for status, count in rows}
    statuses = {status: faces.get(status, 0) for status in ("known", "probably", "unknown")}
    counts = {"pictures": pictures, "missing": missing, "unreadable": unreadable or 0}
    return {**counts, "faces": sum(faces.values()), **statuses}


def list_roots(engine: Engine) -> list[str]:
    """Return the folders that were scanned, without those inside others."""
    with engine.connect() as connection:
        return drop_nested(connection.scalars(select(RootRow.path)).all())


def drop_nested(folders: Sequence[str]) -> list[str]:
    """Return folders, sorted, without those inside others; paths as `os.path.realpath` gives them."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not any(is_within(folder, outer) for outer in kept):
            kept.append(folder)
    return kept


def forget_root(engine: Engine, *names: str) -> int:
    """Forget a folder that was scanned, and those that were inside it; return how many pictures.

    Args:
        engine: the library's, held by `scanning.hold_library`.
        names: what the folder may be called; it need not be there.

    Raises:
        NotFoundError: it was not scanned.
    """
    with engine.begin() as connection:
        roots = {path: number for number, path in connection.execute(select(RootRow.id, RootRow.path))}
        folder = next((name for name in names if name in roots), None)
        if folder is None:
            raise NotFoundError(
                f"{ascii(names[0])[:200]} is no folder that was scanned; `kyara library show` tells."
            )
        some = [number for path, number in roots.items() if is_within(path, folder)]
        pictures = select(PictureRow.id).where(PictureRow.root.in_(some))
        connection.execute(delete(FaceRow).where(FaceRow.picture.in_(pictures)))
        forgotten = connection.execute(delete(PictureRow).where(PictureRow.root.in_(some))).rowcount
        connection.execute(delete(RootRow).where(RootRow.id.in_(some)))
    return forgotten
