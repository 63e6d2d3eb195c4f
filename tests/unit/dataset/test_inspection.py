"""What is wrong with a dataset folder, on pictures that the tests draw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from encoding import encode_image
from scenes import TINTS, draw_scene, save, write_tinted

from kyara.dataset.check import Inspection, Limits, inspect_dataset
from kyara.dataset.check.duplicates import MIRROR, find_near_pairs, join_pairs
from kyara.dataset.check.findings import find_similar_labels
from kyara.dataset.check.pictures import LEAST_DETAIL, Picture, hash_picture, read_pictures
from kyara.dataset.check.report import describe_findings, render_report
from kyara.dataset.check.splitting import draw_splits, group_pictures
from kyara.dataset.check.suspects import compare_with_labels
from kyara.dataset.manifest import Face, read_manifest, write_index
from kyara.errors import BadInputError
from kyara.vision.images import decode_image, read_image

NEAR_BITS = Limits().near_bits


def count_bits(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.bitwise_count(first ^ second).sum())


def average_colour(paths: Sequence[Path], progress) -> np.ndarray:
    """Return the simplest features that tell tinted scenes apart."""
    rows = []
    for path in paths:
        rows.append(read_image(path).mean(axis=(0, 1)) - 110)
        progress(1)
    return np.array(rows, np.float32)


# hashes


@pytest.mark.parametrize("change", ["smaller", "larger", "jpeg", "brighter", "retouched"])
def test_a_hash_survives_what_a_picture_goes_through(change):
    pixels = draw_scene(1, 160)
    changed = {
        "smaller": lambda: cv2.resize(pixels, (90, 90), interpolation=cv2.INTER_AREA),
        "larger": lambda: cv2.resize(pixels, (300, 320), interpolation=cv2.INTER_CUBIC),
        "jpeg": lambda: decode_image(encode_image(pixels, "JPEG", quality=30)),
        "brighter": lambda: np.minimum(pixels * 0.8 + 40, 255).astype(np.uint8),
        "retouched": lambda: cv2.circle(pixels.copy(), (80, 120), 9, (250, 250, 250), -1),
    }[change]()
    assert count_bits(hash_picture(pixels)[0], hash_picture(changed)[0]) <= NEAR_BITS


def test_hashes_of_different_drawings_are_far_apart():
    hashes = [hash_picture(draw_scene(seed))[0] for seed in range(40)]
    apart = [count_bits(a, b) for n, a in enumerate(hashes) for b in hashes[:n]]
    assert min(apart) > NEAR_BITS
    assert 110 < np.mean(apart) < 145


def test_the_mirror_image_has_the_mirrored_hash():
    pixels = draw_scene(2, 128)
    mirrored = hash_picture(np.ascontiguousarray(pixels[:, ::-1]))[0]
    assert count_bits(hash_picture(pixels)[0] ^ MIRROR, mirrored) <= 2  # a frequency may be nearly 0


@pytest.mark.parametrize(
    "pixels", [np.zeros((60, 60, 3), np.uint8), np.full((80, 50, 3), 255, np.uint8)]
)
def test_an_even_surface_has_no_detail(pixels):
    bits, detail = hash_picture(pixels)
    assert detail == 0
    assert not bits.any()


def test_a_symmetric_drawing_is_not_plain():
    pixels = draw_scene(4, 128)
    pixels[:, 64:] = pixels[:, 63::-1]
    assert hash_picture(pixels)[1] > LEAST_DETAIL


def test_a_recoloured_drawing_is_another_one(tmp_path):
    scene = draw_scene(5)
    for number, tint in enumerate(TINTS.values()):
        tinted = (scene.mean(axis=2, keepdims=True) * 0.4 + np.array(tint) * 0.6).astype(np.uint8)
        save(tinted, tmp_path / "a" / f"{number}.png")
        save(np.ascontiguousarray(tinted[:, ::-1]), tmp_path / "a" / f"{number}m.png")
    copies = [list_names(one.pictures) for one in inspect_dataset(tmp_path).near]
    assert sorted(copies) == [[f"a/{number}.png", f"a/{number}m.png"] for number in range(3)]


def test_near_pairs_are_those_of_a_plain_search():
    rng = np.random.default_rng(3)
    hashes = rng.integers(0, 2**63, (150, 4), dtype=np.uint64) & ~np.uint64(
        128
    )  # the first bit is never set
    hashes[70] = hashes[3]
    hashes[149] = hashes[5] ^ MIRROR
    hashes[100] = hashes[99] ^ np.array([0, 7, 0, 1 << 60], np.uint64)
    expected = []
    for first in range(150):
        for second in range(first + 1, 150):
            plain = count_bits(hashes[first], hashes[second])
            mirrored = count_bits(hashes[first] ^ MIRROR, hashes[second])
            if min(plain, mirrored) <= 100:
                expected.append((first, second, min(plain, mirrored), int(mirrored < plain)))
    done = []
    found = find_near_pairs(hashes, 100, done.append)
    assert sorted(map(tuple, found.tolist())) == expected
    assert {(3, 70, 0, 0), (5, 149, 0, 1), (99, 100, 4, 0)} <= set(expected)
    assert sum(done) == 150


def test_near_pairs_of_nothing_are_none():
    assert find_near_pairs(np.zeros((0, 4), np.uint64), 56).shape == (0, 4)


def test_pairs_join_into_groups():
    assert join_pairs(8, [(6, 5), (0, 2), (2, 4), (7, 6)]) == [[0, 2, 4], [5, 6, 7]]
    assert join_pairs(3, []) == []


# wrong labels


def test_labels_are_compared_as_computed_by_hand():
    # directions in degrees; the label 1 reaches into the label 0
    angles = np.deg2rad([0, 10, 20, 90, 100, 15, 180])
    labels = np.array([0, 0, 0, 1, 1, 1, 2])
    near = compare_with_labels(np.stack([np.cos(angles), np.sin(angles)], axis=1), labels, neighbours=2)
    cosine = [np.cos(np.deg2rad(degrees)) for degrees in range(181)]
    assert near.own[0] == pytest.approx((cosine[10] + cosine[20]) / 2)
    assert near.other[0] == pytest.approx((cosine[15] + cosine[90]) / 2)
    assert near.own[5] == pytest.approx((cosine[75] + cosine[85]) / 2)
    assert near.other[5] == pytest.approx(cosine[5])
    assert near.label.tolist() == [1, 1, 1, 0, 0, 0, 1]
    assert (near.own_nearest[5], near.other_nearest[5]) in {(3, 1), (3, 2)}
    assert near.gap[5] == pytest.approx(near.other[5] - near.own[5])
    assert near.score[5] == pytest.approx((1 - near.own[5]) - (1 - near.other[5]) / 2)
    # a label of one picture has no own neighbours, and is nobody's other label
    assert np.isnan(near.own[6])
    assert near.own_nearest[6] == -1
    assert np.argmax(np.nan_to_num(near.score, nan=-9)) == 5


def test_the_nearness_to_a_label_is_that_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 16)).astype(np.float32)
    labels = rng.integers(0, 5, 600)
    near = compare_with_labels(features, labels, neighbours=7)
    for row in (0, 255, 256, 599):
        expected = {}
        for label in range(5):
            members = np.setdiff1d(np.flatnonzero(labels == label), [row])
            search = NearestNeighbors(n_neighbors=7, metric="cosine").fit(features[members])
            expected[label] = 1 - search.kneighbors(features[[row]])[0].mean()
        assert near.own[row] == pytest.approx(expected.pop(labels[row]), abs=1e-5)
        assert near.label[row] == max(expected, key=lambda label: expected[label])
        assert near.other[row] == pytest.approx(max(expected.values()), abs=1e-5)


def test_one_label_has_no_other():
    near = compare_with_labels(np.eye(3, dtype=np.float32), np.zeros(3, int))
    assert np.isnan(near.other).all()
    assert near.label.tolist() == [-1, -1, -1]


@pytest.fixture
def tinted(tmp_path: Path) -> Path:
    return write_tinted(tmp_path / "data", 12)


def test_a_clean_folder_has_no_findings(tinted):
    inspection = inspect_dataset(tinted, extract=average_colour)
    assert not any(inspection.count().values())
    assert inspection.suspects == []
    assert describe_findings(inspection) == []


def test_swapped_labels_are_the_first_suspects(tinted):
    (tinted / "ao" / "05.png").rename(tinted / "aka" / "wrong.png")
    (tinted / "midori" / "07.png").rename(tinted / "ao" / "wrong.png")
    suspects = inspect_dataset(tinted, extract=average_colour).suspects
    assert suspects is not None
    found = [(one.picture.name, one.looks_like, one.other_nearest.face.label) for one in suspects]
    assert sorted(found) == [("aka/wrong.png", "ao", "ao"), ("ao/wrong.png", "midori", "midori")]
    assert suspects[0].score >= suspects[1].score > 0


def test_of_one_character_nobody_is_a_suspect(tmp_path):
    for seed in range(5):
        save(draw_scene(seed), tmp_path / "only" / f"{seed}.png")
    assert inspect_dataset(tmp_path, extract=average_colour).suspects == []


# a folder with everything wrong


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A folder per character in which something of everything is wrong."""
    folder = tmp_path / "messy"
    for seed in range(6):
        save(draw_scene(seed), folder / "Rin" / f"{seed}.png")
        save(draw_scene(50 + seed), folder / "rin" / f"{seed}.png")
        save(draw_scene(70 + seed), folder / "Ｍｉｋｕ" / f"{seed}.png")
    save(draw_scene(0)[:, ::-1], folder / "Rin" / "mirrored.png")
    save(draw_scene(1, 70), folder / "Rin" / "small.jpg", quality=60)
    (folder / "Rin" / "again.png").write_bytes((folder / "Rin" / "2.png").read_bytes())
    (folder / "rin" / "other.png").write_bytes((folder / "Rin" / "3.png").read_bytes())
    save(draw_scene(90)[:30], folder / "rin" / "tiny.png")
    for number in range(2):
        save(np.full((60, 60, 3), 40 + number, np.uint8), folder / "rin" / f"plain{number}.png")
    save(draw_scene(91), folder / "Miku" / "0.png")
    (folder / "Rin" / "text.png").write_text("no picture")
    (folder / "Rin" / "empty.jpg").touch()
    (folder / "Rin" / "cut.png").write_bytes((folder / "Rin" / "5.png").read_bytes()[:400])
    (folder / "Rin" / "folder.png").mkdir()
    (folder / "Rin" / "gone.png").symlink_to(folder / "nowhere.png")
    return folder


