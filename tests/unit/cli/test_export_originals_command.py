"""`export xmp --into-originals` as its user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from export_library import hash_all, hash_picture
from PIL import Image
from sqlalchemy import update

from kyara.cli import main
from kyara.dataset.library.export.embedding import open_holder
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.scanning import hold_library
from kyara.dataset.library.tables import PictureRow


def run(library: Path, *arguments: str | Path) -> Result:
    command = ["export", "xmp", "--library", str(library), *map(str, arguments)]
    return CliRunner().invoke(main, command)


def test_what_is_written_is_told_before_and_taken_back(library, pictures, tmp_path):
    before = hash_all(pictures)
    asked = run(library, "--into-originals", "--dry-run")
    assert asked.exit_code == 0, asked.output
    assert f"changed: {pictures / 'a' / 'turned.jpg'}\n" in asked.stdout
    assert (hash_all(pictures), list(pictures.glob("*.jsonl"))) == (before, [])
    done = run(library, "--into-originals")
    assert done.exit_code == 0, done.output
    (journal,) = pictures.glob("kyara-xmp-*.jsonl")
    assert f"0 new, 3 changed, 0 same. To take it back: kyara export xmp --undo {journal}" in done.stdout
    written = hash_all(pictures)
    assert sum(written[name] != before[name] for name in before) == 3
    assert not list(pictures.rglob("*.xmp"))
    again = json.loads(run(library, "--into-originals", "--journal", tmp_path / "new", "--json").stdout)
    assert (again["changed"], again["same"], again["journal"]) == (0, 3, None)
    told = run(library, "--undo", journal, "--dry-run")
    assert told.exit_code == 0 and f"take back: {pictures / 'a' / 'turned.jpg'}" in told.stdout
    assert hash_all(pictures) == written
    back = run(library, "--undo", journal)
    assert (back.exit_code, back.stdout) == (0, "3 of 3 pictures were taken back.\n")
    assert hash_all(pictures) == before


def test_a_picture_that_holds_no_xmp_gets_a_sidecar_that_goes_again(library, pictures):
    formula = pictures / "b" / "formula.png"
    Image.new("RGB", (64, 64)).save(formula, "GIF")
    with open_library(str(library)) as engine, engine.begin() as connection:
        row = PictureRow.path == "b/formula.png"
        connection.execute(update(PictureRow).where(row).values(sha256=hash_picture(formula)))
    before = hash_all(pictures)
    done = run(library, "--into-originals", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["new"], document["changed"], document["sidecars"]) == (1, 2, 1)
    assert "1 picture(s) get a sidecar instead" in done.stderr
    assert "files of its kind hold no XMP." in done.stderr
    assert (pictures / "b" / "formula.png.xmp").exists()
    back = run(library, "--undo", document["journal"])
    assert (back.exit_code, back.stdout) == (0, "2 of 2 pictures were taken back.\n")
    assert not (pictures / "b" / "formula.png.xmp").exists()
    assert hash_all(pictures) == before


def test_what_cannot_be_written_is_told_and_the_rest_goes_on(library, pictures):
    turned = pictures / "a" / "turned.jpg"
    turned.write_bytes(turned.read_bytes() + b"changed since")
    done = run(library, "--into-originals", "--json")
    assert done.exit_code == 1
    assert f"{turned} is left as it is: it has changed since the scan" in done.stderr
    document = json.loads(done.stdout)
    assert [one["file"] for one in document["failed"]] == [str(turned)]
    assert document["changed"] == 2
    assert turned.read_bytes().endswith(b"changed since")


def test_the_way_back_needs_no_library(library, pictures):
    before = hash_all(pictures)
    journal = json.loads(run(library, "--into-originals", "--json").stdout)["journal"]
    library.unlink()
    back = run(library, "--undo", journal)
    assert back.exit_code == 0 and "no library is told" in back.stderr
    assert hash_all(pictures) == before


def test_pictures_that_changed_since_stay_with_status_1(library, pictures):
    journal = json.loads(run(library, "--into-originals", "--json").stdout)["journal"]
    (pictures / "a" / "turned.jpg").write_text("mine")
    back = run(library, "--undo", journal)
    assert back.exit_code == 1 and "turned.jpg stays: it was changed since." in back.stderr
    assert back.stdout == "2 of 3 pictures were taken back.\n"


def test_nothing_is_written_while_a_scan_runs(library, pictures):
    before = hash_all(pictures)
    with open_library(str(library)) as engine, hold_library(engine, str(library)):
        done = run(library, "--into-originals")
    assert (done.exit_code, hash_all(pictures)) == (1, before)
    assert "Another scan of this library runs" in done.stderr


def test_only_whom_is_asked_for_is_written(library, pictures):
    assert run(library, "--into-originals", "--character", "Saber").exit_code == 0
    packet = open_holder((pictures / "a" / "both 初音.jpg").read_bytes()).packet
    assert packet is not None and b"Saber" in packet and b"Miku" not in packet


@pytest.mark.parametrize(
    "arguments",
    [
        ["--into-originals", "--out", "x"],
        ["--into-originals", "--root", "x"],
        ["--into-originals", "--undo", "x"],
        ["--undo", "x", "--journal", "x"],
        ["--journal", "x"],
    ],
)
def test_options_that_do_not_go_together_are_refused(library, arguments):
    assert run(library, *arguments).exit_code == 2
