"""Whom a dataset knows: names from operators, as `train --names` reads them, and counts of faces."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from kyara.dataset.folder import FACES_FOLDER
from kyara.dataset.index import INDEX_FILE, read_rows
from kyara.errors import BadInputError
from kyara.recognition.characters import Character
from kyara.storage.atomic import explain_os_error, replace_file

NAMES_FILE = "characters.json"
_State = tuple[int, int, int]
"""Of a file: when it was changed, its size, and its number; another one: it is read again."""


def write_names(dataset: Path, characters: Sequence[Character]) -> None:
    """Write the file of names, whole; without characters there is none.

    Raises:
        StorageFullError: no room; the old file stays.
        KyaraError: it cannot be written.
    """
    if not characters:
        return
    names = {one.label: {"name": dict(one.name), "work": dict(one.work)} for one in characters}
    text = json.dumps(names, ensure_ascii=False, indent=1) + "\n"
    try:
        replace_file(dataset / NAMES_FILE, text)
    except OSError as error:
        kept = "The names are safe in the journal; the file follows at the next start."
        raise explain_os_error(error, str(dataset / NAMES_FILE), kept) from error


def read_new_characters(dataset: Path) -> list[Character]:
    """Return the characters that operators made; none where the file cannot be read."""
    path = dataset / NAMES_FILE
    try:
        return list(_read_new_characters(path, _look(path)))
    except (OSError, ValueError, AttributeError, TypeError):
        return []


@lru_cache(maxsize=8)
def _read_new_characters(path: Path, state: _State) -> tuple[Character, ...]:
    names = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Character(label, dict(texts.get("name", {})), dict(texts.get("work", {})))
        for label, texts in names.items()
    )


def count_faces(dataset: Path) -> Counter[str]:
    """Count the labelled faces of each label; empty where there is no index."""
    path = dataset / FACES_FOLDER / INDEX_FILE
    try:
        return _count_faces(path, _look(path)).copy()
    except (OSError, BadInputError):
        return Counter()


@lru_cache(maxsize=8)
def _count_faces(path: Path, state: _State) -> Counter[str]:
    return Counter(row["label"] for _, row in read_rows(path) if row.get("label"))


def _look(path: Path) -> _State:
    about = path.stat()
    return about.st_mtime_ns, about.st_size, about.st_ino
