"""Somebody whom the model knows: label, names and works, and the rules that a new one must keep."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kyara.errors import BadInputError

LANGUAGES = ("en", "zh", "ja")
UNNAMED = {"en": "Unnamed character", "zh": "未命名角色", "ja": "名前のわからないキャラクター"}
"""What a character is called that has no established name; never by its label, which may be a code."""
MAX_LABEL_CHARACTERS = 100
MAX_NAME_CHARACTERS = 100
_LABEL = re.compile(r"[a-z0-9]+(?:[_.-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[_.-]+[a-z0-9]+)*)?")


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
        """Return the name in a language, else in English, else in any; else say that there is none."""
        return _choose_text(self.name, language) or UNNAMED.get(language, UNNAMED["en"])

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
        if text:
            checked[language] = text
    return checked


def name_after_label(label: str) -> dict[str, str]:
    """Make an English name of a label's words: `work/some_one` → Some One."""
    words = re.split(r"[_.-]+", label.rpartition("/")[2])
    return {"en": " ".join(words).title()}