@pytest.fixture
def found(messy) -> Inspection:
    return inspect_dataset(messy, extract=average_colour)


def list_names(pictures: Sequence[Picture]) -> list[str]:
    return sorted(picture.name for picture in pictures)


def test_files_that_cannot_be_read_stop_nothing(found):
    reasons = {one.path: one.reason for one in found.unreadable}
    assert set(reasons) == {f"Rin/{name}" for name in ("text.png", "empty.jpg", "cut.png", "gone.png")}
    assert "No such file" in reasons["Rin/gone.png"]
    assert "0 bytes" in reasons["Rin/empty.jpg"]
    assert "damaged" in reasons["Rin/cut.png"]


def test_doubled_files_are_found(found):
    assert [list_names(copies.pictures) for copies in found.exact] == [
        ["Rin/2.png", "Rin/again.png"],
        ["Rin/3.png", "rin/other.png"],
    ]


def test_near_duplicates_are_found_mirrored_ones_too(found):
    by_names = {tuple(list_names(copies.pictures)): copies for copies in found.near}
    assert set(by_names) == {("Rin/0.png", "Rin/mirrored.png"), ("Rin/1.png", "Rin/small.jpg")}
    assert by_names["Rin/0.png", "Rin/mirrored.png"].mirrored
    assert not by_names["Rin/1.png", "Rin/small.jpg"].mirrored


