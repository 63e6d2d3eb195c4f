"""Many pictures through the network: `features`, and `identify` on workers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bulk_sources import draw_frames
from command_line import ROOT, run_kyara
from ray_nodes import RayNodes
from videos import EXAMPLE, write_video

from kyara.recognition.embeddings import list_named, split_names, walk_pictures
from kyara.recognition.pictures import cut_seen
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.images import encode_png, read_image
from kyara.vision.picture_files import list_pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder of 71 pictures: two shards. They are narrow, so that faces are looked for quickly.

    One is broken, and one has three faces.
    """
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    for number in range(70):
        path = folder / f"part{number % 3}" / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(rng.integers(0, 256, (48, 4, 3), np.uint8)))
    (folder / "part1" / "007.png").write_bytes(b"no picture")
    (folder / "part2" / "faces.png").write_bytes(EXAMPLE.read_bytes())
    return folder


def read_index(out: Path) -> list[dict]:
    return [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]


def test_features_are_those_of_the_network_in_the_order_of_the_names(
    pictures, tiny_bundle, tiny_classifier, tmp_path
):
    out = tmp_path / "all.npy"
    done = run_kyara("features", pictures, "--out", out, "--model", tiny_bundle, "--json", check=False)
    assert done.returncode == 1
    assert "007.png" in done.stderr
    index = read_index(out)
    expected = [path for path in list_pictures(pictures) if path.name != "007.png"]
    assert [Path(line["source"]) for line in index] == expected
    assert [line["row"] for line in index] == list(range(70))
    features = np.load(out)
    assert np.array_equal(features, tiny_classifier.backbone.extract(map(read_image, expected)))
    assert json.loads(done.stdout) == {
        "file": str(out),
        "rows": 70,
        "features": features.shape[1],
        "failed": 1,
    }
    assert index[3]["sha256"] == hashlib.sha256(expected[3].read_bytes()).hexdigest()
    assert index[3]["box"] == {"x": 0, "y": 0, "width": 4, "height": 48}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.jsonl", "all.npy"]
    one = tmp_path / "one.npy"
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{path}\n" for path in list_pictures(pictures)))
    workers = ("--workers", "1")
    run_kyara("features", names, "--out", one, "--model", tiny_bundle, *workers, check=False)
    assert one.read_bytes() == out.read_bytes()
    assert read_index(one) == index


def test_features_of_faces_have_a_row_for_each(pictures, tiny_bundle, tiny_classifier, tmp_path):
    out = tmp_path / "faces.npy"
    source = pictures / "part2" / "faces.png"
    run_kyara("features", source, "--faces", "--level", "0", "--out", out, "--model", tiny_bundle)
    index = read_index(out)
    assert len(index) == len(np.load(out)) >= 2
    first, pixels = Box(**index[0]["box"]), read_image(source)
    height, width = pixels.shape[:2]
    find_window = tiny_classifier.bundle.preprocessing.find_window
    crop = cut_seen(pixels, find_window(FoundFace(first, 1.0), 1.0, width, height))  # boxes are tight
    assert np.array_equal(np.load(out)[0], tiny_classifier.backbone.extract([crop])[0])


def test_features_killed_and_run_again_equal_an_uninterrupted_run(pictures, tiny_bundle, tmp_path):
    whole, out = tmp_path / "whole.npy", tmp_path / "killed.npy"
    common = ("--model", tiny_bundle, "--workers", "1")
    run_kyara("features", pictures, "--out", whole, *common, check=False)
    command = ["features", pictures, "--out", out, *common]
    run = subprocess.Popen([sys.executable, "-m", "kyara", *map(str, command)], cwd=ROOT)
    while not (tmp_path / "killed.work" / "results" / "000000").exists():
        assert run.poll() is None
        os.sched_yield()
    run.kill()
    run.wait()
    assert not out.exists()
    assert run_kyara(*command, check=False).returncode == 1
    assert out.read_bytes() == whole.read_bytes()
    assert read_index(out) == read_index(whole)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere.txt", "--out", "EMPTY/x.npy"], 1, "nowhere.txt cannot be read"),
        (["x.png", "--out", "x.npz"], 2, "ends in .npy"),
        (["EMPTY", "--out", "EMPTY/x.npy"], 1, "has no pictures"),
    ],
)
def test_features_says_what_cannot_be(arguments, status, message, tiny_bundle, tmp_path):
    filled = [argument.replace("EMPTY", str(tmp_path)) for argument in arguments]
    done = run_kyara("features", *filled, "--model", tiny_bundle, check=False)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr


@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_identify_on_workers_prints_what_one_process_prints(pictures, tiny_bundle, tmp_path, form):
    command = ["identify", pictures, "--model", tiny_bundle, "--level", "0", *([form] if form else [])]
    alone = run_kyara(*command, "--workers", "1", check=False)
    many = run_kyara(*command, "--workers", "2", "--work", tmp_path / "work", check=False)
    assert (alone.returncode, many.returncode) == (1, 1)
    assert many.stdout == alone.stdout
    assert "007.png" in many.stderr
    assert not (tmp_path / "work").exists()
    if form == "--json":
        document = json.loads(many.stdout)
        assert many.stdout == json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        assert sum(len(image["faces"]) for image in document["images"]) >= 2


def test_features_and_identify_on_ray_leave_what_local_processes_leave(pictures, tiny_bundle, tmp_path):
    common, ray = ("--model", tiny_bundle, "--level", "0"), ("--engine", "ray")
    local, far = tmp_path / "local.npy", tmp_path / "far.npy"
    extract = ["features", pictures, "--faces", *common, "--out"]
    ask = ["identify", pictures, *common, "--json"]
    run_kyara(*extract, local, check=False)
    here = run_kyara(*ask, check=False)
    with RayNodes() as nodes:
        run_kyara(*extract, far, *ray, check=False, **nodes.environment)
        there = run_kyara(*ask, *ray, "--work", tmp_path / "work", check=False, **nodes.environment)
    assert far.read_bytes() == local.read_bytes()
    assert read_index(far) == read_index(local) != []
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout)
    assert len(json.loads(there.stdout)["images"]) == 70


def test_identify_watches_several_videos(tiny_bundle, tmp_path):
    videos = [write_video(tmp_path / f"{n}.mp4", draw_frames(n, 4), rate=4) for n in range(2)]
    options = ("--model", tiny_bundle, "--level", "0")
    many = json.loads(run_kyara("identify", *videos, *options, "--json").stdout)
    alone = [json.loads(run_kyara("identify", video, *options, "--json").stdout) for video in videos]
    assert many["videos"] == [one["video"] for one in alone]
    assert many["model"] == alone[0]["model"]
    rows = run_kyara("identify", *videos, *options, "--csv").stdout.splitlines()
    assert sum(row.startswith("source,track") for row in rows) == 1
    assert len(rows) == 1 + sum(len(video["tracks"]) for video in many["videos"])


def test_walk_pictures_goes_in_the_order_of_list_pictures(tmp_path):
    for name in ("b/z.png", "b.png", "a/c/x.JPG", "a/b.gif", "a.txt", "B/1.png", "b-1/2.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(map(Path, walk_pictures(tmp_path))) == list_pictures(tmp_path)
    assert list(list_named([tmp_path / "a"])) == [str(path) for path in list_pictures(tmp_path / "a")]


def test_split_names_leaves_none_out():
    names = [str(number) for number in range(7)]
    assert list(split_names(names, 3)) == [names[:3], names[3:6], names[6:]]
    assert list(split_names([])) == []
