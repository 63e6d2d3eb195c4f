"""Spellings: what people may type for a name, and for the work that it is from.

In: names, works, labels and queries, in any language. Out: words in which width, case, accents, spacing,
kana (hiragana or katakana) and the form of a Han character (traditional, simplified, Japanese) make no
difference. Kana has its romaji beside it, Han its pinyin without tones.

What only a dictionary knows is in `model/search.json`, made by `scripts/write_search_data.py`: forms of
Han characters, readings of the names that ship, and other labels of a character.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jaconv
from anyascii import anyascii

from kyara.storage.paths import SHIPPED_MODELS

SEARCH_DATA_FILE = SHIPPED_MODELS / "search.json"
_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u309d-\u309f\u30fc-\u30ff"
_WORD = re.compile(f"[{_HAN}{_KANA}]+|[^\\W_{_HAN}{_KANA}]+")
_KANA_RUN = re.compile(f"[{_KANA}]+")
_SYLLABLE = re.compile("[A-Z][a-z]*")
_NO_WORK = ("faces", "unknown_work")
"""First parts of labels that name no work."""
_NUMBERED = re.compile(r"_mal\d+$")
_LONG_VOWELS = re.compile(r"([aeiou])\1+|ou|oh(?![aeiouy])")
_HIRAGANA = {0x30A1 + step: 0x3041 + step for step in range(0x56)}
_SIGNS = {ord(sign): other for sign, other in {"'": "", "’": "", "×": "x", "&": " and "}.items()}
_VOICING = "\u3099\u309a"
_AT_IN_A_WORD = re.compile(r"(?<=\w)@(?=\w)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchData:
    """What dictionaries know.

    Attributes:
        forms: code point of a Han character → its simplified form.
        readings: a name or title with Han characters → its readings, words apart.
        others: label → `{"labels", "names", "works"}`: lists of what else the same character is called.
    """

    forms: Mapping[int, int] = field(default_factory=dict)
    readings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


@lru_cache(maxsize=1)
def load_search_data() -> SearchData:
    """Read the data that ships, once; without it, which is logged, search knows less."""
    try:
        document: dict[str, Any] = json.loads(SEARCH_DATA_FILE.read_text(encoding="utf-8"))
        forms = document["forms"]
        pairs = zip(forms[::2], forms[1::2], strict=True)
        return SearchData(
            {ord(one): ord(other) for one, other in pairs}, document["readings"], document["others"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning(
            "%s cannot be read, so names are found by fewer spellings: %s", SEARCH_DATA_FILE, error
        )
        return SearchData()


def fold_text(text: str) -> str:
    """Return text in which width and case make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def split_words(text: str) -> list[str]:
    """Return the folded words of a text: runs of kana and Han, runs of other letters and digits."""
    return _WORD.findall(_fold(text))


