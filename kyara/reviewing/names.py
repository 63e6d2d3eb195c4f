"""Which character a text means: a label, or a name in any language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kyara.character import Character, name_after_label
from kyara.completion import fold_text
from kyara.reports.rules import NOT_A_FACE, NOT_LISTED

SPECIAL_NAMES = {NOT_A_FACE: "Not a face", NOT_LISTED: "Someone who is not in the list"}


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
        """Return the label that a text means; None where it means nobody, or several."""
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
