from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawings import LABELS, write_dataset

from kyara.augment import augment_face
from kyara.dataset import Face, load_faces, read_manifest
from kyara.errors import BadInputError
from kyara.training import draw_epoch


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


def test_augmentation_keeps_shape_varies_and_repeats_with_its_seed():
    pixels = np.random.default_rng(1).integers(0, 256, (80, 80, 3), np.uint8)
    rng = np.random.default_rng(2)
    variations = [augment_face(pixels, 64, rng) for _ in range(20)]
    assert all(v.shape == (64, 64, 3) and v.dtype == np.uint8 for v in variations)
    assert len({v.tobytes() for v in variations}) == 20
    assert np.array_equal(variations[0], augment_face(pixels, 64, np.random.default_rng(2)))


def test_augmentation_shows_the_face_and_not_only_its_ground():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[20:60, 20:60, 1] = 255
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(200):
        middle = augment_face(pixels, 64, rng)[20:44, 20:44].astype(int)
        shown += (middle[..., 1] > middle[..., 0] + 40).mean() > 0.5
    assert shown > 180  # now and then a face loses its colours


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
