"""Whom a dataset knows: names from operators, as `train --names` reads them, and counts of faces."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kyara.dataset.folder import FACES_FOLDER
from kyara.dataset.index import INDEX_FILE, read_rows
from kyara.errors import BadInputError
from kyara.recognition.characters import Character
from kyara.storage.atomic import explain_os_error, replace_file
from kyara.storage.rereading import read_once

NAMES_FILE = "characters.json"


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
    try:
        return list(_read_new_characters(dataset / NAMES_FILE))
    except (OSError, ValueError, AttributeError, TypeError):
        return []


@read_once
def _read_new_characters(path: Path) -> tuple[Character, ...]:
    names = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Character(label, dict(texts.get("name", {})), dict(texts.get("work", {})))
        for label, texts in names.items()
    )


def count_faces(dataset: Path) -> Counter[str]:
    """Count the labelled faces of each label; empty where there is no index."""
    try:
        return _count_faces(dataset / FACES_FOLDER / INDEX_FILE).copy()
    except (OSError, BadInputError):
        return Counter()


@read_once
def _count_faces(path: Path) -> Counter[str]:
    return Counter(row["label"] for _, row in read_rows(path) if row.get("label"))
