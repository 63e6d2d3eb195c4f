"""`export` as its user runs it."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from export_library import hash_all

from kyara.cli import main


def run(library: Path, *arguments: str | Path) -> Result:
    where = () if "--undo" in arguments else ("--library", str(library))
    return CliRunner().invoke(main, ["export", str(arguments[0]), *where, *map(str, arguments[1:])])


@pytest.mark.parametrize(
    ("name", "out", "files"),
    [
        ("xmp", "", ["a/both 初音.jpg.xmp", "a/turned.jpg.xmp", "b/formula.png.xmp"]),
        ("hydrus", "", ["a/both 初音.jpg.txt", "a/turned.jpg.txt", "b/formula.png.txt"]),
        ("danbooru", "", ["a/both 初音.txt", "a/turned.txt", "b/formula.txt"]),
        ("metadata.jsonl", "", ["metadata.jsonl"]),
        ("coco", "coco.json", ["coco.json"]),
        ("csv", "faces.csv", ["faces.csv"]),
        (
            "yolo",
            "yolo",
            [
                "yolo/classes.txt",
                "yolo/data.yaml",
                "yolo/labels/a/both 初音.txt",
                "yolo/labels/a/turned.txt",
                "yolo/labels/b/formula.txt",
            ],
        ),
    ],
)
def test_each_format_is_written_once_and_told_before(library, pictures, name, out, files):
    before = hash_all(pictures)
    more = ("--out", pictures / out) if out else ()
    asked = run(library, name, *more, "--dry-run")
    assert asked.exit_code == 0, asked.output
    told = [line.removeprefix("new: ") for line in asked.stdout.splitlines() if line.startswith("new: ")]
    assert sorted(told) == sorted(str(pictures / file) for file in files)
    assert not any((pictures / file).exists() for file in files)

    done = run(library, name, *more)
    assert done.exit_code == 0, done.output
    assert "4 faces of 3 characters in 3 pictures; files: " in done.stdout
    assert all((pictures / file).is_file() for file in files)
    again = json.loads(run(library, name, *more, "--json").stdout)
    assert (again["new"], again["changed"], again["same"]) == (0, 0, len(files))
    assert (again["pictures"], again["faces"], again["characters"]) == (3, 4, 3)
    assert hash_all(pictures) == before


def test_a_character_is_named_in_any_language(library, pictures):
    for name in ("初音ミク", "miku hatsune", "vocaloid/hatsune_miku"):
        told = json.loads(run(library, "hydrus", "--character", name, "--dry-run", "--json").stdout)
        assert [Path(one["file"]).name for one in told["files"]] == [
            "both 初音.jpg.txt",
            "turned.jpg.txt",
        ]


def test_somebody_who_is_not_in_the_library_is_refused(library):
    done = run(library, "hydrus", "--character", "Goku")
    assert done.exit_code == 1
    assert "kyara: Nobody in this library is called 'Goku'" in done.stderr


def test_nobody_is_no_error(library):
    done = run(library, "hydrus", "--min-confidence", "0.99")
    assert done.exit_code == 0 and done.stdout == "No picture has such a face.\n"


def test_files_that_differ_need_overwrite(library, pictures):
    assert run(library, "danbooru").exit_code == 0
    refused = run(library, "danbooru", "--language", "ja")
    assert refused.exit_code == 1 and "--overwrite" in refused.stderr
    assert "hatsune" in (pictures / "a" / "turned.txt").read_text(encoding="utf-8")
    assert run(library, "danbooru", "--language", "ja", "--overwrite").exit_code == 0
    assert (pictures / "a" / "turned.txt").read_text(encoding="utf-8") == "初音ミク_(ボーカロイド)\n"


def test_xmp_needs_no_overwrite(library, pictures):
    assert run(library, "xmp").exit_code == 0
    done = run(library, "xmp", "--language", "ja", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["changed"] == 3
    assert run(library, "xmp", "--overwrite").exit_code == 2


def test_pictures_that_are_gone_are_told_and_the_rest_goes_on(library, pictures):
    (pictures / "a" / "turned.jpg").unlink()
    done = run(library, "hydrus")
    assert done.exit_code == 1
    assert "1 pictures are not where the library has them" in done.stderr
    assert "turned.jpg" in done.stderr
    assert (pictures / "b" / "formula.png.txt").exists()
    assert not (pictures / "a" / "turned.jpg.txt").exists()


def test_no_library_is_one_sentence(tmp_path):
    done = run(tmp_path / "none.db", "csv", "--out", tmp_path / "x.csv")
    assert done.exit_code == 1 and "There is no library" in done.stderr


@pytest.mark.parametrize("how", ["link", "copy", "move"])
def test_sorting_and_the_way_back(library, pictures, tmp_path, how):
    (pictures / "a" / "turned.jpg.xmp").write_text("a sidecar")
    before = hash_all(pictures)
    out = tmp_path / "by name"
    asked = run(library, "sort", "--out", out, "--by", how, "--dry-run")
    assert asked.exit_code == 0 and not out.exists()
    assert (
        f"{how}: {pictures / 'a' / 'turned.jpg'} -> {out}{os.sep}Hatsune Miku (Vocaloid)" in asked.stdout
    )
    assert ("turned.jpg.xmp" in asked.stdout and "1 sidecar(s) go along." in asked.stdout) == (
        how == "move"
    )
    done = json.loads(run(library, "sort", "--out", out, "--by", how, "--json").stdout)
    assert done["new"] == (3 if how == "move" else 4)
    assert (out / "Hatsune Miku (Vocaloid)" / "turned.jpg").exists()
    assert (out / "Saber (Fate_stay night)" / "both 初音.jpg").exists()
    assert run(library, "sort", "--undo", done["journal"], "--dry-run").exit_code == 0
    assert len(done["sidecars"]) == (1 if how == "move" else 0)
    back = run(library, "sort", "--undo", done["journal"])
    assert back.exit_code == 0, back.output
    assert f"{done['new']} of {done['new']} pictures were taken back." in back.stdout
    assert hash_all(pictures) == before and not list(out.glob("*/*"))


def test_what_cannot_be_taken_back_ends_with_status_1(library, tmp_path):
    done = json.loads(run(library, "sort", "--out", tmp_path / "out", "--by", "copy", "--json").stdout)
    (tmp_path / "out" / "Hatsune Miku (Vocaloid)" / "turned.jpg").write_text("mine")
    back = run(library, "sort", "--undo", done["journal"])
    assert back.exit_code == 1 and "turned.jpg stays: it was changed since." in back.stderr
    assert "3 of 4 pictures were taken back." in back.stdout


def test_a_link_is_not_moved_and_told(library, pictures, tmp_path):
    turned = pictures / "a" / "turned.jpg"
    (pictures / "real.jpg").write_bytes(turned.read_bytes())
    turned.unlink()
    turned.symlink_to(pictures / "real.jpg")
    done = run(library, "sort", "--out", tmp_path / "out", "--by", "move", "--json")
    assert (done.exit_code, json.loads(done.stdout)["new"]) == (1, 2)
    assert f"{turned} is a link; it is not moved." in done.stderr
    assert turned.is_symlink()


def test_what_cannot_be_read_while_planning_is_a_sentence(library, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "Hatsune Miku (Vocaloid)").symlink_to("Hatsune Miku (Vocaloid)")
    (tmp_path / "out" / "Saber (Fate_stay night)").symlink_to("n" * 300)
    done = run(library, "sort", "--out", tmp_path / "out")
    assert done.exit_code == 1 and "Nothing was done." in done.stderr
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_a_database_that_is_no_library_is_left_as_it_is(tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
    done = run(tmp_path / "other.db", "csv", "--out", tmp_path / "x.csv")
    assert done.exit_code == 1 and "other.db has no library." in done.stderr
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]


def test_sort_needs_a_place(library):
    assert run(library, "sort").exit_code == 2