def test_one_drawing_under_two_labels_is_found(found):
    assert [copies.labels for copies in found.conflicts] == [["Rin", "rin"]]


def test_tiny_and_plain_pictures_are_found_and_plain_ones_are_not_compared(found):
    assert list_names(found.tiny) == ["rin/tiny.png"]
    assert list_names(found.plain) == ["rin/plain0.png", "rin/plain1.png"]


def test_labels_and_characters_with_few_pictures_are_found(found):
    assert found.similar_labels == [["Miku", "Ｍｉｋｕ"], ["Rin", "rin"]]
    assert found.few["Miku"] <= 1
    assert "Rin" not in found.few


def test_a_limit_decides_what_is_found(messy):
    strict = inspect_dataset(messy, Limits(smallest_px=20, near_bits=0, fewest=1))
    assert strict.tiny == []
    assert "Rin/small.jpg" not in [p.name for copies in strict.near for p in copies.pictures]
    assert all(count == 0 for count in strict.few.values())
    assert strict.suspects is None
    assert "suspects" not in strict.count()


def test_leaks_are_the_same_drawing_in_two_splits(tmp_path):
    rows = ["path,label,split,group"]
    for seed, split in enumerate(("train", "train", "val", "test")):
        save(draw_scene(seed), tmp_path / f"{seed}.png")
        rows.append(f"{seed}.png,a,{split},g{seed}")
    save(draw_scene(0)[:, ::-1], tmp_path / "leak.png")
    save(draw_scene(1, 120), tmp_path / "version.png")
    save(draw_scene(9), tmp_path / "divided.png")
    rows += [
        "leak.png,a,test,g9",
        "version.png,a,train,g8",
        "divided.png,a,val,g1",
        "gone.png,a,train,g7",
    ]
    (tmp_path / "index.csv").write_text("\n".join(rows))
    inspection = inspect_dataset(tmp_path)
    assert [(list_names(leak.pictures), leak.splits) for leak in inspection.leaks] == [
        (["0.png", "leak.png"], ["test", "train"])
    ]
    assert inspection.divided_groups == {"g1": ["train", "val"]}
    assert [one.path for one in inspection.unreadable] == ["gone.png"]
    assert len(inspection.near) == 2


