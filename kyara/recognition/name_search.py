"""Search of characters by what people type: the one search of the page, the API, operators and commands.

In: characters, and a query such as `みく`, `Miku Hatsune`, `凱露`, `kailu`, `hatsune_miku_(vocaloid)`.
Out: characters, the best match first. Every word of a query has to match a word of a name or a work, or
the beginning of one; inside a word only kana and Han match. How words are folded: `spelling.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto
from functools import cached_property
from itertools import islice

from rapidfuzz import process
from rapidfuzz.distance import OSA

from kyara.recognition.characters import SPECIAL_NAMES, Character, name_after_label
from kyara.recognition.spelling import (
    Spellings,
    fold_sound,
    fold_text,
    is_kana,
    is_run_on,
    romanise,
    split_words,
)
from kyara.vision.languages import DEFAULT_LANGUAGE

MAX_QUERY_WORDS = 12
"""Further words of a query are not looked at."""
MIN_SOUND_LETTERS = 4
"""Of a name's beginning, if long and short vowels are to make no difference."""
MIN_NEAR_LETTERS = 4
NEAR = 0.79
"""One slip in five letters: inserted, left out, another, or two that changed places."""


class Match(IntEnum):
    """How a word of a query matches a character; the lower the better."""

    WORD = auto()
    """It is a word of a name, or a whole name."""
    SOUND = auto()
    """It is one but for long vowels."""
    START = auto()
    """A word of a name begins with it."""
    READING = auto()
    READING_START = auto()
    SOUND_START = auto()
    INSIDE = auto()
    """Kana or Han inside a name."""
    WORK = auto()
    WORK_START = auto()
    WORK_INSIDE = auto()
    NEAR = auto()
    """Nobody is called so, and a name is written nearly so."""
    NONE = auto()


@dataclass(frozen=True)
class _Word:
    """A folded word of a query: in each form that it may have, between or behind spaces."""

    whole: tuple[str, ...]
    start: tuple[str, ...]
    sound: tuple[str, ...]
    sound_start: tuple[str, ...]
    inside: tuple[str, ...]

    @classmethod
    def of(cls, word: str) -> _Word:
        forms = (word, romanise(word)) if is_kana(word) else (word,)
        sounds = tuple(fold_sound(form) for form in forms if form.isascii())
        return cls(
            whole=tuple(f" {form} " for form in forms),
            start=tuple(f" {form}" for form in forms),
            sound=tuple(f" {sound} " for sound in sounds),
            sound_start=tuple(f" {sound}" for sound in sounds if len(sound) >= MIN_SOUND_LETTERS),
            inside=(word,) if is_run_on(word) else (),
        )

    @property
    def wanted(self) -> tuple[str, ...]:
        """What a match has at least one of."""
        options = {*self.start, *self.sound, *self.sound_start, *self.inside}
        return tuple(
            one
            for one in options
            if not any(one != other and one.startswith(other) for other in options)
        )

    def rate(self, spelt: Spellings) -> Match:
        """Say how it matches."""
        places = (
            (Match.WORD, self.whole, spelt.names),
            (Match.SOUND, self.sound, spelt.names),
            (Match.SOUND, self.sound, spelt.sounds),
            (Match.START, self.start, spelt.names),
            (Match.READING, self.whole, spelt.readings),
            (Match.READING_START, self.start, spelt.readings),
            (Match.SOUND_START, self.sound_start, spelt.names),
            (Match.SOUND_START, self.sound_start, spelt.sounds),
            (Match.INSIDE, self.inside, spelt.names),
            (Match.WORK, self.whole, spelt.works),
            (Match.WORK_START, self.start, spelt.works),
            (Match.WORK_INSIDE, self.inside, spelt.works),
        )
        return next((match for match, wanted, text in places if _is_any(wanted, text)), Match.NONE)


def _is_any(wanted: Iterable[str], text: str) -> bool:
    return any(one in text for one in wanted)


def search_characters(
    characters: Iterable[Character],
    query: str,
    language: str,
    limit: int,
    references: Mapping[str, int] | None = None,
) -> list[Character]:
    """Return the characters whose name, reading, work or label, in any language, the query tells.

    Args:
        characters: to choose from.
        query: words in any order; if it is empty, all characters are found, sorted by name.
        language: of the names by which equal matches are sorted.
        limit: most characters to return.
        references: label → number of references; of equal matches those with more come first.

    Returns:
        The best match first: see `Match`. If there is none, whose label it is; else names that are
        written nearly so.
    """
    known, counts = list(characters), references or {}
    words = list(dict.fromkeys(split_words(query)))[:MAX_QUERY_WORDS]
    found: _Found = []
    if words:
        together = "".join(words)
        found = (
            _find_matches(known, words)
            or [((0,), one) for one in known if together in one.spellings.whole]  # labels, as they are
            or _find_near(known, together)
        )
    elif not query.strip():
        found, counts = [((0,), one) for one in known], {}
    found.sort(
        key=lambda match: (match[0], -counts.get(match[1].label, 0), _sort_name(match[1], language))
    )
    return [character for _, character in found[:limit]]


def prepare_search(characters: Iterable[Character]) -> None:
    """Spell everybody, as the first search would: 0.1 ms a character."""
    for character in characters:
        _ = character.spellings


_Found = list[tuple[tuple[int, ...], Character]]


def _sort_name(character: Character, language: str) -> str:
    return fold_text(character.name_in(language))


