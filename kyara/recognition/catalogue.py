"""Who is known, by work: what the list of characters shows and counts.

In: characters. Out: works with their characters. Titles that differ in case, punctuation or spacing
alone are one work, and so are two titles in a language that are one title in another language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from kyara.recognition.characters import Character, choose_text
from kyara.recognition.name_search import make_title_test
from kyara.recognition.spelling import fold_sound, split_words
from kyara.vision.languages import LANGUAGES

NO_WORK = "-"
"""Slug of the characters of whom no work is known."""
MAX_SLUG_CHARACTERS = 80
_ARTICLE = re.compile(r"(?:the|an?) ")


@dataclass(frozen=True)
class Work:
    """A work with the characters that are known of it.

    Attributes:
        slug: names it in addresses: words of its title with hyphens between.
        title: language code → title; empty for `NO_WORK`.
        characters: in the order in which they came.
    """

    slug: str
    title: Mapping[str, str]
    characters: tuple[Character, ...]

    @cached_property
    def spelt(self) -> frozenset[str]:
        """What people may type for it."""
        return frozenset(one.spellings.works for one in self.characters)

    def title_in(self, language: str) -> str:
        """Return the title in a language, else in English, else in any; empty if there is none."""
        return choose_text(self.title, language)


@dataclass(frozen=True)
class Catalogue:
    """All works.

    Attributes:
        works: slug → work, those with most characters first; `NO_WORK` is the last.
        slugs: label → slug of the character's work.
        characters: label → character.
    """

    works: Mapping[str, Work]
    slugs: Mapping[str, str]
    characters: Mapping[str, Character]

    @classmethod
    def of(cls, characters: Sequence[Character]) -> Catalogue:
        """Group characters by work; those without a name are nobody's to look for."""
        characters = [one for one in characters if any(one.name.values())]
        counts = Counter(tuple(sorted(one.work.items())) for one in characters)
        groups = _group_titles([titles for titles, _ in counts.most_common()])
        members: dict[int, list[Character]] = {}
        for one in characters:
            members.setdefault(groups[tuple(sorted(one.work.items()))], []).append(one)
        works: dict[str, Work] = {}
        for group in sorted(members, key=lambda group: (group == _NOBODYS, -len(members[group]))):
            title = {} if group == _NOBODYS else _choose_title(members[group])
            slug = _make_slug(title, works)
            works[slug] = Work(slug, title, tuple(members[group]))
        slugs = {one.label: slug for slug, work in works.items() for one in work.characters}
        return cls(works, slugs, {one.label: one for one in characters})

    def count_works(self) -> int:
        """Count the works that have a title."""
        return len(self.works) - (NO_WORK in self.works)

    def search_works(self, query: str) -> list[Work]:
        """Return the works whose title, in any language, every word of a query tells."""
        tells = make_title_test(query)
        return [
            work for slug, work in self.works.items() if slug != NO_WORK and any(map(tells, work.spelt))
        ]


_NOBODYS = -1
_Titles = tuple[tuple[str, str], ...]


def _group_titles(all_titles: Sequence[_Titles]) -> dict[_Titles, int]:
    """Number works: titles → number; those that share a title in any language have the same."""
    numbers: dict[tuple[str, str], int] = {}
    groups: dict[_Titles, int] = {(): _NOBODYS}
    for titles in all_titles:
        keys = [(language, _fold_title(title)) for language, title in titles if title]
        number = next((numbers[key] for key in keys if key in numbers), len(groups))
        for key in keys:
            numbers.setdefault(key, number)
        groups[titles] = number if keys else _NOBODYS
    return groups


def _fold_title(title: str) -> str:
    return fold_sound("".join(split_words(_ARTICLE.sub("", title.casefold(), count=1))))


def _choose_title(members: Sequence[Character]) -> dict[str, str]:
    """Return the titles that most members have, of equals the fullest, then the shortest.

    Languages that these lack are filled in from the others.
    """
    counts = Counter(tuple(sorted(one.work.items())) for one in members)

    def place(titles: _Titles) -> tuple[int, int, int, _Titles]:
        return -counts[titles], -len(titles), len(str(titles)), titles

    title: dict[str, str] = {}
    for titles in sorted(counts, key=place):
        title = dict(titles) | title
    return title


def _make_slug(title: Mapping[str, str], taken: Collection[str]) -> str:
    """Return a title's words with hyphens between; a number tells works of the same words apart."""
    if not title:
        return NO_WORK
    text = next(title[code] for code in LANGUAGES if title.get(code))
    slug = "-".join(split_words(text))[:MAX_SLUG_CHARACTERS].strip("-") or "untitled"
    slugs = (slug if number == 1 else f"{slug}-{number}" for number in count(1))
    return next(one for one in slugs if one not in taken)
