"""`make search-data`: what dictionaries know about the names that ship → model/search.json.

In: `model/characters.json`. Out, for `kyara/recognition/spelling.py`: Han characters with their
simplified form (OpenCC), romaji of Japanese names in Han (UniDic), pinyin where it is not each
character's most frequent reading (pypinyin), and the labels and names of those who are the same
character. The site needs none of these dictionaries. A test fails if the file is older than the names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import opencc
import pypinyin
from fugashi import Tagger  # type: ignore[attr-defined]  # compiled, without types

from kyara.recognition.characters import Names, read_names
from kyara.recognition.spelling import (
    SEARCH_DATA_FILE,
    read_pinyin,
    romanise,
    split_label,
    split_words,
)

NAMES_FILE = SEARCH_DATA_FILE.with_name("characters.json")
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


def make_forms() -> str:
    """Return Han characters that have another simplified form, each followed by it.

    Japanese forms become traditional first, so that 沢, 澤 and 泽 are one.
    """
    to_traditional, to_simplified = opencc.OpenCC("jp2t"), opencc.OpenCC("t2s")
    pairs = []
    for one in filter(HAN.match, map(chr, range(0x3400, 0xA000))):
        simple = to_simplified.convert(to_traditional.convert(one))
        if simple != one and len(simple) == 1:
            pairs.append(one + simple)
    return "".join(pairs)


def read_japanese(tagger: Tagger, text: str) -> str:
    """Return a Japanese text in romaji, the dictionary's words apart; empty if a word has no reading."""
    found: list[str] = []
    for word in tagger(text):
        if HAN.search(word.surface):
            if not word.feature.kana:
                return ""
            found += split_words(word.feature.kana)
        else:
            found += split_words(word.surface)
    return " ".join(map(romanise, " ".join(found).replace("っ ", "っ").split()))


def read_chinese(text: str) -> str:
    """Return a Chinese text in pinyin without tones; empty where the site finds the same without us."""
    parts = re.findall("[\u3400-\u4dbf\u4e00-\u9fff]+|[^\u3400-\u4dbf\u4e00-\u9fff]+", text)
    found: list[str] = []
    for part in parts:
        found += pypinyin.lazy_pinyin(part) if HAN.match(part) else split_words(part)
    return "" if found == read_pinyin(text) else " ".join(found)


def make_readings(names: Names) -> dict[str, list[str]]:
    """Return the readings of names and titles with Han: text → romaji, pinyin."""
    tagger, readings = Tagger(), {}
    kept = [one for label, one in names.characters.items() if label not in names.left_out]
    for texts in (text for one in kept for text in (one.name, one.work)):
        for language, read in (("ja", lambda text: read_japanese(tagger, text)), ("zh", read_chinese)):
            text = texts.get(language, "")
            if HAN.search(text) and (reading := read(text)):
                readings.setdefault(text, {})[reading] = None
    return {text: list(readings[text]) for text in sorted(readings)}


def list_others(names: Names) -> dict[str, dict[str, list[str]]]:
    """Return what else the same character is called: label → labels, names and works."""
    others: dict[str, dict[str, list[str]]] = {}
    for label, meant in sorted(names.same_as.items()):
        own, other = names.characters[meant], names.characters[label]
        place, name = split_label(label)
        told = others.setdefault(meant, {"labels": [], "names": [], "works": []})
        told["labels"].append(label)
        told["names"] += _list_new((name, *other.name.values()), own.name.values(), told["names"])
        told["works"] += _list_new((place, *other.work.values()), own.work.values(), told["works"])
    return others


def _list_new(texts: Iterable[str], *known: Iterable[str]) -> list[str]:
    before = {text for some in known for text in some} | {""}
    return [text for text in dict.fromkeys(texts) if text not in before]


def make_search_data() -> dict[str, Any]:
    """Return everything that the file holds."""
    names = read_names(NAMES_FILE)
    return {"forms": make_forms(), "readings": make_readings(names), "others": list_others(names)}


def render(data: Mapping[str, Any]) -> str:
    """Return the file's JSON, a line for each name."""
    parts = []
    for key, value in data.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict):
            lines = (
                f"{json.dumps(one, ensure_ascii=False)}: {json.dumps(told, ensure_ascii=False)}"
                for one, told in value.items()
            )
            text = "{\n" + ",\n".join(lines) + "\n}"
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    SEARCH_DATA_FILE.write_text(render(make_search_data()), encoding="utf-8")
