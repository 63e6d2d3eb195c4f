"""The names that ship: what dictionaries say of them is up to date, and they are found however typed."""

from __future__ import annotations

import json

import opencc
import pypinyin
import pytest

from kyara.recognition import spelling
from kyara.recognition.characters import Character
from kyara.recognition.name_search import search_characters
from kyara.recognition.spelling import SEARCH_DATA_FILE, load_search_data, split_words
from kyara.storage.paths import SHIPPED_MODELS
from scripts.write_search_data import make_search_data, render

EVERY = 61
"""So many characters further stands the next that is looked for."""


@pytest.fixture(scope="module")
def shipped() -> list[Character]:
    serving = json.loads((SHIPPED_MODELS / "registry.json").read_text(encoding="utf-8"))["serving"]
    manifest = json.loads((SHIPPED_MODELS / serving / "bundle.json").read_text(encoding="utf-8"))
    return [Character(entry["label"], entry["name"], entry["work"]) for entry in manifest["characters"]]


@pytest.fixture(scope="module")
def some(shipped) -> list[Character]:
    return shipped[::EVERY]


def find(shipped: list[Character], query: str) -> set[str]:
    return {one.label for one in search_characters(shipped, query, "en", len(shipped))}


def test_the_file_is_as_new_as_the_names():
    told = "run `make search-data`"
    assert SEARCH_DATA_FILE.read_text(encoding="utf-8") == render(make_search_data()), told


def test_nobody_who_ships_is_without_a_name(shipped):
    assert [one.label for one in shipped if not any(one.name.values())] == []


def test_english_names_are_found_in_another_order_and_in_one_word(shipped, some):
    for one in some:
        words = split_words(one.name.get("en", ""))
        assert not words or one.label in find(shipped, " ".join(reversed(words))), one
        assert not words or one.label in find(shipped, "".join(words)), one


def test_names_are_found_in_traditional_characters(shipped, some):
    convert = opencc.OpenCC("s2t").convert
    named = [one for one in some if one.name.get("zh") and split_words(one.name["zh"])]
    assert len(named) > 50
    for one in named:
        assert one.label in find(shipped, convert(one.name["zh"])), one


def test_names_are_found_in_pinyin(shipped, some):
    named = [one for one in some if spelling.read_pinyin(one.name.get("zh", ""))]
    assert len(named) > 50
    for one in named:
        parts = [pypinyin.lazy_pinyin(word) for word in split_words(one.name["zh"])]
        assert one.label in find(shipped, "".join("".join(part) for part in parts)), one


def test_kana_is_found_in_the_other_kana(shipped, some):
    other = {0x30A1 + step: 0x3041 + step for step in range(0x56)}
    other |= {hiragana: katakana for katakana, hiragana in other.items()}
    named = [one for one in some if one.name.get("ja") and split_words(one.name["ja"])]
    assert len(named) > 50
    for one in named:
        assert one.label in find(shipped, one.name["ja"].translate(other)), one


def test_every_label_that_means_the_same_character_finds_it(shipped):
    labels = {one.label for one in shipped}
    others = [
        (label, other)
        for label, told in load_search_data().others.items()
        for other in told["labels"]
        if label in labels
    ]
    assert len(others) > 50
    for label, other in others:
        assert label in find(shipped, other), (label, other)


def forget_what_was_read() -> None:
    load_search_data.cache_clear()
    spelling._spell.cache_clear()


def test_search_goes_on_without_the_file(monkeypatch, tmp_path, caplog):
    forget_what_was_read()
    monkeypatch.setattr(spelling, "SEARCH_DATA_FILE", tmp_path / "search.json")
    try:
        miku = Character("miku", {"en": "Miku", "zh": "未来"}, {})
        for query in ("miku", "未来", "weilai", "みく"):
            assert search_characters([miku], query, "en", 9) == [miku], query
        assert "names are found by fewer spellings" in caplog.text
    finally:
        forget_what_was_read()