def test_a_folder_of_unreadable_files_is_inspected(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_text("no picture")
    inspection = inspect_dataset(tmp_path, extract=average_colour)
    assert inspection.count()["unreadable"] == 1
    assert inspection.suspects == []
    assert "x.png" in render_report(inspection, "tiny")


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="neither"):
        inspect_dataset(tmp_path)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ({"Miku", "miku", "MIKU", "rin"}, [["MIKU", "Miku", "miku"]]),
        ({"ﾐｸ", "ミク"}, [["ミク", "ﾐｸ"]]),
        ({"ａｂ", "ab"}, [["ab", "ａｂ"]]),
        ({"straße", "STRASSE"}, [["STRASSE", "straße"]]),
        ({"ga", "が", "か"}, []),
        ({"rin ", "rin"}, [["rin", "rin "]]),
        ({"one/Rin", "two/rin"}, []),
        ({"one/Rin", "one/rin"}, [["one/Rin", "one/rin"]]),
        ({"\u30ab\u3099", "\u30ac"}, [["\u30ab\u3099", "\u30ac"]]),
    ],
)
def test_labels_that_differ_by_case_or_width_alone_are_alike(labels, groups):
    assert find_similar_labels(labels) == groups


# the report


def test_the_report_holds_everything_it_needs(messy, found):
    page = render_report(found, "tiny (version 1)")
    assert re.findall(r"<(?:script|link rel=\"stylesheet\"|iframe)", page) == []
    sources = re.findall(r'<img src="([^"]*)"', page)
    assert len(sources) > 10
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert str(messy.parent) not in page
    assert "Ｍｉｋｕ" in page
    for line in describe_findings(found):
        count, words = line.split(maxsplit=1)
        assert f'{words.capitalize()} <small class="note">{count}</small>' in page


