"""Completing a name: which characters a few typed letters may mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from kyara.character import Character


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
