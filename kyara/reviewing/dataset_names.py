"""Whom the dataset knows besides the model: names that operators gave, and labels that have faces."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

from kyara.character import Character
from kyara.dataset_folder import FACES_FOLDER, INDEX_FILE
from kyara.labelling.naming import NAMES_FILE


def read_new_characters(dataset: Path) -> list[Character]:
    """Return the characters that operators made; none where the file cannot be read."""
    try:
        names = json.loads((dataset / NAMES_FILE).read_text(encoding="utf-8"))
        return [
            Character(label, dict(texts.get("name", {})), dict(texts.get("work", {})))
            for label, texts in names.items()
        ]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def count_faces(dataset: Path) -> Counter[str]:
    """Count the labelled faces of each label; empty where there is no index."""
    try:
        with (dataset / FACES_FOLDER / INDEX_FILE).open(newline="", encoding="utf-8-sig") as file:
            return Counter(row["label"] for row in csv.DictReader(file) if row.get("label"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return Counter()