def test_text_of_a_dataset_is_never_markup(tmp_path):
    evil = "<b>&x</b>"
    rows = ["path,label,split,group"]
    for number, label in enumerate((evil, "a")):
        save(draw_scene(1), tmp_path / f"{number}_<i>.png")
        rows.append(f"{number}_<i>.png,{label},train,{evil}{number}")
    rows += [f"<u>gone.png,{evil},test,{evil}0"]
    (tmp_path / "index.csv").write_text("\n".join(rows))
    page = render_report(inspect_dataset(tmp_path), None)
    assert "&lt;b&gt;&amp;x" in page
    assert not re.search("<(b|i|u)>", page)


def test_the_findings_are_json(found):
    document = found.to_json()
    assert document["counts"] == found.count()
    assert document["unreadable"][0].keys() == {"path", "reason"}
    assert document["near_duplicates"][0]["pictures"][0].keys() == {"path", "label", "split"}
    assert document["labels"] == 4
    assert sum(document["splits"].values()) == document["pictures"]


# splits


def list_pictures_of(folder: Path) -> list[Picture]:
    return read_pictures(folder, inspect_dataset(folder).faces)[0]


def test_versions_of_a_drawing_share_a_group(messy):
    faces = group_pictures(list_pictures_of(messy), NEAR_BITS, keep_groups=False)
    group = {face.path.relative_to(messy).as_posix(): face.group for face in faces}
    assert group["Rin/0.png"] == group["Rin/mirrored.png"]
    assert group["Rin/3.png"] == group["rin/other.png"]
    assert group["rin/plain0.png"] != group["rin/plain1.png"]
    assert len(set(group.values())) == len(group) - 4


def test_groups_of_an_index_are_kept(tmp_path):
    for seed in range(3):
        save(draw_scene(seed), tmp_path / f"{seed}.png")
    (tmp_path / "index.csv").write_text(
        "path,label,split,group\n0.png,a,train,post\n1.png,a,train,post\n2.png,a,test,alone\n"
    )
    first, second, third = group_pictures(list_pictures_of(tmp_path), NEAR_BITS, keep_groups=True)
    assert first.group == second.group != third.group


def deal(counts: dict[str, int], seed: int = 1) -> list[Face]:
    faces = [
        Face(Path(f"{label}{n}.png"), label, "", f"{label}{n // 2}")
        for label, count in counts.items()
        for n in range(2 * count)
    ]
    return draw_splits(faces, 0.1, 0.2, seed)


def test_splits_are_grouped_seeded_and_balanced():
    faces = deal({"often": 50, "rare": 2})
    counts = {split: sum(face.split == split for face in faces) for split in ("train", "val", "test")}
    assert counts == {"train": 70 + 4, "val": 10, "test": 20}
    assert all(a.split == b.split for a, b in zip(faces[::2], faces[1::2], strict=True))
    assert deal({"often": 50, "rare": 2}) == faces
    assert deal({"often": 50, "rare": 2}, seed=2) != faces


def test_a_group_with_two_labels_lies_in_one_split():
    faces = [Face(Path(f"{n}.png"), "ab"[n % 2], "", f"g{n // 3}") for n in range(60)]
    dealt = draw_splits(faces, 0.2, 0.2, 1)
    assert {len({face.split for face in dealt if face.group == f"g{n}"}) for n in range(20)} == {1}
    assert {face.split for face in dealt} == {"train", "val", "test"}


def test_drawn_splits_are_a_dataset_without_leaks(tinted):
    for seed in range(12):
        save(draw_scene(seed, 80, TINTS["aka"])[:, ::-1], tinted / "aka" / f"mirrored{seed}.png")
    assert inspect_dataset(tinted).leaks
    faces = group_pictures(list_pictures_of(tinted), NEAR_BITS, keep_groups=False)
    write_index(tinted, draw_splits(faces, 0.1, 0.1, 1))
    assert {face.split for face in read_manifest(tinted).faces} == {"train", "val", "test"}
    assert inspect_dataset(tinted).leaks == []
