"""`python -m kyara dataset …`, run as its user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from drawings import LABELS, write_dataset
from PIL import Image
from scenes import TINTS, draw_scene, save, write_tinted

from kyara.dataset.manifest import read_manifest, write_index
from kyara.vision.images import read_image


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tinted(tmp_path / "data", 10)


def add_mess(data: Path) -> None:
    save(draw_scene(3, 70, TINTS["aka"])[:, ::-1], data / "aka" / "mirrored.png")
    (data / "ao" / "broken.png").write_text("no picture")


def test_check_writes_a_report_and_goes_on_past_a_broken_file(data, tmp_path):
    add_mess(data)
    done = run_kyara("dataset", "check", data, "--no-suspects", "--out", tmp_path / "out")
    assert "1  files that cannot be read" in done.stdout
    assert "1  drawings in several versions" in done.stdout
    assert str(tmp_path / "out" / "report.html") in done.stdout
    found = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert found["unreadable"][0]["path"] == "ao/broken.png"
    assert found["near_duplicates"][0]["mirrored"] is True
    assert found["suspects"] is None
    assert found["model"] is None
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "aka/mirrored.png" in page or ">mirrored.png<" in page


def test_check_prints_its_json(data, tmp_path):
    done = run_kyara("dataset", "check", data, "--no-suspects", "--json", "--out", tmp_path / "out")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "check.json").read_text())


@pytest.mark.parametrize("mess", [False, True])
def test_findings_are_an_error_only_where_asked(data, tmp_path, mess):
    if mess:
        add_mess(data)
    arguments = ("dataset", "check", data, "--no-suspects", "--out", tmp_path / "out")
    assert run_kyara(*arguments).returncode == 0
    strict = run_kyara(*arguments, "--strict", check=False)
    assert strict.returncode == int(mess)
    assert ("findings" in strict.stderr) == mess
    assert ("Nothing was found." in strict.stdout) != mess
    assert (tmp_path / "out" / "report.html").is_file()


def test_check_looks_for_wrong_labels_with_a_model(tiny_bundle, tmp_path):
    data = write_dataset(tmp_path / "data", 12, seed=20)
    (data / LABELS[1] / "003.png").rename(data / LABELS[0] / "wrong.png")
    out, cache = tmp_path / "out", tmp_path / "cache"
    arguments = ("dataset", "check", data, "--model", tiny_bundle, "--out", out, "--bottlenecks", cache)
    run_kyara(*arguments)
    found = json.loads((out / "check.json").read_text(encoding="utf-8"))
    assert found["model"].startswith("tiny (version ")
    first = found["suspects"][0]
    assert (first["path"], first["looks_like"]) == (f"{LABELS[0]}/wrong.png", LABELS[1])
    assert first["other"] - first["own"] > found["limits"]["least_gap"]
    assert "tiny (version" in (out / "report.html").read_text(encoding="utf-8")

    kept = sorted(path.name for path in cache.rglob("*.npy"))
    assert len(kept) == len({path.read_bytes() for path in data.rglob("*.png")})
    run_kyara(*arguments, "--least-gap", "2")
    assert json.loads((out / "check.json").read_text())["suspects"] == []
    assert sorted(path.name for path in cache.rglob("*.npy")) == kept


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["check", "nowhere"], 1, "no dataset folder"),
        (["check", "DATA", "--model", "nowhere"], 1, "no readable model"),
        (["check", "DATA", "--no-suspects", "--out", "FILE"], 1, "Cannot write"),
        (["check", "DATA", "--near-bits", "999"], 2, "near-bits"),
        (["check"], 2, "Missing argument"),
        (["augment", "DATA"], 2, "what to write"),
        (["augment", "DATA", "--times", "2"], 2, "go together"),
        (["augment", "DATA", "--out", "NEW"], 2, "go together"),
        (["augment", "DATA", "--times", "0", "--out", "NEW"], 2, "times"),
        (["augment", "nowhere", "--preview", "NEW"], 1, "no dataset folder"),
        (["augment", "DATA", "--preview", "FILE/sheet.png"], 1, "Cannot write"),
        (["augment", "DATA", "--times", "2", "--out", "DATA"], 1, "inside the dataset"),
        (["augment", "DATA", "--times", "2", "--out", "FULL"], 1, "not empty"),
        (["augment", "BROKEN", "--preview", "NEW"], 1, "x.png"),
        (["split", "nowhere"], 1, "no dataset folder"),
        (["split", "INDEXED"], 1, "index.csv already"),
        (["split", "DATA", "--out", "FILE/index.csv"], 1, "Cannot write"),
    ],
)
def test_bad_input_is_told_in_one_line(data, tmp_path, arguments, status, message):
    places = {name: tmp_path / name.lower() for name in ("FILE", "NEW", "FULL", "BROKEN", "INDEXED")}
    places["FILE"].touch()
    write_tinted(places["FULL"], 1)
    write_tinted(places["INDEXED"], 1)
    write_index(places["INDEXED"], read_manifest(places["INDEXED"]).faces)
    (places["BROKEN"] / "a").mkdir(parents=True)
    for number in range(20):  # some are drawn for training
        (places["BROKEN"] / "a" / f"{number}x.png").write_text(f"no picture {number}")
    places["DATA"] = data
    words = [
        str(places[head]) + word.removeprefix(head) if (head := word.split("/")[0]) in places else word
        for word in arguments
    ]
    done = run_kyara("dataset", *words, check=False)
    assert done.returncode == status
    assert message in done.stderr
    if status == 1:
        assert "Traceback" not in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("kyara: ")


def test_the_sheet_shows_each_crop_and_its_variations(data, tmp_path):
    path = tmp_path / "new" / "sheet.png"
    arguments = ("--rows", "4", "--columns", "3", "--size", "64", "--seed", "5")
    run_kyara("dataset", "augment", data, "--preview", path, *arguments)
    sheet = read_image(path)
    assert sheet.shape == (4 * 68 + 4, (64 + 16) + 3 * 68 + 4, 3)
    tiles = [sheet[4 + 68 * row :, left:][:64, :64] for row in range(4) for left in (4, 84, 152, 220)]
    assert len({tile.tobytes() for tile in tiles}) == 16
    # the first three rows show the three characters, as they are
    tints = {tuple((tiles[4 * row].mean(axis=(0, 1)) > 110).tolist()) for row in range(3)}
    assert len(tints) == 3
    before = path.read_bytes()
    run_kyara("dataset", "augment", data, "--preview", path, *arguments)
    assert path.read_bytes() == before


def test_a_sheet_of_few_pictures_has_few_rows(tmp_path):
    for seed in range(2):
        save(draw_scene(seed), tmp_path / "data" / f"{seed}.png")
    (tmp_path / "data" / "index.csv").write_text("path,label,split\n0.png,a,train\n1.png,a,val\n")
    run_kyara("dataset", "augment", tmp_path / "data", "--preview", tmp_path / "s.png", "--columns", "2")
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.height == 128 + 8


def test_written_variations_are_a_dataset(data, tmp_path):
    before = read_manifest(data)
    out = tmp_path / "out"
    done = run_kyara("dataset", "augment", data, "--times", "3", "--out", out, "--size", "48")
    after = read_manifest(out)
    trained = before.of_split("train")
    others = [face for face in before.faces if face.split != "train"]
    assert f"{3 * len(trained) + len(others)} pictures" in done.stdout
    assert len(after.of_split("train")) == 3 * len(trained)
    for face in others:
        copy = next(one for one in after.faces if after.locate(one) == before.locate(face))
        assert (copy.label, copy.split, copy.group) == (face.label, face.split, face.group)
        assert copy.path.read_bytes() == face.path.read_bytes()
    for face in trained:
        made = [one for one in after.faces if one.group == face.group]
        assert {(one.label, one.split) for one in made} == {(face.label, "train")}
        pictures = [read_image(one.path) for one in made]
        assert {picture.shape for picture in pictures} == {(48, 48, 3)}
        assert len({picture.tobytes() for picture in pictures}) == 3


def test_variations_repeat_with_their_seed_only(data, tmp_path):
    def write(name: str, *seed: str) -> dict[str, bytes]:
        run_kyara(
            "dataset", "augment", data, "--times", "1", "--out", tmp_path / name, "--size", "32", *seed
        )
        return {path.name: path.read_bytes() for path in (tmp_path / name / "aka").iterdir()}

    first = write("a")
    assert write("b", "--seed", "1") == first
    other = write("c", "--seed", "2")
    assert other.keys() == first.keys()
    assert other != first


def test_split_puts_versions_of_a_drawing_into_one_split(data):
    for seed in range(10):
        save(draw_scene(seed, 80, TINTS["aka"])[:, ::-1], data / "aka" / f"mirrored{seed}.png")
    (data / "ao" / "broken.png").write_text("no picture")
    done = run_kyara("dataset", "split", data, "--val", "0.2", "--test", "0.2")
    assert "40 pictures in 30 groups: 24 train, 8 val, 8 test." in done.stdout
    assert "left out: ao/broken.png" in done.stderr
    manifest = read_manifest(data)
    assert len({face.group for face in manifest.faces}) == 30
    assert not any(face.path.name == "broken.png" for face in manifest.faces)


def test_split_keeps_works_and_groups_of_another_index(tmp_path):
    data = tmp_path / "data"
    rows = ["path,label,split,group,work,kind,role"]
    for number in range(8):
        save(draw_scene(number), data / "work" / "rin" / f"{number}.png")
        rows.append(f"work/rin/{number}.png,rin,train,g{number // 2},The Work,art,reference")
    (data / "index.csv").write_text("\n".join(rows))
    run_kyara("dataset", "split", data, "--out", tmp_path / "new.csv", "--test", "0.25", "--seed", "3")
    assert (data / "index.csv").read_text() == "\n".join(rows)
    (data / "index.csv").write_bytes((tmp_path / "new.csv").read_bytes())
    faces = read_manifest(data).faces
    assert {(face.label, face.work, face.kind, face.role) for face in faces} == {
        ("work/rin", "work", "art", "reference")
    }
    assert all(a.group == b.group for a, b in zip(faces[::2], faces[1::2], strict=True))
    assert np.count_nonzero([face.split == "test" for face in faces]) == 2