def _fold(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(one for one in text if one in _VOICING or not unicodedata.combining(one))
        text = unicodedata.normalize("NFC", text).translate(_HIRAGANA)
        text = text.translate(load_search_data().forms)
    return _AT_IN_A_WORD.sub("a", text.casefold().translate(_SIGNS))


def is_kana(word: str) -> bool:
    """Tell whether a folded word is kana alone."""
    return _KANA_RUN.fullmatch(word) is not None


def is_run_on(word: str) -> bool:
    """Tell whether a folded word is kana or Han, which are written without spaces between words."""
    return not word.isascii() and re.match(f"[{_HAN}{_KANA}]", word) is not None


def romanise(kana: str) -> str:
    """Return kana, folded, in Hepburn romaji; a long vowel's mark is left out."""
    return jaconv.kana2alphabet(kana).replace("-", "")


def fold_sound(word: str) -> str:
    """Return romaji in which long and short vowels, n and m before p, b and m, make no difference."""
    short = _LONG_VOWELS.sub(lambda found: found[0][0], word)
    return re.sub("m(?=[bpm])", "n", short).replace("tch", "cch")


@dataclass(frozen=True)
class Spellings:
    """How a character may be spelt. Each text is words with a space before and after each.

    Attributes:
        whole: every whole name and label in one word, its parts in any order; kana in romaji, too.
        names: the words of its names, and each whole name.
        sounds: those of them that `fold_sound` changes, changed.
        readings: pinyin and romaji of names in Han, each from a syllable or word to the end.
        works: the words of its works, and each whole title, with readings.
        everything: all of them.
    """

    whole: frozenset[str]
    names: str
    sounds: str
    readings: str
    works: str
    everything: str


def spell(label: str, names: Mapping[str, str], works: Mapping[str, str]) -> Spellings:
    """Return how a character may be spelt.

    Args:
        label: its label; the part before a slash is a work, unless it is a placeholder.
        names: language code → name.
        works: language code → title.
    """
    return _spell(label, tuple(names.values()), tuple(works.values()))


@lru_cache(maxsize=20_000)
def _spell(label: str, names: tuple[str, ...], works: tuple[str, ...]) -> Spellings:
    other = load_search_data().others.get(label, {})
    place, own = split_label(label)
    titles = (*works, *other.get("works", ()), place)
    found = _Words()
    for name in (*names, own, *other.get("names", ())):
        found.add(name, turned=True)
    for name in _list_han(names):
        found.add_readings(name)
    for one in (label, *other.get("labels", ())):
        found.whole.add("".join(split_words(one)))
    sounds = dict.fromkeys(fold_sound(word) for word in found.words if word.isascii())
    texts = (
        _join(found.words),
        _join(sound for sound in sounds if sound not in found.words),
        _join(found.readings),
        _spell_titles(titles, tuple(_list_han(works))),
    )
    return Spellings(frozenset(found.whole - {""}), *texts, everything="".join(texts))


def split_label(label: str) -> tuple[str, str]:
    """Return what a label tells of the work, maybe nothing, and of the name."""
    place, _, own = label.rpartition("/")
    return "" if place in _NO_WORK else place, _NUMBERED.sub("", own)


def _list_han(texts: Iterable[str]) -> list[str]:
    """Return the texts of which there may be readings; the same text once."""
    return [text for text in dict.fromkeys(texts) if not text.isascii()]


@lru_cache(maxsize=20_000)
def _spell_titles(titles: tuple[str, ...], han: tuple[str, ...]) -> str:
    found = _Words()
    for title in titles:
        found.add(title)
    for title in han:
        found.add_readings(title)
    return _join(found.words | found.whole_readings)


def _join(words: Iterable[str]) -> str:
    return f" {' '.join(words)} "


class _Words:
    """Collects the words of names: in the order in which they come, each once."""

    def __init__(self) -> None:
        self.whole: set[str] = set()
        self.words: dict[str, None] = {}
        self.readings: dict[str, None] = {}
        self.whole_readings: dict[str, None] = {}

    def add(self, text: str, *, turned: bool = False) -> None:
        """Take a name or title as it is written; `turned`: its first or last word may change places."""
        words = split_words(text)
        self._add_whole(words, turned)
        if any(is_kana(word) for word in words):
            self._add_whole([romanise(word) if is_kana(word) else word for word in words], turned)
        for run in (run for word in words if not is_kana(word) for run in _KANA_RUN.findall(word)):
            self.readings[romanise(run)] = None

    def _add_whole(self, words: Sequence[str], turned: bool) -> None:
        orders = [words, (*words[-1:], *words[:-1]), (*words[1:], *words[:1])] if turned else [words]
        together = dict.fromkeys("".join(order) for order in orders)
        self.whole |= together.keys()
        self.words |= dict.fromkeys(words) | together

    def add_readings(self, text: str) -> None:
        """Take the readings of a name in Han: those of the dictionaries, and pinyin."""
        readings = [reading.split() for reading in load_search_data().readings.get(text, ())]
        if pinyin := read_pinyin(text):
            readings.append(pinyin)
        for reading in readings:
            ends = ["".join(reading[start:]) for start in range(len(reading))]
            self.whole_readings[ends[0]] = None
            self.readings |= dict.fromkeys(ends)


def read_pinyin(text: str) -> list[str]:
    """Return the syllables of a text in Han, each character by its most frequent reading, without tones.

    Text with kana has none; letters and digits between Han stay.
    """
    words = split_words(text)
    if any(_KANA_RUN.search(word) for word in words) or not any(is_run_on(word) for word in words):
        return []
    syllables: list[str] = []
    for word in words:
        syllables += _SYLLABLE.findall(anyascii(word)) if is_run_on(word) else [word]
    return [syllable.lower() for syllable in syllables]
