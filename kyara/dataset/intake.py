"""Faces that enter the dataset from elsewhere than the inbox: a picture, its label, and how it came.

    faces/<label>/<id>.png    the picture
    reports/<id>.json         its history: who said and decided what, when

Everything happens inside `folder.change_dataset`, which keeps `faces/index.csv` in step:

    with change_dataset(dataset) as change:
        take_in(dataset, change, face)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kyara.dataset.folder import FACES_FOLDER, Change, remove_empty_folders
from kyara.errors import BadInputError
from kyara.storage.atomic import explain_os_error, replace_file, sync_folder
from kyara.vision.picture_files import SUFFIXES

HISTORY_FOLDER = "reports"
_KEPT = "Nothing was changed."


@dataclass(frozen=True)
class IntakeFace:
    """A labelled face.

    Attributes:
        id: name of its file without `.png`; nothing else in the dataset has it.
        label: of the character; a folder below `faces/`.
        png: the picture.
        group: faces that must not be divided between splits share one.
        history: a JSON object that is kept with it.
        split: of a group that is new to the dataset; a known group stays in its split.
    """

    id: str
    label: str
    png: bytes
    group: str
    history: Mapping[str, Any]
    split: str = "train"


def take_in(dataset: Path, change: Change, face: IntakeFace) -> Path:
    """Put a face into the dataset, for good; the same again changes nothing.

    Returns:
        Its file.

    Raises:
        BadInputError: the label could not be a folder.
        StorageFullError: no room; nothing was changed.
        KyaraError: the folder cannot be written.
    """
    path = find_place(dataset, face.id, face.label)
    history = dataset / HISTORY_FOLDER / f"{face.id}.json"
    text = json.dumps(dict(face.history), ensure_ascii=False, indent=1) + "\n"
    try:
        for folder in (history.parent, path.parent):
            if not folder.is_dir():
                folder.mkdir(parents=True)
                sync_folder(folder.parent)
        replace_file(history, text)
        replace_file(path, face.png)
    except OSError as error:
        raise explain_os_error(error, str(path), _KEPT) from error
    change.groups[path.name] = face.group
    change.splits.setdefault(face.group, face.split)
    return path


def take_out(dataset: Path, face_id: str, label: str, *, keep_history: bool = False) -> None:
    """Take a face out of a label's folder; harmless where it is not there.

    Args:
        dataset: the dataset folder, held by `change_dataset`.
        face_id: of the face.
        label: that it was put in with.
        keep_history: it goes on being in the dataset under another label.

    Raises:
        KyaraError: the file cannot be removed.
    """
    path = find_place(dataset, face_id, label)
    try:
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)
        remove_empty_folders(dataset, path.parent)
        if not keep_history:
            (dataset / HISTORY_FOLDER / f"{face_id}.json").unlink(missing_ok=True)
    except OSError as error:
        raise explain_os_error(error, str(path), "It is taken out at the next start.") from error


def find_place(dataset: Path, face_id: str, label: str) -> Path:
    """Return where a face's file is.

    Raises:
        BadInputError: the label could not be a folder below `faces/`.
    """
    parts = label.split("/")
    if any(
        not part or part.startswith(".") or not part.isprintable() or "\\" in part or len(part) > 100
        for part in parts
    ) or PurePosixPath(label).suffix.lower() in (SUFFIXES | {".csv"}):
        raise BadInputError(f"The label {ascii(label)[:120]} cannot be a folder of the dataset.")
    return dataset / FACES_FOLDER / label / f"{face_id}.png"
