"""Characters: labels, names and works; the rules for new ones; search and look-up by what people type.

A file of names (`--names`) tells what people read for a label, and which labels are the same character:

{"hatsune_miku": {"name": {"en": "Hatsune Miku", "ja": "初音ミク"}, "work": {"en": "Vocaloid"}},
"project_sekai/miku": {"name": …, "work": …, "same_as": "hatsune_miku"}}
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError, KyaraError
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
    """

    label: str
    name: Mapping[str, str]
    work: Mapping[str, str]

    def name_in(self, language: str) -> str:
        """Return the name in a language, else in English, else in any, else "unnamed".

        Never the label, which may be a code.
        """
        found = LANGUAGES.get(language, LANGUAGES[DEFAULT_LANGUAGE])
        return _choose_text(self.name, language) or found.unnamed

    def work_in(self, language: str) -> str:
        """Return the work's title in a language, else in English, else in any, else nothing."""
        return _choose_text(self.work, language)

    def to_json(self, language: str) -> dict[str, str]:
        """Return `{"label", "name", "work"}` in a language."""
        return {"label": self.label, "name": self.name_in(language), "work": self.work_in(language)}


def _choose_text(texts: Mapping[str, str], language: str) -> str:
    return next((texts[code] for code in (language, *LANGUAGES) if texts.get(code)), "")


def check_label(label: str) -> str:
    """Return the label of a character to be taught, unchanged.

    Args:
        label: at most 100 of `a-z 0-9 _ - .`; `work/name` is allowed.

    Raises:
        BadInputError: it is not such a label.
    """
    if len(label) > MAX_LABEL_CHARACTERS or not _LABEL.fullmatch(label):
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


def search_characters(
    characters: Iterable[Character], query: str, language: str, limit: int
) -> list[Character]:
    """Return the characters whose name, work or label, in any language, holds the query.

    Args:
        characters: to choose from.
        query: part of a name; empty finds all.
        language: of the names in the answer.
        limit: most characters to return.

    Returns:
        The best match first: a whole name or a whole word of it (`burns` is Charles Montgomery
        Burns), the beginning of a name, the beginning of a word, any other part of a name; last the
        works.
    """
    wanted = fold_text(query)
    found = []
    for character in characters:
        names = [character.label.replace("_", " "), character.label, *character.name.values()]
        rank = min(_rank(wanted, fold_text(name)) for name in names)
        if rank == _NO_MATCH:
            works = map(fold_text, character.work.values())
            rank = _WORK_MATCHES if any(wanted in work for work in works) else rank
        if rank < _NO_MATCH:
            name = character.to_json(language)["name"]
            found.append((rank, fold_text(name), character))
    found.sort(key=lambda match: match[:2])
    return [character for *_, character in found[:limit]]


_WORK_MATCHES, _NO_MATCH = 4, 5


def _rank(wanted: str, name: str) -> int:
    """Say how well a name matches, 0 the best."""
    words = re.split(r"[^\w']+", name)
    if wanted and (wanted == name or wanted in words):
        return 0
    if name.startswith(wanted):
        return 1
    if any(word.startswith(wanted) for word in words):
        return 2
    return 3 if wanted in name else _NO_MATCH


def fold_text(text: str) -> str:
    """Return text in which width and case make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


@dataclass(frozen=True)
class KnownNames:
    """The characters that a report may be accepted as: those of the model, and those of the dataset.

    Attributes:
        characters: label → character.
        spellings: folded label or name → the labels that it may mean.
    """

    characters: dict[str, Character] = field(default_factory=dict)
    spellings: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, characters: Iterable[Character], labels: Iterable[str] = ()) -> KnownNames:
        """Index characters, and labels that have nothing but themselves; the first of a label counts."""
        known = cls()
        for character in (*characters, *(Character(label, {}, {}) for label in labels)):
            if character.label in known.characters:
                continue
            known.characters[character.label] = character
            spaced = character.label.rpartition("/")[2].replace("_", " ")
            for text in (character.label, spaced, *character.name.values()):
                known.spellings.setdefault(fold_text(text), set()).add(character.label)
        return known

    def resolve(self, text: str) -> str | None:
        """Return the label that a text means; None if it means nobody, or several."""
        if text in self.characters:
            return text
        found = self.spellings.get(fold_text(text), set())
        return next(iter(found)) if len(found) == 1 else None

    def say(self, text: str, language: str = "en") -> str:
        """Return what people read for a label, or the text itself where it is none."""
        if text in SPECIAL_NAMES:
            return SPECIAL_NAMES[text]
        character = self.characters.get(text)
        if character is None:
            return text
        return character.name_in(language) if character.name else name_after_label(text)["en"]
