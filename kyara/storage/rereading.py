"""Files that many requests ask for: each is read once, and again when it has changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_State = tuple[int, int, int]
"""Of a file: when it was changed, its size, and its number; a file with another one is read again."""


def read_once(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """Make a function of a file's path keep what it returns until the file changes.

    What is kept of each path is the last result, so it must not be changed. What the function raises is
    not kept. Safe for many threads: two may read the same file at a time.

    Args:
        read: reads a file.

    Returns:
        The function that reads it only if it has changed; it raises an OSError if there is no such file.
    """
    kept: dict[Path, tuple[_State, T]] = {}

    @wraps(read)
    def look(path: Path) -> T:
        about = path.stat()  # before: what is written meanwhile is read the next time
        state = about.st_mtime_ns, about.st_size, about.st_ino
        known = kept.get(path)
        if known is None or known[0] != state:
            known = kept[path] = state, read(path)
        return known[1]

    return look
