"""The file of characters' names: label → what people read, and which labels are the same character.

{"hatsune_miku": {"name": {"en": "Hatsune Miku", "ja": "初音ミク"}, "work": {"en": "Vocaloid"}},
"project_sekai/miku": {"name": …, "work": …, "same_as": "hatsune_miku"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kyara.character import Character, check_texts, name_after_label
from kyara.errors import BadInputError, KyaraError


@dataclass(frozen=True)
class Names:
    """What is known about labels.

    Attributes:
        characters: label → who it is.
        same_as: label → label of the same character under another name, which has no such entry itself.
    """

    characters: Mapping[str, Character] = field(default_factory=dict)
    same_as: Mapping[str, str] = field(default_factory=dict)

    def find(self, label: str) -> Character:
        """Return who a label is.

        A plain label that the file does not tell is named by its words. One with a work (`work/code`)
        may be an internal code, of which no name is made.
        """
        if label in self.characters:
            return self.characters[label]
        return Character(label, {} if "/" in label else name_after_label(label), {})


def read_names(path: Path) -> Names:
    """Read a file of names.

    Raises:
        BadInputError: the file is missing or of another shape, or `same_as` runs in a circle.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        characters = {
            label: Character(
                label,
                check_texts(entry.get("name", {}), f"name of {label}"),
                check_texts(entry.get("work", {}), f"work of {label}"),
            )
            for label, entry in entries.items()
        }
        same_as = {
            label: str(entry["same_as"]) for label, entry in entries.items() if "same_as" in entry
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, KyaraError) as error:
        raise BadInputError(f"{path} is not a file of character names: {error}.") from error
    return Names(characters, {label: _follow(label, same_as, path) for label in same_as})


def _follow(label: str, same_as: Mapping[str, str], path: Path) -> str:
    """Return the label at the end of a chain."""
    seen = [label]
    while seen[-1] in same_as:
        seen.append(same_as[seen[-1]])
        if len(set(seen)) < len(seen):
            raise BadInputError(f"{path} says in a circle that {' is '.join(seen)}.")
    return seen[-1]
