from __future__ import annotations

import csv
import io
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from drawings import LABELS, write_dataset
from PIL import Image

from kyara.dataset.index import format_rows, read_rows
from kyara.dataset.manifest import (
    Face,
    Manifest,
    hold_out_val,
    list_faces,
    load_faces,
    read_manifest,
    read_manifests,
    write_index,
)
from kyara.errors import BadInputError
from kyara.training.plan import draw_epoch, group_by_work
from kyara.vision.boxes import Box


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", 12)


def test_folders_become_labels_and_splits(data):
    manifest = read_manifest(data)
    assert manifest.labels == tuple(sorted(LABELS))
    assert len(manifest.faces) == 48
    assert sum(len(manifest.of_split(split)) for split in ("train", "val", "test")) == 48
    assert len(manifest.of_split("train")) > 24


def test_more_pictures_move_no_other_to_another_split(data):
    before = {face.path: face.split for face in read_manifest(data).faces}
    copy = (data / LABELS[0] / "000.png").read_bytes()
    (data / LABELS[0] / "copy.png").write_bytes(copy)
    after = {face.path: face.split for face in read_manifest(data).faces}
    assert all(after[path] == split for path, split in before.items())
    assert after[data / LABELS[0] / "copy.png"] == after[data / LABELS[0] / "000.png"]


def test_an_index_decides_over_folders(data):
    rows = ["path,label,split,group"]
    rows += ["ao_glasses/001.png,somebody,train,g1", "ao_glasses/002.png,somebody,test,g2"]
    (data / "index.csv").write_text("\n".join(rows))
    manifest = read_manifest(data)
    assert manifest.labels == ("somebody",)
    assert [face.split for face in manifest.faces] == ["train", "test"]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("path,label,split\nnobody.png,a,train\n", r"nobody\.png"),
        ("path,label\nao_glasses/001.png,a\n", "split"),
        ("path,label,split\n", "neither"),
        ("path,label,split\nao_glasses/001.png,,train\n", "line 2, lacks 'label'"),
        ("path,label,split\nao_glasses/001.png\n", "lacks 'label' and 'split'"),
        ("path,label,split\n../secret.png,a,train\n", "outside"),
        ("path,label,split\n/etc/hosts,a,train\n", "outside"),
        (
            "path,label,split,group\nao_glasses/001.png,a,train,g\nao_glasses/002.png,a,test,g\n",
            "'g' lies",
        ),
    ],
)
def test_a_wrong_index_is_refused(data, index, message):
    (data / "index.csv").write_text(index)
    with pytest.raises(BadInputError, match=message):
        read_manifest(data)


def test_an_index_that_is_no_text_is_refused(data):
    (data / "index.csv").write_bytes(b"path,label,split\n\xff\xfe,a,train\n")
    with pytest.raises(BadInputError, match="UTF-8"):
        read_manifest(data)


def test_an_index_from_a_spreadsheet_is_read(data):
    text = "path,label,split\r\nao_glasses/001.png,a,train\r\n"
    (data / "index.csv").write_bytes(text.encode("utf-8-sig"))
    assert read_manifest(data).labels == ("a",)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "'=", "''@", "'", "a="])
def test_no_cell_of_a_table_is_a_formula_and_each_is_read_as_it_was(sign, tmp_path):
    cell = f"{sign}HYPERLINK(1)"
    text = format_rows(["path", "label"], [[cell, "a"]])
    (tmp_path / "index.csv").write_text(text, newline="")
    assert [row for _, row in read_rows(tmp_path / "index.csv")] == [{"path": cell, "label": "a"}]
    written = next(islice(csv.reader(io.StringIO(text, newline="")), 1, None))[0]
    assert written[0] not in "=+-@\t\r\uff1d"


def test_listing_needs_neither_files_nor_whole_groups(data):
    rows = ["path,label,split,group", "gone.png,a,train,g", "ao_glasses/001.png,a,test,g"]
    (data / "index.csv").write_text("\n".join(rows))
    assert [face.path.name for face in list_faces(data)] == ["gone.png", "001.png"]


def test_a_file_that_cannot_be_opened_is_listed(data):
    (data / "ao_glasses" / "link.png").symlink_to(data / "nowhere.png")
    assert data / "ao_glasses" / "link.png" in [face.path for face in list_faces(data)]


WORKS = """path,label,work,split,group,kind,role
one/rin/a.png,rin,Work One,train,g1,art,reference
two/rin/b.png,rin,Work Two,train,g2,chibi-sticker,
two/rin/c.png,rin,Work Two,test,g3,,other
"""


