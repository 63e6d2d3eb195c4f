"""Completing a name: which characters a few typed letters may mean."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from kyara.character import Character


def search_characters(
    characters: Iterable[Character], query: str, language: str, limit: int
) -> list[dict[str, str]]:
    """Return the characters whose name, work or label, in any language, holds the query.

    Args:
        characters: to choose from.
        query: part of a name; empty finds all.
        language: of the names in the answer.
        limit: most characters to return.

    Returns:
        `{"label", "name", "work"}` each; those that begin with the query come first.
    """
    wanted = fold_text(query)
    found = []
    for character in characters:
        texts = [character.label.replace("_", " "), character.label]
        texts += [*character.name.values(), *character.work.values()]
        folded = [fold_text(text) for text in texts]
        if any(wanted in text for text in folded):
            first = any(text.startswith(wanted) for text in folded)
            found.append((not first, character.to_json(language)))
    found.sort(key=lambda pair: (pair[0], pair[1]["name"]))
    return [entry for _, entry in found[:limit]]


def fold_text(text: str) -> str:
    """Return text in which width and case make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().strip()
