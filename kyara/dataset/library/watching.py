"""A scan whenever something in the folders changes: of the folders in which it did."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence

from kyara.dataset.library.contents import drop_nested
from kyara.dataset.library.parts import is_within
from kyara.errors import BadInputError, BusyError, NotInstalledError
from kyara.storage.extras import explain_missing
from kyara.vision.picture_files import is_picture_name

_WAKE_MS = 500
"""How long the first scan waits for the watch to begin; later ones come with a change."""


def watch_folders(
    folders: Sequence[str],
    own: Collection[str],
    scan: Callable[[list[str]], None],
    say: Callable[[str], None],
) -> None:
    """Scan folders, and from then on those of their folders in which something changes, without end.

    The watch begins before the first scan: what changes during it is not missed.

    Args:
        folders: paths as `os.path.realpath` gives them; one that is not there is not watched.
        own: files and folders that a scan writes itself.
        scan: called with the folders to scan, none of which is inside another. Where another scan runs
            they are scanned at the next change.
        say: called with a sentence about that.

    Raises:
        BadInputError: no folder is there.
        NotInstalledError: the package that watches is not there.
    """
    try:
        from watchfiles import watch
    except ModuleNotFoundError as error:
        raise NotInstalledError(explain_missing(error) or str(error)) from error
    there = [folder for folder in folders if os.path.isdir(folder)]
    if not there:
        raise BadInputError("There is no folder to watch: name one that is there.")
    waiting, is_due = list(folders), True
    changes = watch(*there, watch_filter=None, rust_timeout=_WAKE_MS, yield_on_timeout=True)
    try:
        for batch in changes:
            changed = [path for _, path in batch if _matters(path, folders, own)]
            if changed or is_due:
                waiting = drop_nested([_find_folder(path, folders) for path in (*waiting, *changed)])
                waiting = _try_scan(waiting, scan, say)
                is_due = False
    except FileNotFoundError as error:  # it went before the watch began
        raise BadInputError(f"A folder to watch is gone ({error}).") from error


def _try_scan(
    folders: list[str], scan: Callable[[list[str]], None], say: Callable[[str], None]
) -> list[str]:
    """Scan folders; return those that still have to be: all, where another scan runs."""
    try:
        scan(folders)
    except BusyError as error:
        say(f"{error} It is tried again at the next change.")
        return folders
    return []


def _matters(path: str, folders: Sequence[str], own: Collection[str]) -> bool:
    """Tell whether a change may be one of pictures; of what is gone nobody knows what it was."""
    if any(is_within(path, one) for one in own):
        return False
    if any("/." in path[len(folder) :] for folder in folders if path.startswith(folder)):
        return False
    return is_picture_name(os.path.basename(path)) or os.path.isdir(path) or not os.path.lexists(path)


def _find_folder(path: str, folders: Sequence[str]) -> str:
    """Return the folder to scan for a path: itself, or the nearest above it that is there.

    What lies in a folder that is a link is not scanned, so the nearest above that is no link.
    """
    if path in folders:
        return path
    above = path if os.path.isdir(path) else os.path.dirname(path)
    while above not in folders and not (os.path.isdir(above) and os.path.realpath(above) == above):
        above = os.path.dirname(above)
    return above