def _find_matches(characters: Sequence[Character], words: Sequence[str]) -> _Found:
    """Rank by the worst word of the query, then by all; all words as one may match better."""
    ways = [[_Word.of(word) for word in words]]
    if len(words) > 1:
        ways.append([_Word.of("".join(words))])
    found: _Found = []
    for character in _narrow(characters, ways):
        rated = [[part.rate(character.spellings) for part in parts] for parts in ways]
        rank = min((max(matches), sum(matches)) for matches in rated)
        if rank[0] < Match.NONE:
            found.append((rank, character))
    return found


def _narrow(characters: Sequence[Character], ways: Iterable[Sequence[_Word]]) -> list[Character]:
    """Return the characters that have every word of one way anywhere: most have not."""
    found: dict[int, Character] = {}
    for parts in ways:
        left: Iterable[tuple[int, Character]] = enumerate(characters)
        for part in parts:
            has_it = re.compile("|".join(map(re.escape, part.wanted))).search
            left = [(place, one) for place, one in left if has_it(one.spellings.everything)]
        found.update(left)
    return list(found.values())


def make_title_test(query: str) -> Callable[[str], bool]:
    """Return what tells whether a query means works, spelt as in `Spellings.works`."""
    words = split_words(query)[:MAX_QUERY_WORDS]
    parts, together = [_Word.of(word) for word in words], _Word.of("".join(words))

    def is_told(part: _Word, works: str) -> bool:
        return _is_any(part.start, works) or _is_any(part.inside, works)

    def tells(works: str) -> bool:
        return bool(parts) and (is_told(together, works) or all(is_told(one, works) for one in parts))

    return tells


def _find_near(characters: Sequence[Character], word: str) -> _Found:
    """Rank by how near the nearest word of a name is."""
    if len(word) < MIN_NEAR_LETTERS:
        return []
    shortest, longest = NEAR * len(word), len(word) / NEAR  # no other length is near enough
    owners: dict[str, list[Character]] = {}
    for character in characters:
        for name in character.spellings.names.split():
            if shortest <= len(name) <= longest:
                owners.setdefault(name, []).append(character)
    near = process.extract(
        word, owners.keys(), scorer=OSA.normalized_similarity, score_cutoff=NEAR, limit=None
    )
    found: dict[str, tuple[tuple[int, ...], Character]] = {}
    for name, similarity, _ in near:  # the nearest first
        for one in owners[name]:
            found.setdefault(one.label, ((Match.NEAR, round(-1000 * similarity)), one))
    return list(found.values())


def find_namesakes(characters: Iterable[Character], name: str, limit: int = 8) -> list[Character]:
    """Return the characters of whom a text is a whole name, in any language, order, kana or Han form.

    Args:
        characters: to look through; those who are found come in their order.
        name: as somebody wrote it; of an empty one nobody is found.
        limit: most characters to return.
    """
    wanted = _fold_whole(name)
    return list(islice((one for one in characters if wanted & one.spellings.whole), limit))


def _fold_whole(text: str) -> set[str]:
    """Return a text folded and in one word, its kana as it is and in romaji."""
    words = split_words(text)
    return {"".join(words), "".join(romanise(one) if is_kana(one) else one for one in words)} - {""}


@dataclass(frozen=True)
class KnownNames:
    """The characters that a report may be accepted as: those of the model, and those of the dataset.

    Attributes:
        characters: label → character.
        language: of the names that it says.
        special: what it says for a label that is no character's.
    """

    characters: dict[str, Character] = field(default_factory=dict)
    language: str = DEFAULT_LANGUAGE
    special: Mapping[str, str] = field(default_factory=lambda: SPECIAL_NAMES)

    @classmethod
    def of(
        cls,
        characters: Iterable[Character],
        labels: Iterable[str] = (),
        language: str = DEFAULT_LANGUAGE,
        special: Mapping[str, str] = SPECIAL_NAMES,
    ) -> KnownNames:
        """Index characters, and labels that have nothing but themselves; the first of a label counts."""
        known = cls(language=language, special=special)
        for character in (*characters, *(Character(label, {}, {}) for label in labels)):
            known.characters.setdefault(character.label, character)
        return known

    def resolve(self, text: str) -> str | None:
        """Return the label that a text means; None if it means nobody, or several.

        A label or a name as it is written comes first; then a whole name in another order, in kana,
        romaji, pinyin or other Han characters.
        """
        if text in self.characters:
            return text
        ways = ((self._written, {fold_text(text)}), (self._folded, _fold_whole(text)))
        for spellings, wanted in ways:
            found = {label for one in wanted for label in spellings.get(one, ())}
            if found:
                return found.pop() if len(found) == 1 else None
        return None

    def find_namesakes(self, name: str) -> list[str]:
        """Return the labels of those of whom a text is a whole name, as the function of this name."""
        found = {label for one in _fold_whole(name) for label in self._folded.get(one, ())}
        return sorted(found)

    @cached_property
    def _written(self) -> dict[str, set[str]]:
        """Label, its last part or name, in any case and width → the labels that it may mean."""
        spellings: dict[str, set[str]] = {}
        for label, character in self.characters.items():
            spaced = label.rpartition("/")[2].replace("_", " ")
            for text in (label, spaced, *character.name.values()):
                spellings.setdefault(fold_text(text), set()).add(label)
        return spellings

    @cached_property
    def _folded(self) -> dict[str, set[str]]:
        """Whole name, folded and in one word → the labels that it may mean."""
        spellings: dict[str, set[str]] = {}
        for label, character in self.characters.items():
            for text in character.spellings.whole:
                spellings.setdefault(text, set()).add(label)
        return spellings

    def say(self, text: str) -> str:
        """Return what people read for a label, or the text itself where it is none."""
        if text in self.special:
            return self.special[text]
        character = self.characters.get(text)
        if character is None:
            return text
        return character.name_in(self.language) if character.name else name_after_label(text)["en"]
