"""Where a face's file belongs, and getting it there."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable
from pathlib import Path

from kyara.dataset.folder import FACES_FOLDER, INBOX_FOLDER, remove_empty_folders
from kyara.dataset.review.labelling.rules import name_file
from kyara.recognition.characters import NOT_A_FACE
from kyara.storage.atomic import move_file, sync_folder

SET_ASIDE = "set_aside"
"""Folder for a second, different file of a face's name; nothing is ever overwritten."""


def find_folder(dataset: Path, label: str | None) -> Path:
    """Return the folder where the files of a label lie; of None, the inbox."""
    if label is None:
        return dataset / INBOX_FOLDER
    return dataset / NOT_A_FACE if label == NOT_A_FACE else dataset / FACES_FOLDER / label


def make_folder(dataset: Path, label: str | None) -> None:
    """Make the folder of a label, for good.

    Raises:
        OSError: it cannot be made.
    """
    folder = find_folder(dataset, label)
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder.parent, folder.parent.parent):
            sync_folder(parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(13, os.strerror(13), str(folder))


def place_face(dataset: Path, face: str, label: str | None, elsewhere: Iterable[Path]) -> bool:
    """Bring a face's file to where its label says.

    Args:
        dataset: the dataset folder.
        face: its id.
        label: that it has now.
        elsewhere: where its file may be; a copy that equals the one in place is removed, a different
            file is set aside.

    Returns:
        Whether the file is there now; False where there is none at all.

    Raises:
        OSError: it cannot be moved.
    """
    target = find_folder(dataset, label) / name_file(face)
    for path in elsewhere:
        if path == target or not path.is_file():
            continue
        if not target.exists():
            make_folder(dataset, label)
            move_file(path, target)
        elif filecmp.cmp(path, target, shallow=False):
            path.unlink()
            sync_folder(path.parent)
        else:
            _set_aside(dataset, path)
        remove_empty_folders(dataset, path.parent)
    return target.exists()


def _set_aside(dataset: Path, path: Path) -> None:
    folder = dataset / SET_ASIDE
    folder.mkdir(exist_ok=True)
    number = 0
    while (target := folder / (f"{number}-{path.name}" if number else path.name)).exists():
        number += 1
    move_file(path, target)


def find_files(dataset: Path) -> dict[str, list[Path]]:
    """Return every picture in the dataset, by file name: where it lies, be it in several places."""
    found: dict[str, list[Path]] = {}
    inbox, aside = dataset / INBOX_FOLDER, dataset / NOT_A_FACE
    paths = [*inbox.glob("*"), *aside.glob("*"), *(dataset / FACES_FOLDER).rglob("*")]
    for path in paths:
        if not path.name.startswith(".") and path.is_file():
            found.setdefault(path.name, []).append(path)
    return found
