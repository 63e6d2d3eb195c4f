"""Training for real, on drawn faces: what it learns, and that a kill loses no finished epoch."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, run_kyara
from drawings import LABELS, write_dataset

from kyara.bundle import load_bundle
from kyara.dataset import read_manifest
from kyara.errors import BadInputError
from kyara.evaluation import evaluate_bundle
from kyara.export import name_from_label, read_names
from kyara.pretrained import FOLDER, read_nsfwjs_weights


def write_package(path: Path, manifest: str, shards: list[bytes]) -> Path:
    """Write a package of nsfwjs' shape."""
    with tarfile.open(path, "w:gz") as archive:
        files = {"model.min.js": manifest.encode()}
        for number, shard in enumerate(shards, start=1):
            text = f'!function(){{l.exports="{base64.b64encode(shard).decode()}"}}'
            files[f"group1-shard{number}of6.min.js"] = text.encode()
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def test_quantised_weights_are_read_across_shards(tmp_path):
    manifest = (
        'weights:[{name:"conv2d_1/kernel",shape:[2,2],dtype:"float32",'
        'quantization:{min:-1.5,scale:.5,dtype:"uint8"}},'
        '{name:"dense/bias",shape:[1],dtype:"float32"}]'
    )
    data = bytes([0, 1, 2, 255]) + np.float32(0.25).tobytes()
    shards = [data[:3], data[3:5], data[5:], b"", b"", b""]
    with pytest.raises(BadInputError, match="no base64"):
        read_nsfwjs_weights(write_package(tmp_path / "p.tgz", manifest, shards))
    shards = [data[n : n + 1] for n in range(5)] + [data[5:]]
    weights = read_nsfwjs_weights(write_package(tmp_path / "q.tgz", manifest, shards))
    assert weights["conv2d_1/kernel"].tolist() == [[-1.5, -1.0], [-0.5, 126.0]]
    assert weights["dense/bias"].tolist() == [0.25]


def test_left_over_weight_bytes_are_refused(tmp_path):
    manifest = '{name:"a",shape:[2],dtype:"float32",quantization:{min:0,scale:1,dtype:"uint8"}}'
    with pytest.raises(BadInputError, match="read 2 of 6"):
        read_nsfwjs_weights(write_package(tmp_path / "p.tgz", manifest, [b"x"] * 6))


def test_a_file_that_is_no_package_is_refused(tmp_path):
    path = tmp_path / "p.tgz"
    path.write_bytes(b"nothing")
    with pytest.raises(BadInputError, match="nsfwjs"):
        read_nsfwjs_weights(path)


def test_the_tiny_bundle_carries_its_provenance_and_measures_itself(
    tiny_bundle, tiny_classifier, tiny_data
):
    provenance = load_bundle(tiny_bundle).provenance
    assert provenance["plan"]["epochs"] == 4
    assert provenance["dataset_sha256"] == read_manifest(tiny_data).digest()
    measured = json.loads((tiny_bundle / "metrics.json").read_text())
    again = evaluate_bundle(tiny_classifier, read_manifest(tiny_data), "test")
    assert again == {name: value for name, value in measured.items() if name != "model_version"}
    assert measured["top1"] >= 0.9
    assert measured["queries"] == len(read_manifest(tiny_data).of_split("test"))


def test_strangers_are_measured_apart(tiny_classifier, tiny_data, tmp_path):
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (6, 90, 90, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    metrics = evaluate_bundle(tiny_classifier, read_manifest(tiny_data), "val", unknown=tmp_path)
    assert metrics["unknown_queries"] == 6
    assert 0 <= metrics["unknown_rejected"] <= 1
    assert 0 <= metrics["auroc"] <= 1


def test_evaluation_refuses_characters_that_the_model_does_not_know(tiny_classifier, tmp_path):
    data = write_dataset(tmp_path / "data", 12)
    (data / LABELS[0]).rename(data / "stranger")
    with pytest.raises(BadInputError, match="stranger"):
        evaluate_bundle(tiny_classifier, read_manifest(data), "train")


def test_a_killed_run_goes_on_from_its_last_epoch(tmp_path):
    data, run = write_dataset(tmp_path / "data", 12), tmp_path / "run"
    arguments = [
        "train",
        str(data),
        "--name",
        "cut",
        "--models",
        str(tmp_path / "model"),
        "--run",
        str(run),
    ]
    arguments += ["--input-px", "75", "--epochs", "2", "--batch", "16", "--norm-momentum", "0.7"]
    with subprocess.Popen(
        [sys.executable, "-m", "kyara", *arguments],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 240
        while not (run / "history.json").exists() and time.monotonic() < deadline:
            assert process.poll() is None, "training ended before its first epoch was kept"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    first = json.loads((run / "history.json").read_text())
    run_kyara(*arguments)
    history = json.loads((run / "history.json").read_text())
    assert history[: len(first)] == first
    assert len(history) == 2
    assert load_bundle(tmp_path / "model" / "cut").labels == tuple(sorted(LABELS))
    refused = run_kyara(*arguments, "--seed", "9", check=False)
    assert refused.returncode == 1
    assert "another plan" in refused.stderr


def test_names_are_read_and_made_up_from_labels(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('{"a": {"name": {"ja": "あ"}, "work": {}}}', encoding="utf-8")
    assert read_names(path)["a"].name_in("ja") == "あ"
    assert name_from_label("some_work/some_one").name_in("en") == "Some One"
    path.write_text('{"a": 1}')
    with pytest.raises(BadInputError, match=r"names\.json"):
        read_names(path)
