"""Watching folders: what a change has scanned, and what wakes nobody; with the real watch."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kyara.dataset.library.watching import watch_folders
from kyara.errors import BadInputError, BusyError, NotInstalledError


class Seen(Exception):
    """What was waited for has been scanned."""


def watch(
    folders: list[Path], own: tuple[str, ...], change: Callable[[], None], last: Path
) -> list[list[str]]:
    """Watch, and change something in the first scan; return what is scanned until `last` is."""
    scanned: list[list[str]] = []

    def scan(due: list[str]) -> None:
        scanned.append(due)
        if len(scanned) == 1:
            change()
        elif any(last.is_relative_to(folder) for folder in due):
            raise Seen

    with pytest.raises(Seen):
        watch_folders([os.fspath(folder) for folder in folders], own, scan, pytest.fail)
    return scanned


def write(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("picture")
    return path


def test_what_a_scan_writes_itself_wakes_nobody(tmp_path):
    own = (str(tmp_path / "library.db"), str(tmp_path / "work"))

    def change() -> None:
        write(tmp_path / "library.db").unlink()
        write(tmp_path / "work" / "lock").unlink()
        (tmp_path / "work").rmdir()
        write(tmp_path / "workshop" / "a.png")  # begins as one of them does

    last = tmp_path / "workshop" / "a.png"
    assert watch([tmp_path], own, change, last) == [[str(tmp_path)], [str(tmp_path / "workshop")]]


def test_a_change_in_a_folder_that_is_a_link_never_has_it_scanned(tmp_path):
    folder, away = tmp_path / "pictures", tmp_path / "away"
    (away / "deep").mkdir(parents=True)
    folder.mkdir()
    (folder / "link").symlink_to(away)

    def change() -> None:
        write(away / "deep" / "a.png")
        write(folder / "real" / "b.png")

    scanned = watch([folder], (), change, folder / "real" / "b.png")
    assert {one for due in scanned for one in due} <= {str(folder), str(folder / "real")}


def test_where_another_scan_runs_it_is_tried_again_at_the_next_change(tmp_path):
    said, scanned = [], []

    def scan(due: list[str]) -> None:
        scanned.append(due)
        if len(scanned) > 1:
            raise Seen
        write(tmp_path / "sub" / "a.png")
        raise BusyError("Another scan of this library runs; wait for its end.")

    with pytest.raises(Seen):
        watch_folders([str(tmp_path)], (), scan, said.append)
    assert scanned == [[str(tmp_path)]] * 2
    assert said == [
        "Another scan of this library runs; wait for its end. It is tried again at the next change."
    ]


def test_of_folders_that_are_gone_the_others_are_watched(tmp_path):
    gone, there = tmp_path / "gone", tmp_path / "there"
    there.mkdir()
    scanned = watch([gone, there], (), lambda: write(there / "a.png") and None, there / "a.png")
    assert scanned == [[str(gone), str(there)], [str(there)]]


@pytest.mark.parametrize("names", [[], ["gone"]])
def test_no_folder_to_watch_is_a_sentence(tmp_path, names):
    with pytest.raises(BadInputError, match=re.escape("There is no folder to watch: name one")):
        watch_folders(
            [str(tmp_path / name) for name in names], (), lambda due: pytest.fail(str(due)), pytest.fail
        )


def test_watching_without_its_package_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(NotInstalledError, match=r"watchfiles.*requirements-library\.txt"):
        watch_folders([str(tmp_path)], (), lambda due: pytest.fail(str(due)), pytest.fail)