@pytest.fixture
def works(tmp_path: Path) -> Path:
    folder = tmp_path / "works"
    for name in ("one/rin/a.png", "two/rin/b.png", "two/rin/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "index.csv").write_text(WORKS)
    return folder


def test_the_work_tells_characters_of_one_name_apart(works):
    manifest = read_manifest(works)
    assert manifest.labels == ("one/rin", "two/rin")
    assert [(face.work, face.kind, face.role) for face in manifest.faces] == [
        ("one", "art", "reference"),
        ("two", "chibi-sticker", ""),
        ("two", "", "other"),
    ]


def test_a_written_index_is_read_as_the_same_faces(works, data):
    for folder in (works, data):
        faces = read_manifest(folder).faces
        write_index(folder, faces)
        assert read_manifest(folder).faces == faces


def test_an_index_that_cannot_be_written_is_told(works, tmp_path):
    with pytest.raises(BadInputError, match="Cannot write"):
        write_index(works, [], tmp_path / "nowhere" / "index.csv")


def test_several_folders_are_one_dataset_and_one_character_has_one_label(works, data):
    manifest = read_manifests([data, works], {"one/rin": "aka_ribbon"})
    assert manifest.roots == (data, works)
    assert len(manifest.faces) == 48 + 3
    assert manifest.labels == tuple(sorted([*LABELS, "two/rin"]))
    face = next(face for face in manifest.faces if face.work == "one")
    assert face.label == "aka_ribbon"
    assert manifest.locate(face) == Path("one/rin/a.png")
    assert manifest.digest() != read_manifests([data, works]).digest()


def test_having_keeps_what_passes(works):
    kept = read_manifest(works).having(lambda face: face.kind != "chibi-sticker")
    assert [face.path.name for face in kept.faces] == ["a.png", "c.png"]


def test_val_takes_one_face_of_each_label_that_has_none_and_enough():
    def make(label: str, count: int, split: str = "train", role: str = "") -> list[Face]:
        return [
            Face(Path(f"d/{label}{split}{n}.png"), label, split, f"{label}{n}", role=role)
            for n in range(count)
        ]

    faces = [*make("many", 5), *make("few", 4), *make("covered", 9), *make("covered", 1, "val")]
    faces += make("references", 6, role="reference")
    manifest = Manifest((Path("d"),), tuple(faces))
    held = hold_out_val(manifest)
    assert Counter(face.label for face in held.of_split("val")) == {"many": 1, "covered": 1}
    assert [face.path for face in held.faces] == [face.path for face in faces]

    (chosen,) = [face for face in held.of_split("val") if face.label == "many"]
    other = Manifest((Path("d"),), (*make("new", 7), *faces))
    assert chosen in hold_out_val(other).of_split("val")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="no dataset folder"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="neither"):
        read_manifest(tmp_path)


def test_an_unknown_split_is_refused_with_those_that_exist(data):
    with pytest.raises(BadInputError, match="train"):
        read_manifest(data).of_split("holdout")


def test_load_faces_names_the_broken_file(data):
    broken = data / LABELS[0] / "000.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(BadInputError, match=r"000\.png"):
        load_faces(read_manifest(data).faces, 32)


def test_load_faces_gives_squares(data):
    pixels = load_faces(read_manifest(data).of_split("val"), 40)
    assert pixels.shape[1:] == (40, 40, 3)
    assert pixels.dtype == np.uint8


def _faces(counts: dict[str, int]) -> list[Face]:
    return [
        Face(Path(f"{a}{n}"), a, "train", f"{a}{n}") for a, count in counts.items() for n in range(count)
    ]


@pytest.mark.parametrize(("balance", "rare"), [(0.0, 10), (0.5, 25), (1.0, 55)])
def test_an_epoch_shows_rare_characters_more_often(balance, rare):
    faces = _faces({"often": 100, "rare": 10})
    order = draw_epoch(faces, balance, np.random.default_rng(0))
    assert len(order) == 110
    counts = Counter(faces[place].label for place in order)
    expected = 110 * 10 ** (1 - balance) / (10 ** (1 - balance) + 100 ** (1 - balance))
    assert abs(counts["rare"] - expected) <= 1
    assert abs(counts["rare"] - rare) <= 2


def test_a_balance_of_zero_shows_every_face_once():
    order = draw_epoch(_faces({"a": 7, "b": 3}), 0.0, np.random.default_rng(4))
    assert sorted(order) == list(range(10))


def test_some_batches_hold_one_work_only():
    works = ["a"] * 40 + ["b"] * 24 + [""] * 36
    order = group_by_work(works, 10, 0.4, np.random.default_rng(0))
    assert sorted(order) == list(range(100))
    batches = [{works[place] for place in order[start : start + 10]} for start in range(0, 100, 10)]
    assert sum(len(batch) == 1 for batch in batches) >= 4
    assert any(len(batch) > 1 for batch in batches)


BOXED = """path,label,work,split,face_x,face_y,face_width,face_height
one/rin/a.png,one/rin,Work One,train,1,2,5.4,6
two/rin/b.png,rin,Work Two,train,,,,
"""


def test_an_index_may_tell_where_the_face_is(works):
    (works / "index.csv").write_text(BOXED)
    told, untold = read_manifest(works).faces
    assert (told.box, untold.box) == (Box(1, 2, 5, 6), None)
    assert (told.label, untold.label) == ("one/rin", "two/rin")
    write_index(works, [told, untold])
    assert read_manifest(works).faces == (told, untold)


@pytest.mark.parametrize("cell", ["x", "0", "-3", "nan", "1e999"])
def test_a_face_that_is_nowhere_is_refused(works, cell):
    (works / "index.csv").write_text(BOXED.replace("5.4", cell))
    with pytest.raises(BadInputError, match=r"line 2, has no face at 1, 2"):
        read_manifest(works)
