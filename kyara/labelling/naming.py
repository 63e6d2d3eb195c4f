"""The names of characters that operators made, as `train --names` reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kyara.character import Character
from kyara.durable import explain_os_error, replace_file

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
        replace_file(dataset / NAMES_FILE, text.encode())
    except OSError as error:
        kept = "The names are safe in the journal; the file follows at the next start."
        raise explain_os_error(error, str(dataset / NAMES_FILE), kept) from error
