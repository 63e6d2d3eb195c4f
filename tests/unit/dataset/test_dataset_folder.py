"""The index of the dataset that grows."""

from __future__ import annotations

import csv
import threading
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from kyara.dataset.folder import change_dataset, read_inbox, refresh_index
from kyara.dataset.manifest import read_manifest
from kyara.dataset.names import count_faces, read_new_characters, write_names
from kyara.errors import BadInputError
from kyara.recognition.characters import Character


def add_face(dataset: Path, label: str, name: str) -> None:
    folder = dataset / "faces" / label
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(folder / f"{name}.png")


def read_rows(dataset: Path) -> dict[str, dict[str, str]]:
    with (dataset / "faces" / "index.csv").open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_an_empty_dataset_has_an_empty_index(tmp_path):
    assert refresh_index(tmp_path / "dataset") == ()
    text = (tmp_path / "dataset" / "faces" / "index.csv").read_text()
    assert text == "path,label,split,group\n"


def test_a_character_with_few_sources_keeps_them_in_train_and_one_with_many_has_all_splits(tmp_path):
    for number in range(30):
        add_face(tmp_path, "many", f"m{number}")
    for number in range(4):
        add_face(tmp_path, "few", f"f{number}")
    refresh_index(tmp_path)
    rows = read_rows(tmp_path).values()
    counts = Counter((row["label"], row["split"]) for row in rows)
    assert counts == {
        ("few", "train"): 4,
        ("many", "train"): 24,
        ("many", "val"): 3,
        ("many", "test"): 3,
    }
    read_manifest(tmp_path / "faces")


def test_splits_stay_whatever_is_taken_away_and_comes_back(tmp_path):
    for number in range(30):
        add_face(tmp_path, "many", f"m{number}")
    refresh_index(tmp_path)
    before = read_rows(tmp_path)
    for path in before:
        (tmp_path / "faces" / path).unlink()
    assert refresh_index(tmp_path) == ()
    for number in reversed(range(30)):
        add_face(tmp_path, "many" if number % 2 else "other", f"m{number}")
        refresh_index(tmp_path)
    after = {Path(path).name: row["split"] for path, row in read_rows(tmp_path).items()}
    assert after == {Path(path).name: row["split"] for path, row in before.items()}


def test_no_source_is_divided_even_between_characters(tmp_path):
    for number in range(60):
        with change_dataset(tmp_path) as change:
            add_face(tmp_path, f"label{number % 3}", f"x{number}")
            change.groups[f"x{number}.png"] = f"source{number // 3}"
    read_manifest(tmp_path / "faces")  # refuses a divided group
    assert {row["split"] for row in read_rows(tmp_path).values()} == {"train", "val", "test"}


def test_columns_and_splits_of_an_index_that_was_there_stay(tmp_path):
    for name in ("a", "b"):
        add_face(tmp_path, "one", name)
    (tmp_path / "faces" / "index.csv").write_text(
        "path,label,split,group,kind\none/a.png,one,test,g,art\none/gone.png,one,test,h,art\n"
    )
    refresh_index(tmp_path)
    rows = read_rows(tmp_path)
    assert set(rows) == {"one/a.png", "one/b.png"}
    assert rows["one/a.png"] == dict(path="one/a.png", label="one", split="test", group="g", kind="art")
    assert rows["one/b.png"]["kind"] == ""


def test_a_manifest_that_is_being_written_is_read_as_far_as_it_goes(tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "manifest.jsonl").write_text(
        '{"file": "a.png", "source": "x"}\nnull\n{"file": "b.png", "sou'
    )
    assert read_inbox(tmp_path) == {"a.png": {"file": "a.png", "source": "x"}}


def test_an_index_that_cannot_be_read_is_refused_and_stays(tmp_path):
    add_face(tmp_path, "one", "a")
    index = tmp_path / "faces" / "index.csv"
    index.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="repair or remove it"):
        refresh_index(tmp_path)
    assert index.read_bytes() == b"\xff\xfe\x00"


def test_faces_and_names_are_read_again_only_after_a_change(tmp_path, monkeypatch):
    add_face(tmp_path, "aka", "0")
    refresh_index(tmp_path)
    write_names(tmp_path, [Character("aka", {"ja": "赤"}, {})])
    assert count_faces(tmp_path) == {"aka": 1}
    count_faces(tmp_path)["aka"] += 5  # the caller's own
    (known,) = read_new_characters(tmp_path)
    with monkeypatch.context() as patch:
        patch.delattr(Path, "read_bytes")
        patch.delattr(Path, "read_text")
        assert count_faces(tmp_path) == {"aka": 1}
        assert read_new_characters(tmp_path) == [known]
    add_face(tmp_path, "ao", "0")
    refresh_index(tmp_path)
    write_names(tmp_path, [known, Character("ao", {"ja": "青"}, {})])
    assert count_faces(tmp_path) == {"aka": 1, "ao": 1}
    assert [one.label for one in read_new_characters(tmp_path)] == ["aka", "ao"]
    (tmp_path / "faces" / "index.csv").unlink()
    (tmp_path / "characters.json").write_text("[")
    assert count_faces(tmp_path) == {}
    assert read_new_characters(tmp_path) == []


def test_many_writers_leave_a_whole_index(tmp_path):
    start = threading.Barrier(8)

    def add(writer: int) -> None:
        start.wait()
        for number in range(5):
            with change_dataset(tmp_path):
                add_face(tmp_path, f"label{writer}", f"w{writer}-{number}")

    threads = [threading.Thread(target=add, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_rows(tmp_path)) == 40
    assert len(read_manifest(tmp_path / "faces").faces) == 40
