"""Characters: labels, names and works, and the rules for new ones. Search is in `name_search.py`.

A file of names (`--names`) tells what people read for a label, which labels are the same character, and
which are left out of what ships:

{"hatsune_miku": {"name": {"en": "Hatsune Miku", "ja": "初音ミク"}, "work": {"en": "Vocaloid"}},
"project_sekai/miku": {"name": …, "work": …, "same_as": "hatsune_miku"},
"jojo/jotaro_kujo": {"name": …, "work": …, "mal_id": 4003, "anilist_id": 4003},
"fire_emblem/nohero": {"left_out": true}}
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError, KyaraError
from kyara.recognition.spelling import Spellings, spell
from kyara.vision.languages import DEFAULT_LANGUAGE, LANGUAGES

NOT_A_FACE = "not_a_face"
"""Label of a crop that shows no face at all."""
NOT_LISTED = "not_listed"
"""Label of a character who is not in the list and whose name the visitor does not give."""
SPECIAL_NAMES = {NOT_A_FACE: "Not a face", NOT_LISTED: "Someone who is not in the list"}
MAX_LABEL_CHARACTERS = 100
MAX_NAME_CHARACTERS = 100
_BLANK = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2060-\u206f\u2800"
    "\u3164\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
"""Ignorable code points, blank letters, Braille's empty cell.

Source: Unicode, DerivedCoreProperties.txt (Default_Ignorable_Code_Point).
"""
_LABEL = re.compile(r"[a-z0-9]+(?:[_.-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[_.-]+[a-z0-9]+)*)?")


def is_blank(character: str) -> bool:
    """Tell whether nothing is seen of a character: of zero width, or a letter or sign that looks blank.

    Spaces are not, nor are the joiners of Indic scripts and of emoji, and selectors of variants.
    """
    return _BLANK.match(character) is not None


@dataclass(frozen=True)
class Character:
    """Somebody that the model knows.

    Attributes:
        label: stable ASCII id.
        name: language code → what people read; empty where no name is established.
        work: language code → the series.
        mal_id: number of the character's page at MyAnimeList; None where it is not known.
        anilist_id: the same at AniList.
    """

    label: str
    name: Mapping[str, str]
    work: Mapping[str, str]
    mal_id: int | None = None
    anilist_id: int | None = None

    def name_in(self, language: str) -> str:
        """Return the name in a language, else in English, else in any, else "unnamed".

        Never the label, which may be a code.
        """
        found = LANGUAGES.get(language, LANGUAGES[DEFAULT_LANGUAGE])
        return choose_text(self.name, language) or found.unnamed

    def work_in(self, language: str) -> str:
        """Return the work's title in a language, else in English, else in any, else nothing."""
        return choose_text(self.work, language)

    def completed_by(self, other: Character) -> Character:
        """Return this character with names, works and pages of another one where it has none."""
        return Character(
            self.label,
            {**other.name, **self.name},
            {**other.work, **self.work},
            self.mal_id or other.mal_id,
            self.anilist_id or other.anilist_id,
        )

    @property
    def page_url(self) -> str | None:
        """The character's page at MyAnimeList; None where it is not known."""
        return f"https://myanimelist.net/character/{self.mal_id}" if self.mal_id else None

    @property
    def anilist_url(self) -> str | None:
        """The character's page at AniList; None where it is not known."""
        return f"https://anilist.co/character/{self.anilist_id}" if self.anilist_id else None

    @cached_property
    def spellings(self) -> Spellings:
        """What people may type for it."""
        return spell(self.label, self.name, self.work)

    def to_json(self, language: str) -> dict[str, str]:
        """Return `{"label", "name", "work"}` in a language."""
        return {"label": self.label, "name": self.name_in(language), "work": self.work_in(language)}


def choose_text(texts: Mapping[str, str], language: str) -> str:
    """Return the text in a language, else in English, else in any; empty if there is none."""
    return next((texts[code] for code in (language, *LANGUAGES) if texts.get(code)), "")


