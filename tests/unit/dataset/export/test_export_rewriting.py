"""XMP into the pictures of a library: what it knows afterwards, kills, failures, and the way back."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from export_library import hash_all, hash_picture, read_library
from libraries import compare
from sqlalchemy import Engine, select, update

from kyara.dataset.library.export import rewriting
from kyara.dataset.library.export.choosing import Choice
from kyara.dataset.library.export.journal_file import JournalFile
from kyara.dataset.library.export.originals import plan_rewrite
from kyara.dataset.library.export.rewriting import carry_out, undo_rewriting
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.tables import OPERATOR, FaceRow, PictureRow
from kyara.errors import BadInputError, ConflictError, StorageFullError


@pytest.fixture
def engine(library: Path) -> Iterator[Engine]:
    with open_library(str(library)) as opened:
        with opened.begin() as connection:
            connection.execute(update(FaceRow).values(face_group=None, answered_by=OPERATOR))
            connection.execute(update(PictureRow).values(seen_by="test"))
        yield opened


def export(library: Path, engine: Engine, journal: Path) -> int:
    """Write into all pictures; return how many have changed."""
    with JournalFile.begin(journal) as begun:
        rewrites = [plan_rewrite(one, "ja") for one in Choice().choose(read_library(library))]
        some = [one for one in rewrites if one.edits]
        for rewrite in some:
            carry_out(rewrite, begun, engine)
    return len(some)


def read_faces(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        query = select(FaceRow.picture, FaceRow.x, FaceRow.label, FaceRow.answered_by)
        return [tuple(row) for row in connection.execute(query.order_by(FaceRow.id))]


def scan(engine: Engine, pictures: Path) -> tuple[list[str], int]:
    """Return what a scan would look at, and how many pictures would have changed."""
    work, tally, _ = compare(engine, pictures, "test")
    return work, tally.new + tally.changed + tally.moved


def test_the_library_knows_the_pictures_afterwards_and_after_the_way_back(
    library, pictures, engine, tmp_path
):
    before, faces = hash_all(pictures), read_faces(engine)
    turned = pictures / "a" / "turned.jpg"
    os.utime(turned, ns=(10**18, 10**18))
    turned.chmod(0o640)
    assert scan(engine, pictures) == ([], 0)
    assert export(library, engine, tmp_path / "journal.jsonl") == 3
    found = read_library(library)
    assert {str(one.path.relative_to(pictures)): one.sha256 for one in found} == hash_all(pictures)
    assert hash_all(pictures) != before
    assert turned.stat().st_mtime_ns > 10**18 and turned.stat().st_mode & 0o777 == 0o640
    assert (scan(engine, pictures), read_faces(engine)) == (([], 0), faces)
    assert export(library, engine, tmp_path / "second.jsonl") == 0
    assert undo_rewriting(tmp_path / "journal.jsonl", engine, pytest.fail) == 3
    assert hash_all(pictures) == before
    assert turned.stat().st_mtime_ns == 10**18 and turned.stat().st_mode & 0o777 == 0o640
    assert (scan(engine, pictures), read_faces(engine)) == (([], 0), faces)
    assert (tmp_path / "journal.jsonl.undone").exists()
    assert not [path for path in pictures.rglob(".*")]


@pytest.mark.parametrize("step", ["_expect", "_replace", "_note"])
def test_a_run_that_is_killed_forgets_nobody_and_is_taken_back(
    library, pictures, engine, tmp_path, monkeypatch, step
):
    before, faces = hash_all(pictures), read_faces(engine)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rewriting, step, die)
        with pytest.raises(KeyboardInterrupt):
            export(library, engine, tmp_path / "journal.jsonl")
    assert (hash_all(pictures) != before) == (step == "_note")
    assert scan(engine, pictures) == ([], 0)
    assert read_faces(engine) == faces
    assert export(library, engine, tmp_path / "second.jsonl") == 3 - (step == "_note")
    undo_rewriting(tmp_path / "second.jsonl", engine, pytest.fail)
    undo_rewriting(tmp_path / "journal.jsonl", engine, pytest.fail)
    assert hash_all(pictures) == before
    assert (scan(engine, pictures), read_faces(engine)) == (([], 0), faces)


def test_a_kill_and_the_way_back_without_a_scan_between(
    library, pictures, engine, tmp_path, monkeypatch
):
    before = hash_all(pictures)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rewriting, "_note", die)
        with pytest.raises(KeyboardInterrupt):
            export(library, engine, tmp_path / "journal.jsonl")
    assert undo_rewriting(tmp_path / "journal.jsonl", engine, pytest.fail) == 1
    assert hash_all(pictures) == before
    assert scan(engine, pictures) == ([], 0)


def test_a_write_that_fails_leaves_the_picture_to_the_byte(library, pictures, engine, tmp_path):
    picture = next(one for one in read_library(library) if one.path.name == "turned.jpg")
    large = picture.path.read_bytes() + bytes(4_000_000)
    picture.path.write_bytes(large)
    picture = replace(picture, sha256=hash_picture(picture.path))
    rewrite = plan_rewrite(picture, "ja")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JournalFile.begin(tmp_path / "journal.jsonl") as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
        try:
            with pytest.raises(StorageFullError, match="It stays as it is"):
                carry_out(rewrite, journal, engine)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert picture.path.read_bytes() == large
    assert [path.name for path in picture.path.parent.iterdir() if path.name.startswith(".")] == []


def test_what_has_changed_since_stays(library, pictures, engine, tmp_path):
    changed, gone = pictures / "a" / "turned.jpg", pictures / "b" / "formula.png"
    export(library, engine, tmp_path / "journal.jsonl")
    changed.write_bytes(b"mine")
    gone.unlink()
    kept: list[str] = []
    assert undo_rewriting(tmp_path / "journal.jsonl", engine, kept.append) == 1
    assert sorted(kept) == [
        f"{changed} stays: it was changed since.",
        f"{gone} stays: it is not there any more.",
    ]
    assert changed.read_bytes() == b"mine"


def test_a_picture_that_changes_just_before_it_is_replaced_is_left(library, engine, tmp_path):
    picture = next(iter(Choice().choose(read_library(library))))
    rewrite = plan_rewrite(picture, "ja")
    picture.path.write_bytes(b"another")
    with (
        JournalFile.begin(tmp_path / "journal.jsonl") as journal,
        pytest.raises(ConflictError, match="was changed just now"),
    ):
        carry_out(rewrite, journal, engine)
    assert picture.path.read_bytes() == b"another"


def test_links_and_pictures_that_differ_from_the_library_are_refused(library, pictures):
    picture = next(one for one in read_library(library) if one.path.name == "turned.jpg")
    shutil.copyfile(picture.path, pictures / "real.jpg")
    with pytest.raises(ConflictError, match="changed since the scan"):
        plan_rewrite(replace(picture, sha256="0" * 64), "ja")
    picture.path.unlink()
    picture.path.symlink_to(pictures / "real.jpg")
    with pytest.raises(ConflictError, match="it is a link"):
        plan_rewrite(picture, "ja")


def test_another_file_is_no_journal(tmp_path):
    (tmp_path / "sort.jsonl").write_text('{"act": "move", "from": "a", "to": "b", "sha256": null}\n')
    with pytest.raises(BadInputError, match=r"Line 1 of .* is none of a journal"):
        undo_rewriting(tmp_path / "sort.jsonl", None, pytest.fail)
