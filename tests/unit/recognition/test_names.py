from __future__ import annotations

import json

import pytest

from kyara.errors import BadInputError
from kyara.recognition.characters import Names, read_names


def write(tmp_path, entries):
    path = tmp_path / "names.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries), encoding="utf-8")
    return path


def test_names_and_doubles_are_read(tmp_path):
    entries = {
        "miku": {"name": {"ja": "ミク", "en": " Miku "}, "work": {}},
        "game/miku2": {"name": {"en": "Miku"}, "work": {"en": "Game"}, "same_as": "game/miku"},
        "game/miku": {"same_as": "miku"},
    }
    names = read_names(write(tmp_path, entries))
    assert names.find("miku").name == {"ja": "ミク", "en": "Miku"}
    assert names.same_as == {"game/miku2": "miku", "game/miku": "miku"}


def test_a_plain_label_is_named_by_its_words_and_a_code_is_not():
    assert Names().find("some_one").name == {"en": "Some One"}
    assert Names().find("arknights/absin").name == {}


def test_an_entry_without_a_name_stays_unnamed(tmp_path):
    names = read_names(write(tmp_path, {"some_one": {"name": {}, "work": {"en": "Somewhere"}}}))
    assert names.find("some_one").name == {}
    assert names.find("some_one").work_in("ja") == "Somewhere"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("{", "not a file of character names"),
        ({"a": 1}, "not a file of character names"),
        ({"a": {"name": {"en": 3}}}, "name of a"),
        ({"a": {"name": {"fr": "A"}}}, "name of a"),
        ({"a": {"same_as": "b"}, "b": {"same_as": "a"}}, "in a circle"),
        ({"a": {"same_as": "a"}}, "in a circle"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, entries, message):
    with pytest.raises(BadInputError, match=message):
        read_names(write(tmp_path, entries))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"nowhere\.json"):
        read_names(tmp_path / "nowhere.json")
