"""Tables of pictures with several labels each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kyara.dataset.tagged import read_tagged
from kyara.errors import BadInputError

TABLE = "Id,Genre,Action,Sci-Fi,N/A\n"


def write_tagged(folder: Path, table: str, pictures: int, where: str = "images") -> Path:
    """Write a table and pictures p0, p1, … of one grey each."""
    (folder / where).mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        Image.new("RGB", (20, 20), (number, number, number)).save(folder / where / f"p{number}.png")
    (folder / "train.csv").write_text(table, encoding="utf-8")
    return folder


@pytest.mark.parametrize("where", ["images", "."])
@pytest.mark.parametrize("ending", ["", ".png"])
def test_columns_of_0_and_1_are_labels(tmp_path, where, ending):
    table = f'{TABLE}p0{ending},"[a, b]",1,0,0\np1{ending},drama,1,1,0\n'
    data = read_tagged(write_tagged(tmp_path, table, 2, where))
    assert data.labels == ("action", "sci-fi", "n_a")
    assert data.names == ("Action", "Sci-Fi", "N/A")
    assert data.truth.tolist() == [[True, False, False], [True, True, False]]
    assert [path.name for path in data.paths] == ["p0.png", "p1.png"]
    assert data.frequencies() == {"action": 1, "sci-fi": 0.5, "n_a": 0}


def test_the_split_is_drawn_by_content_and_stays(tmp_path):
    rows = "".join(f"p{number},x,0,1,0\n" for number in range(200))
    data = read_tagged(write_tagged(tmp_path, TABLE + rows, 200))
    shares = {split: data.splits.count(split) / 200 for split in ("train", "val", "test")}
    assert shares["train"] == pytest.approx(0.8, abs=0.1)
    assert shares["test"] == pytest.approx(0.1, abs=0.07)
    assert len(data.of_split("test").paths) == data.splits.count("test")
    short = TABLE + "".join(rows.splitlines(keepends=True)[50:])
    fewer = read_tagged(write_tagged(tmp_path, short, 200))
    assert fewer.splits == data.splits[50:]
    assert fewer.digest() != data.digest()


def test_equal_pictures_lie_in_one_split(tmp_path):
    rows = "".join(f"p{number},x,0,1,0\n" for number in range(30))
    folder = write_tagged(tmp_path, TABLE + rows, 30)
    same = (folder / "images" / "p0.png").read_bytes()
    for number in range(30):
        (folder / "images" / f"p{number}.png").write_bytes(same)
    assert len(set(read_tagged(folder).splits)) == 1


def test_a_column_decides_the_split(tmp_path):
    table = "Id,A,split\np0,1,test\np1,0,val\n"
    data = read_tagged(write_tagged(tmp_path, table, 2))
    assert data.splits == ("test", "val")
    assert np.array_equal(data.of_split("val").truth, [[False]])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE, "no rows"),
        ("Id,Genre\np0,x\n", "no column"),
        (TABLE + "p9,x,1,0,0\n", "'p9', of which there is no picture"),
        ("Id,A b,A_b\np0,1,0\n", "differ only by their signs"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, table, message):
    with pytest.raises(BadInputError, match=message):
        read_tagged(write_tagged(tmp_path, table, 1))


def test_a_folder_without_one_table_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="it has 0"):
        read_tagged(tmp_path)
    with pytest.raises(BadInputError, match="no dataset folder"):
        read_tagged(tmp_path / "nowhere")
    folder = write_tagged(tmp_path, TABLE + "p0,x,1,0,0\n", 1)
    with pytest.raises(BadInputError, match="no pictures in the split 'exam'"):
        read_tagged(folder).of_split("exam")
