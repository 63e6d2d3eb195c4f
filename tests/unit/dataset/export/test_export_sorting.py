"""A folder for each character: what goes where, and the way back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from export_library import MIKU, SABER, hash_all, read_library

from kyara.dataset.library.export import sorting
from kyara.dataset.library.export.choosing import Choice
from kyara.dataset.library.export.journal import (
    JOURNAL_PREFIX,
    SortJournal,
    read_journal,
    undo_sorting,
)
from kyara.dataset.library.export.sorting import (
    MAX_NAME_BYTES,
    carry_out,
    leave_out_links,
    make_name_safe,
    name_folders,
    plan_sorting,
)
from kyara.dataset.library.reading import LibraryPicture
from kyara.errors import BadInputError, KyaraError

MIKU_FOLDER, SABER_FOLDER = "初音ミク (ボーカロイド)", "セイバー (Fate／stay night)"


@pytest.fixture
def chosen(library: Path) -> list[LibraryPicture]:
    return list(Choice().choose(read_library(library)))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


def sort(chosen: list[LibraryPicture], out: Path, how, name: str = "journal.jsonl") -> int:
    """Sort; return how many were placed."""
    new = [one for one in plan_sorting(chosen, out, how, "ja") if not one.is_there]
    with SortJournal.begin(out.parent / name) as journal:
        carry_out(new, how, journal)
    return len(new)


def list_all(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


SORTED = sorted(
    [
        f"{MIKU_FOLDER}/both 初音.jpg",
        f"{SABER_FOLDER}/both 初音.jpg",
        f"{MIKU_FOLDER}/turned.jpg",
        "ぼっち, ちゃん/formula.png",
    ]
)


@pytest.mark.parametrize("how", ["link", "copy"])
def test_a_picture_of_two_goes_to_both_and_all_is_taken_back(chosen, pictures, out, how):
    before = hash_all(pictures)
    assert sort(chosen, out, how) == 4
    assert list_all(out) == SORTED
    both = out / SABER_FOLDER / "both 初音.jpg"
    assert both.is_symlink() == (how == "link")
    assert both.read_bytes() == (pictures / "a" / "both 初音.jpg").read_bytes()
    assert hash_all(pictures) == before
    assert sort(chosen, out, how, "second.jsonl") == 0, "all are there"
    kept: list[str] = []
    assert undo_sorting(out.parent / "journal.jsonl", kept.append) == 4
    assert not kept and not out.exists()
    assert hash_all(pictures) == before
    assert (out.parent / "journal.jsonl.undone").exists()


def test_a_picture_of_two_is_moved_to_the_surest_and_back(chosen, pictures, out):
    before = hash_all(pictures)
    assert sort(chosen, out, "move") == 3
    assert list_all(out) == sorted(set(SORTED) - {f"{MIKU_FOLDER}/both 初音.jpg"})
    assert list_all(pictures) == ["b/saber.png", "b/stranger.png"]
    moved = [
        replace(one, path=out / SABER_FOLDER / one.path.name)
        for one in chosen
        if one.path.name == "both 初音.jpg"
    ]
    assert sort(moved, out, "move", "second.jsonl") == 0, "after another scan it is there"
    assert undo_sorting(out.parent / "journal.jsonl", pytest.fail) == 3
    assert hash_all(pictures) == before
    assert not out.exists()


def write_beside(pictures: Path, *names: str) -> None:
    for name in names:
        (pictures / "a" / name).write_text(f"about {name}")


def test_sidecars_move_with_their_picture_and_come_back(chosen, pictures, out):
    write_beside(pictures, "turned.jpg.xmp", "turned.jpg.txt", "turned.txt", "notes.txt")
    (pictures / "a" / "both 初音.jpg.xmp").symlink_to("turned.jpg.xmp")
    before = hash_all(pictures)
    assert sort(chosen, out, "move") == 3
    names = ("turned.jpg", "turned.jpg.xmp", "turned.jpg.txt", "turned.txt")
    moved = [name for name in list_all(out) if "turned" in name]
    assert moved == sorted(f"{MIKU_FOLDER}/{name}" for name in names)
    assert (out / MIKU_FOLDER / "turned.jpg.xmp").read_text() == "about turned.jpg.xmp"
    assert list_all(pictures / "a") == ["both 初音.jpg.xmp", "notes.txt"]
    assert undo_sorting(out.parent / "journal.jsonl", pytest.fail) == 3, "pictures are counted"
    assert hash_all(pictures) == before and not out.exists()


@pytest.mark.parametrize("how", ["link", "copy"])
def test_sidecars_stay_with_a_picture_that_stays(chosen, pictures, out, how):
    write_beside(pictures, "turned.jpg.xmp")
    sort(chosen, out, how)
    assert list_all(out) == SORTED


def test_a_text_of_two_pictures_moves_with_neither(chosen, pictures, out):
    write_beside(pictures, "turned.png", "turned.txt", "turned.jpg.txt")
    sort(chosen, out, "move")
    assert list_all(pictures / "a") == ["turned.png", "turned.txt"]
    assert (out / MIKU_FOLDER / "turned.jpg.txt").exists()


@pytest.mark.parametrize("taken", ["turned.jpg", "TURNED.jpg.xmp", "turned.txt"])
def test_a_picture_and_its_sidecars_have_one_number(chosen, pictures, out, taken):
    write_beside(pictures, "turned.jpg.xmp", "turned.txt")
    folder = out / MIKU_FOLDER
    folder.mkdir(parents=True)
    (folder / taken).write_text("mine")
    sort(chosen, out, "move")
    numbered = ["turned (2).jpg", "turned (2).jpg.xmp", "turned (2).txt"]
    assert list_all(folder) == sorted([taken, *numbered])
    assert (folder / taken).read_text() == "mine"


@pytest.mark.parametrize("cut_short", [False, True])
def test_a_run_that_is_killed_between_a_sidecar_and_its_picture_goes_on(
    chosen, pictures, out, monkeypatch, cut_short
):
    write_beside(pictures, "turned.jpg.xmp")
    before = hash_all(pictures)
    real = sorting.move_file

    def die(source: Path, target: Path) -> None:
        real(source, target)
        if source.name == "turned.jpg.xmp":
            if cut_short:  # as between two disks: it is in both places
                source.write_bytes(target.read_bytes())
            raise KeyboardInterrupt

    first = out / f"{JOURNAL_PREFIX}1.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(sorting, "move_file", die)
        placings = list(plan_sorting(chosen, out, "move", "ja"))
        with pytest.raises(KeyboardInterrupt), SortJournal.begin(first) as journal:
            carry_out(placings, "move", journal)
    left = [one for one in chosen if one.path.exists()]
    sort(left, out, "move")
    assert list_all(out / MIKU_FOLDER) == ["turned.jpg", "turned.jpg.xmp"]
    undo_sorting(out.parent / "journal.jsonl", pytest.fail)
    undo_sorting(first, pytest.fail)
    assert hash_all(pictures) == before


def test_a_sidecar_stays_with_a_picture_whose_old_place_is_taken(chosen, pictures, out):
    write_beside(pictures, "turned.jpg.xmp", "both 初音.jpg.txt")
    sort(chosen, out, "move")
    (pictures / "a" / "turned.jpg").write_text("another")
    assert undo_sorting(out.parent / "journal.jsonl", lambda _: None) == 2
    assert list_all(out) == [f"{MIKU_FOLDER}/turned.jpg", f"{MIKU_FOLDER}/turned.jpg.xmp"]
    assert (pictures / "a" / "both 初音.jpg.txt").exists()


@pytest.mark.parametrize("how", ["link", "copy", "move"])
def test_nothing_is_written_over(chosen, pictures, out, how):
    taken = out / MIKU_FOLDER / "TURNED.jpg"  # the same name on Windows and macOS
    taken.parent.mkdir(parents=True)
    taken.write_text("mine")
    sort(chosen, out, how)
    assert taken.read_text() == "mine"
    assert (out / MIKU_FOLDER / "turned (2).jpg").exists()
    undo_sorting(out.parent / "journal.jsonl", pytest.fail)
    assert list_all(out) == [f"{MIKU_FOLDER}/TURNED.jpg"]


def test_links_are_made_once_though_they_were_scanned_since(chosen, pictures, out):
    assert sort(chosen, out, "link") == 4
    linked = [replace(chosen[0], path=out / SABER_FOLDER / chosen[0].path.name)]
    alias = pictures.parent / "alias"
    alias.symlink_to(pictures)
    others = [replace(one, path=alias / one.path.relative_to(pictures)) for one in chosen]
    kept, links = leave_out_links([*chosen, *linked, *others], out, "link")
    assert (kept, links) == ([*chosen, *others], [])
    assert sort(kept, out, "link", "second.jsonl") == 0


def test_a_picture_that_is_a_link_is_not_moved(chosen, pictures, out):
    link = pictures / "link.jpg"
    link.symlink_to(chosen[0].path)
    linked = replace(chosen[0], path=link)
    assert leave_out_links([*chosen, linked], out, "move") == (chosen, [link])
    assert leave_out_links([*chosen, linked], out, "copy") == ([*chosen, linked], [])


def cut_move_short(chosen: list[LibraryPicture], out: Path) -> tuple[Path, Path]:
    """Leave what a move to another disk does that is killed before the old file goes; return it."""
    placing = next(one for one in plan_sorting(chosen, out, "move", "ja") if "turned" in one.source.name)
    with SortJournal.begin(out / f"{JOURNAL_PREFIX}1.jsonl") as journal:
        carry_out([placing], "move", journal)
    placing.source.write_bytes(placing.target.read_bytes())
    (placing.target.parent / ".turned.jpg.partial").write_text("half of it")
    return placing.source, placing.target


def test_a_move_that_was_cut_short_is_taken_back(chosen, pictures, out):
    before = hash_all(pictures)
    cut_move_short(chosen, out)
    assert undo_sorting(out / f"{JOURNAL_PREFIX}1.jsonl", pytest.fail) == 1
    assert hash_all(pictures) == before
    assert [path.name for path in out.iterdir()] == [f"{JOURNAL_PREFIX}1.jsonl.undone"]


def test_a_move_that_was_cut_short_is_ended_by_the_next_run(chosen, pictures, out):
    before = hash_all(pictures)
    source, target = cut_move_short(chosen, out)
    assert sort(chosen, out, "move") == 3
    assert (source.exists(), hash_all(out)[str(target.relative_to(out))]) == (
        False,
        before["a/turned.jpg"],
    )
    assert not (target.parent / "turned (2).jpg").exists()
    undo_sorting(out.parent / "journal.jsonl", pytest.fail)
    assert hash_all(pictures) == before


def test_another_picture_with_the_content_of_a_moved_one_is_kept(chosen, pictures, out):
    source, target = cut_move_short(chosen, out)
    source.unlink()
    twin = pictures / "b" / "turned.jpg"
    twin.write_bytes(target.read_bytes())
    again = [replace(one, path=twin) for one in chosen if one.path == source]
    assert sort(again, out, "move") == 1
    assert target.exists() and (target.parent / "turned (2).jpg").exists()


def test_a_moved_picture_that_was_changed_at_its_old_place_stays(chosen, pictures, out):
    source, target = cut_move_short(chosen, out)
    source.write_text("drawn over")
    kept: list[str] = []
    assert undo_sorting(out / f"{JOURNAL_PREFIX}1.jsonl", kept.append) == 0
    assert target.exists() and source.read_text() == "drawn over" and "again" in kept[0]


def test_what_has_changed_since_stays(chosen, pictures, out):
    sort(chosen, out, "copy")
    (out / MIKU_FOLDER / "turned.jpg").write_text("drawn over")
    kept: list[str] = []
    assert undo_sorting(out.parent / "journal.jsonl", kept.append) == 3
    assert list_all(out) == [f"{MIKU_FOLDER}/turned.jpg"]
    assert len(kept) == 1 and kept[0].endswith("turned.jpg stays: it was changed since.")


def test_a_moved_picture_whose_old_place_is_taken_stays(chosen, pictures, out):
    sort(chosen, out, "move")
    (pictures / "a" / "turned.jpg").write_text("another")
    kept: list[str] = []
    assert undo_sorting(out.parent / "journal.jsonl", kept.append) == 2
    assert (pictures / "a" / "turned.jpg").read_text() == "another"
    assert (out / MIKU_FOLDER / "turned.jpg").exists() and "again" in kept[0]


def test_every_line_is_on_disk_before_its_act(chosen, pictures, out, monkeypatch):
    """Killed at any act, what was done is in the journal, and the same command goes on."""
    real = os.symlink

    def die(*arguments, **more):
        if Path(arguments[1]).name == "turned.jpg":
            raise KeyboardInterrupt
        real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "symlink", die)
        with pytest.raises(KeyboardInterrupt):
            sort(chosen, out, "link")
    acts = read_journal(out.parent / "journal.jsonl")
    assert [act.target.name for act in acts if act.kind == "link"][-1] == "turned.jpg"
    assert list_all(out) == [name for name in SORTED if name.endswith("both 初音.jpg")]
    assert sort(chosen, out, "link", "second.jsonl") == 2
    assert list_all(out) == SORTED
    undo_sorting(out.parent / "second.jsonl", pytest.fail)
    undo_sorting(out.parent / "journal.jsonl", pytest.fail)
    assert not out.exists()


def test_what_was_done_before_a_disk_refuses_is_in_the_journal(chosen, out):
    out.mkdir()
    (out / MIKU_FOLDER).write_text("a file where a folder is to be")
    with pytest.raises(KyaraError, match=r"journal\.jsonl, which --undo takes back"):
        sort(chosen, out, "copy")
    assert list_all(out) == [f"{SABER_FOLDER}/both 初音.jpg", MIKU_FOLDER]
    assert undo_sorting(out.parent / "journal.jsonl", pytest.fail) == 1
    assert list_all(out) == [MIKU_FOLDER]


def test_a_part_of_a_copy_goes_with_it(chosen, out):
    sort(chosen, out, "copy")
    (out / MIKU_FOLDER / ".turned.jpg.123.partial").write_text("half")
    undo_sorting(out.parent / "journal.jsonl", pytest.fail)
    assert not out.exists()


def test_a_last_line_that_was_cut_short_tells_nothing(chosen, out):
    sort(chosen, out, "link")
    journal = out.parent / "journal.jsonl"
    acts = read_journal(journal)
    journal.write_text(journal.read_text() + '{"act": "move", "from": "/a')
    assert read_journal(journal) == acts


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("notes\n", "Line 1 of .* is none"),
        ('{"act": "link"}\n', "Line 1 of .* is none"),
        (
            json.dumps({"act": "burn", "from": "a", "to": "b", "sha256": None}) + "\n",
            "unknown act 'burn'",
        ),
        ("初音", "cannot be read"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path, text, sentence):
    (tmp_path / "x.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=sentence):
        undo_sorting(tmp_path / "x.jsonl", pytest.fail)


def test_a_journal_is_never_written_over(tmp_path):
    (tmp_path / "x.jsonl").write_text("old")
    with pytest.raises(KyaraError, match="Nothing was done"), SortJournal.begin(tmp_path / "x.jsonl"):
        pytest.fail("it was begun")
    assert (tmp_path / "x.jsonl").read_text() == "old"


def test_two_characters_of_one_name_have_two_folders(chosen):
    face = chosen[0].faces[0]
    twin = replace(face, label="other/miku", names={"ja": "初音ミク"}, work={"ja": "ボーカロイド"})
    third = replace(face, label="third", names={"ja": "Saber"}, work={})
    fourth = replace(face, label="fourth", names={"ja": "SABER"}, work={})
    faces = (face, twin, third, fourth)
    assert name_folders([replace(chosen[0], faces=faces)], "ja") == {
        MIKU: "初音ミク (ボーカロイド) [vocaloid_hatsune_miku]",
        "other/miku": "初音ミク (ボーカロイド) [other_miku]",
        "third": "Saber [third]",
        "fourth": "SABER [fourth]",
    }
    assert SABER in name_folders(chosen, "ja")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("CON", "CON_"),
        ("aux.jpg", "aux_.jpg"),
        ("a.", "a"),
        ("..", "_"),
        ("", "_"),
        ('x:y/z\\w|?*<>"', "x_y_z_w______"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a\x07b", "a_b"),
        ("e\u0301.png", "\xe9.png"),
        ("\udcff.jpg", "\ufffd.jpg"),
    ],
)
def test_names_are_safe_on_windows(name, safe):
    assert make_name_safe(name) == safe


def test_long_names_are_cut_before_their_ending():
    name = make_name_safe("初音" * 80 + ".jpg")
    assert name.endswith("音.jpg") or name.endswith("初.jpg")
    assert MAX_NAME_BYTES - 3 < len(name.encode()) <= MAX_NAME_BYTES
