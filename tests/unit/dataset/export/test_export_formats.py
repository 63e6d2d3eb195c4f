"""Formats of files, each read back by a library that is not ours; and what is refused."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import globox
import pytest
from export_library import MIKU, SABER, export, hash_all, read_library
from pycocotools.coco import COCO

from kyara.cli.export import HELP
from kyara.dataset.library.export.choosing import Choice
from kyara.dataset.library.export.danbooru import make_tag
from kyara.dataset.library.export.formats import FORMATS
from kyara.dataset.library.export.target import Target, find_root
from kyara.dataset.library.export.writing import NewFile, check_files, write_files
from kyara.dataset.library.reading import LibraryPicture
from kyara.errors import BadInputError, ConflictError

MIKU_BOX, SABER_BOX = [20, 10, 40, 30], [100, 40, 50, 60]
READ_IMAGEFOLDER = """
import json, sys
import datasets

rows = datasets.load_dataset("imagefolder", data_dir=sys.argv[1], split="train", cache_dir=sys.argv[2])
paths = rows.cast_column("image", datasets.Image(decode=False))
print(json.dumps([
    {"size": row["image"].size, "name": path["image"]["path"], "objects": row["objects"]}
    for row, path in zip(rows, paths)
]))
"""


def test_every_format_has_a_command():
    assert HELP.keys() == FORMATS.keys()


def test_hydrus_has_a_tag_in_each_line(library, pictures):
    before = hash_all(pictures)
    export("hydrus", library, language="en")
    text = (pictures / "a" / "both 初音.jpg.txt").read_text(encoding="utf-8")
    assert text == "character:hatsune miku\ncharacter:saber\nseries:vocaloid\nseries:fate/stay night\n"
    export("hydrus", library, library.parent / "out")
    text = (library.parent / "out" / "a" / "turned.jpg.txt").read_text(encoding="utf-8")
    assert text == "character:初音ミク\nseries:ボーカロイド\n"
    assert hash_all(pictures) == before


def test_danbooru_has_tags_with_commas_between(library, pictures):
    export("danbooru", library, language="en")
    text = (pictures / "a" / "both 初音.txt").read_text(encoding="utf-8")
    assert text == "hatsune_miku_(vocaloid), saber_(fate/stay_night)\n"
    export("danbooru", library, library.parent / "out")
    text = (library.parent / "out" / "b" / "formula.txt").read_text(encoding="utf-8")
    assert text == "ぼっち_ちゃん\n", "a comma in a name would be two tags"


@pytest.mark.parametrize(
    ("name", "work", "tag"),
    [
        ("Hatsune Miku", "Vocaloid", "hatsune_miku_(vocaloid)"),
        ("Nico", "", "nico"),
        (" A,  B ", "C_D", "a_b_(c_d)"),
    ],
)
def test_tags_are_made_as_danbooru_has_them(name, work, tag):
    assert make_tag(name, work) == tag


def test_datasets_reads_metadata_jsonl(library, pictures, tmp_path):
    before = hash_all(pictures)
    export("metadata.jsonl", library)
    done = subprocess.run(
        [sys.executable, "-c", READ_IMAGEFOLDER, str(pictures), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "PATH": "/usr/bin"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = {Path(row["name"]).name: row for row in json.loads(done.stdout.splitlines()[-1])}
    assert rows.keys() == {"both 初音.jpg", "turned.jpg", "formula.png"}
    objects = rows["both 初音.jpg"]["objects"]
    assert objects["bbox"] == [MIKU_BOX, SABER_BOX]
    assert objects["names"] == ["初音ミク", "セイバー"]
    assert objects["labels"] == [MIKU, SABER]
    assert objects["confidences"] == [0.75, 0.9]
    assert rows["turned.jpg"]["size"] == [60, 120], "datasets turns pictures upright, as the boxes are"
    assert hash_all(pictures) == before


def test_pycocotools_reads_coco(library, tmp_path, capsys):
    export("coco", library, tmp_path / "instances.json", status="probably")
    coco = COCO(str(tmp_path / "instances.json"))
    capsys.readouterr()  # it prints
    loaded: list[Any] = coco.loadCats(coco.getCatIds())
    categories = {one["label"]: one for one in loaded}
    assert {label: one["name"] for label, one in categories.items()} == {
        MIKU: "初音ミク",
        SABER: "セイバー",
        "bocchi": "ぼっち, ちゃん",
    }
    assert categories[MIKU]["supercategory"] == "ボーカロイド"
    found = {
        (coco.loadImgs(one["image_id"])[0]["file_name"], one["category_id"]): one
        for one in coco.loadAnns(coco.getAnnIds(iscrowd=False))
    }
    assert len(found) == 5
    saber = found["a/both 初音.jpg", categories[SABER]["id"]]
    assert saber["bbox"] == SABER_BOX and saber["area"] == 3000
    assert found["b/saber.png", categories[SABER]["id"]]["bbox"] == [0, 0, 90, 80]
    images = {one["file_name"]: (one["width"], one["height"]) for one in coco.loadImgs(coco.getImgIds())}
    assert images["a/turned.jpg"] == (60, 120)


def test_globox_reads_yolo(library, pictures, tmp_path):
    export("yolo", library, tmp_path / "yolo")
    names = (tmp_path / "yolo" / "classes.txt").read_text(encoding="utf-8").split()
    assert names == ["bocchi", SABER, MIKU]
    found = globox.AnnotationSet.from_yolo_v5(
        folder=tmp_path / "yolo" / "labels" / "a", image_folder=pictures / "a", image_extension=".jpg"
    ).map_labels({str(number): name for number, name in enumerate(names)})
    boxes = {
        box.label: [box.xmin, box.ymin, box.width, box.height] for box in found["both 初音.jpg"].boxes
    }
    assert boxes[MIKU] == pytest.approx(MIKU_BOX, abs=1e-4)
    assert boxes[SABER] == pytest.approx(SABER_BOX, abs=1e-4)
    data = (tmp_path / "yolo" / "data.yaml").read_text(encoding="utf-8")
    assert data.endswith('names:\n  0: "ぼっち, ちゃん"\n  1: "セイバー"\n  2: "初音ミク"\n')


def test_csv_has_a_row_for_each_face_and_no_formula(library, tmp_path):
    export("csv", library, tmp_path / "faces.csv", language="en")
    with (tmp_path / "faces.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == [
        *["a/both 初音.jpg"] * 2,
        "a/turned.jpg",
        "b/formula.png",
    ]
    assert [rows[1][side] for side in ("x", "y", "width", "height")] == list(map(str, SABER_BOX))
    assert (rows[1]["label"], rows[1]["name"], rows[1]["confidence"]) == (SABER, "Saber", "0.9")
    assert rows[3]["name"] == '\'=HYPERLINK("x")'
    assert len(rows[0]["sha256"]) == 64


@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        ({}, {MIKU, SABER, "bocchi"}),
        ({"character": SABER}, {SABER}),
        ({"work": "STAY NIGHT"}, {SABER}),
        ({"work": "ボーカロイド"}, {MIKU}),
        ({"min_confidence": 0.85}, {SABER, "bocchi"}),
        ({"character": MIKU, "min_confidence": 0.85}, set()),
    ],
)
def test_faces_are_chosen(library, choice, labels):
    chosen = Choice(**choice).choose(read_library(library))
    assert {face.label for picture in chosen for face in picture.faces} == labels


def test_probable_names_go_out_where_they_are_asked_for(library):
    pictures = read_library(library)
    assert len(list(Choice(status="known").choose(pictures))) == 3
    assert len(list(Choice(status="probably").choose(pictures))) == 4


def test_files_that_differ_are_refused_before_the_first_is_written(library, pictures):
    (pictures / "b" / "formula.png.txt").write_text("mine\n")
    (pictures / "a" / "turned.jpg.txt").write_bytes("character:初音ミク\nseries:ボーカロイド\n".encode())
    with pytest.raises(ConflictError, match=r"formula\.png\.txt\. Nothing was written; --overwrite"):
        export("hydrus", library)
    assert not (pictures / "a" / "both 初音.jpg.txt").exists()
    assert (pictures / "b" / "formula.png.txt").read_text() == "mine\n"


def test_a_file_that_came_meanwhile_stays(tmp_path):
    files = [NewFile(tmp_path / "deep" / "one.txt", b"1"), NewFile(tmp_path / "two.txt", b"2")]
    check_files(lambda: files)
    (tmp_path / "two.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"two\.txt meanwhile"):
        write_files(lambda: files)
    assert (tmp_path / "two.txt").read_text() == "mine"
    assert (tmp_path / "deep" / "one.txt").read_text() == "1"
    write_files(lambda: files, overwrite=True)
    assert (tmp_path / "two.txt").read_text() == "2"


def test_yolo_classes_keep_their_numbers(library, tmp_path):
    out = tmp_path / "yolo"
    export("yolo", library, out, character=MIKU)
    export("yolo", library, out, language="en", character="bocchi")
    assert (out / "classes.txt").read_text(encoding="utf-8") == f"{MIKU}\nbocchi\n"
    assert (out / "labels" / "a" / "turned.txt").read_text().startswith("0 ")
    assert (out / "labels" / "b" / "formula.txt").read_text().startswith("1 ")
    told = (out / "data.yaml").read_text(encoding="utf-8")
    assert told.endswith('names:\n  0: "初音ミク"\n  1: "=HYPERLINK(\\"x\\")"\n')


def test_yolo_classes_of_others_come_first(library, tmp_path):
    (tmp_path / "classes.txt").write_text("cat\nbocchi\ndog", encoding="utf-8")
    export("yolo", library, tmp_path)
    told = (tmp_path / "classes.txt").read_text(encoding="utf-8").split()
    assert told == ["cat", "bocchi", "dog", SABER, MIKU]
    assert (tmp_path / "labels" / "b" / "formula.txt").read_text().startswith("1 ")
    (tmp_path / "classes.txt").write_bytes(b"\xff")
    with pytest.raises(BadInputError, match="no text in UTF-8"):
        export("yolo", library, tmp_path)


@pytest.mark.parametrize("name", ["danbooru", "yolo"])
def test_two_pictures_of_one_stem_are_refused_where_they_have_one_file(library, pictures, name):
    picture = next(Choice().choose(read_library(library)))
    twins = [picture, replace(picture, path=picture.path.with_suffix(".png"))]
    with pytest.raises(BadInputError, match="would have one file"):
        list(FORMATS[name](twins, Target(pictures, pictures, "en")))


@pytest.mark.parametrize("name", ["coco", "csv", "metadata.jsonl", "yolo"])
def test_a_picture_outside_of_the_root_is_refused(library, pictures, name):
    chosen = list(Choice().choose(read_library(library)))
    with pytest.raises(BadInputError, match=r"does not lie in .*--root"):
        list(FORMATS[name](chosen, Target(pictures / "b", pictures / "out", "en")))


@pytest.mark.parametrize("name", ["coco", "csv", "metadata.jsonl"])
def test_a_name_that_is_no_text_is_refused(library, pictures, name):
    picture = next(Choice().choose(read_library(library)))
    picture = replace(picture, path=pictures / "\udcff.png")
    with pytest.raises(BadInputError, match=r"name \\xff\.png is not UTF-8"):
        list(FORMATS[name]([picture], Target(pictures, pictures / "out", "en")))


def test_the_root_is_the_deepest_folder_that_has_all(library, pictures):
    chosen = read_library(library)
    assert find_root(chosen) == pictures
    assert find_root(chosen[:2]) == pictures / "a"


def test_a_name_that_the_library_has_in_no_language_is_made_of_the_label(library):
    picture: LibraryPicture = next(Choice().choose(read_library(library)))
    face = replace(picture.faces[0], names={}, work={})
    files = FORMATS["hydrus"]([replace(picture, faces=(face,))], Target(Path("/"), None, "ja"))
    assert [file.content for file in files] == [b"character:hatsune miku\n"]
