"""Folders that are asked for → what is walked through, below which root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, insert, select

from kyara.dataset.library.sources import find_source, relate_path
from kyara.dataset.library.tables import PictureRow, RootRow
from kyara.errors import BadInputError
from kyara.storage.paths import show_path

_AFTER_SLASH = chr(ord("/") + 1)


@dataclass(frozen=True)
class Part:
    """What is walked through: a folder below a root, without the roots inside it.

    Attributes:
        root: id of the root.
        folder: path of the root.
        prefix: of the folder below it, with a slash at the end; empty: all of the root.
        passed: folders that are other roots, likewise with a slash.
    """

    root: int
    folder: str
    prefix: str
    passed: frozenset[str] = frozenset()

    def select(self) -> ColumnElement[bool]:
        """Return the condition that a picture's row is of this part."""
        below = PictureRow.root == self.root
        if not self.prefix:
            return below
        return (
            below & (PictureRow.path > self.prefix) & (PictureRow.path < self.prefix[:-1] + _AFTER_SLASH)
        )


def plan_parts(engine: Engine, folder: str) -> list[Part]:
    """Return what is walked through for a folder; one that no root contains becomes a root.

    Every path has one root, the innermost: roots are only nested where the inner one was there first.

    Args:
        engine: the library's.
        folder: as `read_folder_name` gives it.

    Raises:
        BadInputError: it is no folder, cannot be read, or is a link by now.
    """
    try:
        real = find_source(folder).check(folder)
    except OSError as error:
        raise BadInputError(
            f"The folder {show_path(folder)} cannot be read ({error.strerror})."
        ) from error
    if real != folder:
        raise BadInputError(
            f"The folder {show_path(folder)} is a link, to {show_path(real)}; scan that one."
        )
    with engine.begin() as connection:
        roots = {path: number for number, path in connection.execute(select(RootRow.id, RootRow.path))}
        outer = max((path for path in roots if is_within(folder, path)), key=len, default=None)
        if outer is None:
            outer = folder
            roots[folder] = connection.execute(
                insert(RootRow).values(path=folder).returning(RootRow.id)
            ).scalar_one()
    inner = [path for path in roots if path != folder and is_within(path, folder)]
    prefix = "" if folder == outer else relate_path(folder, outer) + "/"
    parts = [(outer, prefix), *((path, "") for path in inner)]
    return [
        Part(roots[path], path, prefix, frozenset(_list_within(path, roots)))
        for path, prefix in sorted(parts)
    ]


def is_within(path: str, folder: str) -> bool:
    """Tell whether a path is that of a folder, or inside it; no link is followed."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def _list_within(folder: str, roots: dict[str, int]) -> Iterator[str]:
    for path in roots:
        if path != folder and is_within(path, folder):
            yield relate_path(path, folder) + "/"