def is_label(text: str) -> bool:
    """Tell whether a text can be the label of a character to be taught."""
    return len(text) <= MAX_LABEL_CHARACTERS and _LABEL.fullmatch(text) is not None


def check_label(label: str) -> str:
    """Return the label of a character to be taught, unchanged.

    Args:
        label: at most 100 of `a-z 0-9 _ - .`; `work/name` is allowed.

    Raises:
        BadInputError: it is not such a label.
    """
    if not is_label(label):
        raise BadInputError(
            f"The label {ascii(label)[:120]} cannot be taken: give up to {MAX_LABEL_CHARACTERS} "
            "of a-z 0-9 and, between them, _ - . such as hatsune_miku or vocaloid/hatsune_miku."
        )
    return label


def check_texts(texts: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return names or works in NFC and without white space at their ends; empty ones are left out.

    Args:
        texts: language code → text of at most 100 characters.
        what: what to call it in an error.

    Raises:
        BadInputError: another language, no text, too long, or characters that nobody can read.
    """
    checked: dict[str, str] = {}
    for language, text in texts.items():
        if language not in LANGUAGES or not isinstance(text, str):
            raise BadInputError(
                f"The {what} is given as text in the languages {', '.join(LANGUAGES)}; "
                f"received {ascii(language)[:20]}: {ascii(text)[:60]}."
            )
        if len(text) > MAX_NAME_CHARACTERS or any(
            unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            for character in text
        ):
            raise BadInputError(
                f"The {what} {ascii(text)[:60]} has more than {MAX_NAME_CHARACTERS} characters, "
                "or some that cannot be read."
            )
        text = unicodedata.normalize("NFC", text).strip()
        if not all(is_blank(character) or character.isspace() for character in text):
            checked[language] = text
    return checked


def check_mal_id(value: Any) -> int | None:
    """Return a character's number at MyAnimeList, or None where there is none.

    Raises:
        ValueError: it is not a whole number above 0.
    """
    return _check_page_number(value, "a MyAnimeList")


def check_anilist_id(value: Any) -> int | None:
    """Return a character's number at AniList, or None where there is none.

    Raises:
        ValueError: it is not a whole number above 0.
    """
    return _check_page_number(value, "an AniList")


def _check_page_number(value: Any, whose: str) -> int | None:
    if value is not None and (type(value) is not int or not 0 < value < 2**31):
        raise ValueError(f"{whose} id is a whole number above 0; received {value!r:.40}")
    return value


def name_after_label(label: str) -> dict[str, str]:
    """Make an English name of a label's words: `work/some_one` → Some One."""
    words = re.split(r"[_.-]+", label.rpartition("/")[2])
    return {"en": " ".join(words).title()}


@dataclass(frozen=True)
class Names:
    """What is known about labels.

    Attributes:
        characters: label → who it is.
        same_as: label → label of the same character under another name, which has no such entry itself.
        left_out: labels of nobody whom an answer could name: they may be trained on, and do not ship.
    """

    characters: Mapping[str, Character] = field(default_factory=dict)
    same_as: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

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
                check_mal_id(entry.get("mal_id")),
                check_anilist_id(entry.get("anilist_id")),
            )
            for label, entry in entries.items()
        }
        same_as = {
            label: str(entry["same_as"]) for label, entry in entries.items() if "same_as" in entry
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, KyaraError) as error:
        raise BadInputError(f"{path} is not a file of character names: {error}.") from error
    left_out = frozenset(label for label, entry in entries.items() if entry.get("left_out") is True)
    followed = {label: _follow(label, same_as, path) for label in same_as}
    return Names(characters, followed, left_out)


def _follow(label: str, same_as: Mapping[str, str], path: Path) -> str:
    """Return the label at the end of a chain."""
    seen = [label]
    while seen[-1] in same_as:
        seen.append(same_as[seen[-1]])
        if len(set(seen)) < len(seen):
            raise BadInputError(f"{path} says in a circle that {' is '.join(seen)}.")
    return seen[-1]
