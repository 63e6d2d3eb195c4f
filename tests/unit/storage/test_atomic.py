"""Files that are whole or not there: replaced, new, written piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from kyara.storage.atomic import open_replacement, replace_file


@pytest.mark.parametrize("data", ["赤リボン\n", "赤リボン\n".encode()], ids=["text", "bytes"])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path, data: str | bytes) -> None:
    path = tmp_path / "note.txt"
    for old in ("", "old"):
        path.write_text(old)
        replace_file(path, data)
        assert path.read_text(encoding="utf-8") == "赤リボン\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [OSError, ZeroDivisionError, KeyboardInterrupt])
def test_what_fails_in_the_middle_leaves_the_old_file(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(b"old")
    with pytest.raises(failure), open_replacement(path, ".note.part") as file:
        file.write(b"half")
        assert (tmp_path / ".note.part").exists()
        raise failure
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    with open_replacement(path, ".note.part", new=True) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), open_replacement(path, ".note.part", new=True) as file:
        file.write(b"second")
    assert path.read_bytes() == b"first"
    (tmp_path / ".other.part").symlink_to(path)
    with pytest.raises(FileExistsError), open_replacement(tmp_path / "other", ".other.part", new=True):
        pass
    assert path.read_bytes() == b"first"
