"""A file is read again when it has changed, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kyara.errors import BadInputError
from kyara.storage.atomic import replace_file
from kyara.storage.rereading import read_once


@pytest.fixture
def reads() -> list[Path]:
    return []


@pytest.fixture
def read(reads: list[Path]):
    @read_once
    def read(path: Path) -> str:
        """Read a text."""
        reads.append(path)
        text = path.read_text()
        if text == "bad":
            raise BadInputError("bad")
        return text

    return read


def test_a_file_that_stays_is_read_once(tmp_path, read, reads):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    assert [read(one), read(other), read(one), read(other)] == ["1", "2", "1", "2"]
    assert reads == [one, other]
    assert read.__doc__ == "Read a text."


def test_a_changed_file_is_read_again(tmp_path, read):
    path = tmp_path / "file"
    path.write_text("old")
    assert read(path) == "old"
    path.write_text("new one")
    assert read(path) == "new one"


def test_another_file_of_the_same_size_and_time_is_read_again(tmp_path, read):
    path = tmp_path / "file"
    path.write_text("old")
    about = path.stat()
    assert read(path) == "old"
    replace_file(path, "new")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert read(path) == "new"


def test_what_was_raised_is_not_kept(tmp_path, read):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        read(path)
    path.write_text("bad")
    for _ in range(2):
        with pytest.raises(BadInputError):
            read(path)
    path.write_text("good")
    assert read(path) == "good"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read(path)
