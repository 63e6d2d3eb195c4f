"""What is read of a library: by character, work, two together, confidence; the nearest faces."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from libraries import NETWORK, PICTURES, Seen, look, open_example, open_new

from kyara.dataset.library.opening import open_library
from kyara.dataset.library.reading import Library, LibraryFace
from kyara.dataset.library.searching import find_nearest
from kyara.errors import BadInputError, NotFoundError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


@pytest.fixture
def library(database_url: str, folder: Path) -> Iterator[Library]:
    """A library with an unreadable and a missing picture beside `PICTURES`."""
    with open_example(database_url, folder, broken=True) as library:
        yield library


def find(library: Library, **asked) -> list[str]:
    return [picture.path.name for picture in library.read_pictures(**asked)]


def test_all_readable_pictures_come_in_the_order_of_their_names(library, folder):
    pictures = list(library.read_pictures())
    assert [picture.path for picture in pictures] == [folder / name for name in sorted(PICTURES)]
    first = pictures[0]
    assert (first.width, first.height, len(first.sha256)) == (30, 20, 64)
    names, work = {"en": "Rem", "ja": "remさん"}, {"en": "Re:ZERO"}
    assert first.faces[0] == LibraryFace((0, 1, 9, 8), "rem", names, work, 0.6, "probably")
    assert [face.label for face in first.faces] == ["rem", "ram"]
    assert pictures[3].faces == (LibraryFace((0, 1, 9, 8), None, {}, {}, 0.2, "unknown"),)
    assert pictures[4].faces == ()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"character": "rem"}, "231"),
        ({"character": "rem", "min_confidence": 0.85}, "23"),
        ({"character": "rem", "min_confidence": 0.991}, ""),
        ({"character": "nobody"}, ""),
        ({"work": "re:z"}, "123"),
        ({"work": "FATE"}, "3"),
        ({"work": "naruto"}, ""),
        ({"character": "rem", "together": ["ram"]}, "1"),
        ({"character": "rem", "together": ["ram"], "min_confidence": 0.7}, ""),
        ({"together": ["saber", "rem"]}, "3"),
        ({"together": ["saber", "ram"]}, ""),
        ({"character": "rem", "work": "Fate"}, "3"),
        ({"min_confidence": 0.9}, "123"),
        ({"min_confidence": 0.96}, "2"),
    ],
)
def test_pictures_are_found_and_the_most_confident_comes_first(library, asked, expected):
    assert find(library, **asked) == [f"{number}.png" for number in expected]


def test_more_pictures_than_are_held_at_a_time_come_each_once(database_url, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    with open_new(database_url, folder) as engine:
        for number in range(1007):
            path = folder / f"{number:04}.png"
            path.write_text(path.name)
            look(engine, path, [Seen("rem", (number * 37 % 1007) / 1007)])
        library = Library(engine)
        assert find(library) == [f"{number:04}.png" for number in range(1007)]
        confident = [
            face.confidence
            for picture in library.read_pictures(character="rem")
            for face in picture.faces
        ]
        assert confident == sorted(confident, reverse=True)
        assert len(confident) == 1007


def test_the_nearest_faces_come_first(library):
    found = find_nearest(library, np.array([2.0, 0.0]), NETWORK, 10)
    assert [picture.path.name for _, picture in found] == ["1.png", "3.png", "4.png", "2.png"]
    assert [cosine for cosine, _ in found] == pytest.approx([1.0, 1.0, 0.8, 0.6], abs=1e-3)
    assert [picture.path.name for _, picture in find_nearest(library, np.array([0, 1]), NETWORK, 2)] == [
        "2.png",
        "4.png",
    ]
    with pytest.raises(BadInputError, match="another network: scan it again"):
        find_nearest(library, np.array([1.0, 0.0]), "another", 10)


def test_characters_are_counted_by_their_pictures(library):
    assert library.count_characters(2) == [("rem", 3), ("ram", 1)]
    assert library.read_characters()["ram"].name_in("ja") == "ramさん"


def test_a_library_that_is_not_there_is_not_made(tmp_path):
    with (
        pytest.raises(NotFoundError, match=r"There is no library .*none\.db; `kyara scan FOLDER`"),
        Library.open(str(tmp_path / "none.db")),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_library_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "notes.db").write_text("no database" * 1000)
    with pytest.raises(BadInputError, match=r"The database of library .*cannot be used"):
        with open_library(str(tmp_path / "notes.db")):
            pass


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize(
    ("new", "sentence"),
    [(False, "has no library. `kyara scan FOLDER` makes one"), (True, "is another program's database")],
)
def test_the_database_of_another_program_stays_as_it_is(tmp_path, journal, new, sentence):
    file = tmp_path / "photos #1?.db"
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute(f"PRAGMA journal_mode = {journal}")
        theirs.execute("CREATE TABLE photos (path TEXT)")
        theirs.commit()
    before = file.read_bytes()
    with pytest.raises((NotFoundError, BadInputError), match=sentence), open_library(str(file), new=new):
        pass
    assert file.read_bytes() == before


def test_a_library_is_made_in_an_empty_file_only_where_one_is_wanted(tmp_path):
    file = tmp_path / "library.db"
    file.touch()
    with pytest.raises(NotFoundError, match="has no library"), open_library(str(file)):
        pass
    assert file.read_bytes() == b""
    with open_library(str(file), new=True):
        pass
    with Library.open(str(file)) as library:
        assert library.count_characters(1) == []
