"""Folders → picture files, in the order in which a database sorts the bytes of their paths.

Hidden files and folders are passed over, and so are folders that are links: no path leads twice to the
same folder, and none in a circle.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from kyara.dataset.library.sources import Entry, find_source, join_path
from kyara.vision.picture_files import is_picture_name

_GONE = frozenset({errno.ENOENT, errno.ELOOP})
"""Of a link to nothing, or to itself, and of a file that has just gone."""


@dataclass(frozen=True)
class FoundFile:
    """A picture file.

    Attributes:
        path: relative to the root.
        size: in bytes.
        mtime_ns: when its content changed last.
    """

    path: str
    size: int
    mtime_ns: int


def walk_files(
    root: str, prefix: str, passed: Collection[str], tell: Callable[[str, OSError], None]
) -> Iterator[FoundFile]:
    """Give every picture file below a folder, sorted by the bytes of its path.

    Args:
        root: the folder or bucket that paths are relative to.
        prefix: only below this folder: its path with a slash at the end, or nothing.
        passed: paths of folders that are left out, likewise with a slash.
        tell: called with the path of what cannot be read: a folder as `passed` has it, or a file.
    """
    try:
        entries = find_source(root).list(join_path(root, prefix))
        there = sorted(map(_sort_entry, entries), key=lambda one: one[0])
    except OSError as error:
        if prefix and isinstance(error, FileNotFoundError):
            return  # it is gone, and what was in it is missing; of a root the disk may be gone
        tell(prefix, error)
        return
    for key, entry in there:
        path = prefix + entry.name
        if entry.name.startswith("."):
            continue
        if key.endswith(b"/"):
            if f"{path}/" not in passed:
                yield from walk_files(root, f"{path}/", passed, tell)
        elif is_picture_name(entry.name):
            try:
                found = entry.look()
            except OSError as error:
                if error.errno not in _GONE:
                    tell(path, error)
                continue
            if found is not None:
                yield FoundFile(path, found.size, found.mtime_ns)


def _sort_entry(entry: Entry) -> tuple[bytes, Entry]:
    """Return an entry behind its key: of a folder with the slash that follows it in paths."""
    slash = b"/" if entry.is_folder else b""
    return os.fsencode(entry.name) + slash, entry
