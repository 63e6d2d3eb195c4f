"""Folders beside a library: what is new, changed, moved or missing, and what is not even opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from libraries import SEEN_BY, Seen, compare, dump, list_paths, look, open_new
from sqlalchemy import Engine, update

from kyara.dataset.library.contents import forget_root, list_roots
from kyara.dataset.library.parts import plan_parts
from kyara.dataset.library.scanning import hold_library
from kyara.dataset.library.tables import PictureRow
from kyara.errors import BadInputError, BusyError, NotFoundError
from kyara.storage.clock import tell_time


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files with names of pictures, each with a content of its own length."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(("a.png", "b/c.jpg", "b.png", "b/d/e.webp")):
        write(folder / name, f"{name}{'x' * number}")
    return folder


@pytest.fixture
def engine(database_url: str, folder: Path) -> Iterator[Engine]:
    """A library that has seen the folder, on SQLite and on PostgreSQL."""
    with open_new(database_url, folder) as engine:
        work, _, _ = compare(engine, folder)
        for number, path in enumerate(work):
            look(engine, folder / path, [Seen("rem", number / 10)])
        yield engine


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def replace_unseen(path: Path) -> None:
    """Change the content of a file, and neither its size nor its time."""
    found = path.stat()
    path.write_text("?" * found.st_size)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_new_pictures_come_in_the_order_of_the_bytes_of_their_paths(database_url, folder):
    write(folder / "b-.png", "1")
    write(folder / "é.png", "2")
    with open_new(database_url, folder) as engine:
        work, tally, _ = compare(engine, folder)
    assert work == ["a.png", "b-.png", "b.png", "b/c.jpg", "b/d/e.webp", "é.png"]
    assert work == sorted(work, key=os.fsencode)
    assert (tally.new, tally.changed, tally.moved) == (6, 0, 0)


def test_what_is_unchanged_is_not_opened(engine, folder):
    for path in folder.rglob("*.*"):
        replace_unseen(path)
    before = dump(engine.url.render_as_string(hide_password=False))
    work, tally, failed = compare(engine, folder)
    assert (work, failed) == ([], [])
    assert (tally.new, tally.changed, tally.moved, tally.again) == (0, 0, 0, 0)
    assert dump(engine.url.render_as_string(hide_password=False)) == before


def test_a_changed_file_is_looked_at_again_and_a_touched_one_is_not(engine, folder):
    write(folder / "a.png", "another text")
    os.utime(folder / "b.png", ns=(1, 2))
    work, tally, _ = compare(engine, folder)
    assert (work, tally.changed, tally.new) == (["a.png"], 1, 0)
    look(engine, folder / "a.png")
    replace_unseen(folder / "b.png")  # its time was taken over: it is not opened again
    assert compare(engine, folder)[0] == []


@pytest.mark.parametrize("target", ["0.png", "b/z.png", "z/deep/y.png"])
def test_a_moved_file_keeps_its_faces_and_is_not_looked_at(engine, folder, target):
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    (folder / "b" / "c.jpg").rename(folder / target)
    (was,) = (faces for path, _, faces in dump_of(engine) if path.endswith("b/c.jpg"))
    work, tally, _ = compare(engine, folder)
    assert (work, tally.moved, tally.new) == ([], 1, 0)
    assert list_paths(engine) == {"a.png": True, "b.png": True, "b/d/e.webp": True, target: True}
    (now,) = (faces for path, _, faces in dump_of(engine) if path.endswith(target))
    assert now == was != []


def dump_of(engine: Engine):
    return dump(engine.url.render_as_string(hide_password=False))


def test_a_moved_folder_a_copy_and_two_that_changed_places_are_followed(engine, folder):
    (folder / "b").rename(folder / "moved")
    shutil.copyfile(folder / "moved" / "c.jpg", folder / "copy.jpg")
    (folder / "a.png").rename(folder / "t.png")
    (folder / "b.png").rename(folder / "a.png")
    (folder / "t.png").rename(folder / "b.png")
    before = {row["sha256"]: faces for _, row, faces in dump_of(engine)}
    work, tally, _ = compare(engine, folder)
    # of the two that changed places the first takes the other's faces; the other's own are gone by then
    assert (work, tally.moved, tally.new, tally.changed) == (["b.png"], 2, 1, 2)
    look(engine, folder / "b.png", [Seen("rem", 0.0)])
    assert compare(engine, folder)[0] == []
    after = {row["sha256"]: faces for _, row, faces in dump_of(engine)}
    assert after == before
    assert list_paths(engine).keys() == {"a.png", "b.png", "copy.jpg", "moved/c.jpg", "moved/d/e.webp"}


def test_a_vanished_file_is_missing_until_it_comes_back(engine, folder):
    away = folder.parent / "away"
    (folder / "b").rename(away)
    work, _, _ = compare(engine, folder)
    assert work == []
    gone = {"b/c.jpg": False, "b/d/e.webp": False}
    assert list_paths(engine) == {"a.png": True, "b.png": True, **gone}
    away.rename(folder / "b")
    work, tally, _ = compare(engine, folder)
    assert (work, tally.new, all(list_paths(engine).values())) == ([], 0, True)


def test_a_missing_file_that_comes_back_elsewhere_was_moved(engine, folder):
    away = (folder / "a.png").rename(folder.parent / "a.png")
    compare(engine, folder)
    away.rename(folder / "b" / "new.png")
    work, tally, _ = compare(engine, folder)
    assert (work, tally.moved, all(list_paths(engine).values())) == ([], 1, True)


def test_hidden_files_links_to_folders_and_broken_links_are_passed_over(engine, folder):
    for name in (".hidden.png", "._a.png", ".thumbs/x.png", "b/.y/z.png", "notes.txt"):
        write(folder / name, name * 3)
    (folder / "loop").symlink_to(folder)
    (folder / "nothing.png").symlink_to(folder / "nowhere")
    (folder / "dir.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    assert compare(engine, folder)[0] == []
    (folder / "link.png").symlink_to(write(folder.parent / "other.png", "other"))
    assert compare(engine, folder)[0] == ["link.png"]


def test_a_name_that_is_no_utf8_is_kept_to_the_byte(engine, folder):
    name = os.fsdecode(b"\xff\xfe\x80.png")
    (folder / name).write_text("of no encoding")
    assert compare(engine, folder)[0] == [name]
    look(engine, folder / name)
    assert compare(engine, folder)[0] == []
    assert list_paths(engine)[name]


def test_another_detector_or_network_looks_again_at_everything(engine, folder):
    look(engine, folder / "a.png", error="This is not a picture.")
    assert compare(engine, folder)[0] == []
    work, tally, _ = compare(engine, folder, seen_by=f"{SEEN_BY}2")
    assert (work, tally.again, tally.changed) == (["a.png", "b.png", "b/c.jpg", "b/d/e.webp"], 4, 0)


def test_what_could_not_be_read_is_tried_again_where_more_can_be(engine, folder):
    look(engine, folder / "a.png", error="This is a HEIC picture, which needs the package pillow-heif.")
    work, tally, _ = compare(engine, folder, reads="+heif")
    assert (work, tally.again) == (["a.png"], 1)


def test_an_unreadable_picture_is_tried_again_when_touched_and_so_is_each_copy(engine, folder):
    look(engine, folder / "a.png", error="This is not a picture.")
    shutil.copyfile(folder / "a.png", folder / "copy.png")
    work, tally, _ = compare(engine, folder)
    assert (work, tally.new) == (["copy.png"], 1)
    os.utime(folder / "a.png", ns=(1, 2))
    work, tally, _ = compare(engine, folder)
    assert (work, tally.changed) == (["a.png", "copy.png"], 0)


def test_a_folder_inside_a_scanned_one_is_of_its_root_and_leaves_the_rest_alone(engine, folder):
    (folder / "a.png").unlink()
    write(folder / "b" / "new.png", "new")
    write(folder / "b0.png", "beside it in the order of the names")
    assert compare(engine, folder / "b")[0] == ["new.png"]
    assert all(list_paths(engine).values())
    assert [part.prefix for part in plan_parts(engine, os.fspath(folder / "b"))] == ["b/"]


def test_a_folder_around_scanned_ones_leaves_their_pictures_where_they_are(engine, folder):
    beside = write(folder.parent / "beside.png", "beside")
    write(folder.parent / "pictures2" / "c.png", "c")
    work, tally, _ = compare(engine, folder.parent)
    assert (work, tally.new) == (["beside.png", "pictures2/c.png"], 2)
    look(engine, beside)
    assert compare(engine, folder.parent)[0] == ["pictures2/c.png"]
    shutil.rmtree(folder)
    _, tally, failed = compare(engine, folder.parent)
    assert (failed, tally.failed) == ([f"{folder}/"], 1)  # it may be on a disk that is not there
    assert all(list_paths(engine).values())


def test_a_file_that_could_not_be_opened_is_tried_again(engine, folder):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE library_pictures SET size = -1, error = 'It cannot be read'")
    work, tally, _ = compare(engine, folder)
    assert (len(work), tally.changed, tally.new) == (4, 0, 0)


def test_a_folder_that_is_not_there_is_refused_and_nothing_is_missing(engine, folder):
    folder.rename(folder.parent / "unplugged")
    with pytest.raises(BadInputError, match=r"The folder .*pictures cannot be read"):
        compare(engine, folder)
    assert all(list_paths(engine).values())


@pytest.mark.parametrize("left", ["", "lost+found/", "notes.txt"])
def test_a_folder_without_any_picture_left_is_told_and_nothing_is_missing(engine, folder, left):
    """The mount point of a disk that is not there looks so."""
    shutil.rmtree(folder)
    folder.mkdir()
    if left:
        (folder / left).mkdir() if left.endswith("/") else (folder / left).write_text("notes")
    work, tally, failed = compare(engine, folder)
    assert (work, failed, tally.failed) == ([], [f"{folder}/"], 1)
    assert all(list_paths(engine).values())


def test_a_folder_whose_pictures_were_missing_already_is_no_error(engine, folder):
    with engine.begin() as connection:
        connection.execute(update(PictureRow).values(missing_since=tell_time()))
    shutil.rmtree(folder)
    folder.mkdir()
    assert compare(engine, folder)[2] == []


def test_a_file_that_cannot_be_looked_up_is_told_and_not_missing(engine, folder):
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to("n" * 300)  # a name that no file can have
    (folder / "b.png").unlink()
    (folder / "b.png").symlink_to("b.png")  # a circle: there is no such file
    _, tally, failed = compare(engine, folder)
    assert (failed, tally.failed) == ([f"{folder}/a.png"], 1)
    assert list_paths(engine) == {"a.png": True, "b.png": False, "b/c.jpg": True, "b/d/e.webp": True}


def test_a_folder_that_is_a_link_is_refused(engine, folder):
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(BadInputError, match=rf"link is a link, to {folder}; scan that one\."):
        plan_parts(engine, os.fspath(folder.parent / "link"))


def test_a_forgotten_folder_goes_with_those_inside_it(engine, folder):
    beside = write(folder.parent / "pictures2" / "c.png", "c")
    plan_parts(engine, os.fspath(beside.parent))
    look(engine, beside)
    plan_parts(engine, os.fspath(folder.parent))
    with pytest.raises(NotFoundError, match="is no folder that was scanned"):
        forget_root(engine, os.fspath(folder / "b"))
    assert forget_root(engine, "elsewhere", os.fspath(beside.parent)) == 1
    assert len(list_paths(engine)) == 4
    assert forget_root(engine, os.fspath(folder.parent)) == 4
    assert (list_paths(engine), list_roots(engine)) == ({}, [])


def test_a_library_is_held_by_one_scan(database_url, engine, tmp_path):
    with hold_library(engine, database_url):
        with pytest.raises(BusyError, match="Another scan of this library runs"):
            with hold_library(engine, database_url):
                pass
    with hold_library(engine, database_url):
        pass
    assert not list(tmp_path.rglob("*.lock"))


def test_more_files_than_a_page_has_are_compared(database_url, tmp_path):
    folder = tmp_path / "many"
    for number in range(1203):
        write(folder / f"{number % 7}" / f"{number}.png", f"{number}")
    with open_new(database_url, folder) as engine:
        work, tally, _ = compare(engine, folder)
        assert (len(work), tally.new, work) == (1203, 1203, sorted(work))
        for path in work[::2]:
            look(engine, folder / path)
        assert compare(engine, folder)[0] == work[1::2]


def test_what_lies_in_a_folder_that_cannot_be_read_is_not_missing(engine, folder):
    prefix, descriptor = "", os.open(folder, os.O_RDONLY)
    while len(os.path.join(folder, prefix)) < 4096:  # longer than a path may be
        name = "n" * 250
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        prefix, descriptor = f"{prefix}{name}/", inner
    os.close(descriptor)
    with engine.begin() as connection:
        connection.execute(
            update(PictureRow).where(PictureRow.path == "a.png").values(path=f"{prefix}far.png")
        )
    (folder / "a.png").unlink()
    _, tally, failed = compare(engine, folder)
    assert (failed, tally.failed) == ([os.path.join(folder, prefix)], 1)
    assert list_paths(engine)[f"{prefix}far.png"]
