"""Learning: start weights, checkpoints, a layer on frozen features, and the tiny model that was made."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from drawings import write_dataset

from kyara.dataset.manifest import load_faces, read_manifest
from kyara.errors import BadInputError
from kyara.recognition.bundle import load_bundle
from kyara.recognition.head import score_features
from kyara.training.start_weights import (
    FOLDER,
    assign_folded_weights,
    read_folded_weights,
    read_nsfwjs_weights,
)


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


# TensorFlow and NumPy 2.4 do not yet agree on how an array is copied
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_network_built_from_a_bundle_gives_the_bundles_features(tiny_classifier, tiny_data):
    import keras

    from kyara.training import networks

    weights = read_folded_weights(tiny_classifier.bundle.backbone)
    assert len(weights.convolutions) == 94
    faces = read_manifest(tiny_data).of_split("val")
    pictures = load_faces(faces, 75).astype(np.float32) / 255
    network = networks.build_embedding_network(75, 64, 3)
    assign_folded_weights(network, weights, pictures)
    features = keras.Model(network.input, network.get_layer(networks.FEATURES_LAYER).output)
    served = np.stack([tiny_classifier.backbone.extract_view(picture) for picture in pictures])
    rebuilt = features.predict_on_batch(pictures)
    assert (rebuilt * served).sum(axis=1).min() > 0.99
    first = next(one for one in network.layers if isinstance(one, keras.layers.BatchNormalization))
    _, mean, _ = first.get_weights()
    convolution = next(one for one in network.layers if isinstance(one, keras.layers.Conv2D))
    seen = keras.Model(network.input, convolution.output).predict_on_batch(pictures)
    np.testing.assert_allclose(mean, seen.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-3)


# as above
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_start_weights_of_another_network_are_refused(tiny_classifier, tmp_path):
    from kyara.training import networks

    weights = read_folded_weights(tiny_classifier.bundle.backbone)
    network = networks.build_embedding_network(75, 32, 3)
    with pytest.raises(BadInputError, match="another network"):
        assign_folded_weights(network, weights, np.zeros((1, 75, 75, 3), np.float32))
    path = tmp_path / "backbone.tflite"
    path.write_bytes(b"nothing")
    with pytest.raises(BadInputError, match="LiteRT"):
        read_folded_weights(path)


def test_the_tiny_bundle_carries_its_provenance_and_recognises_drawings(
    tiny_bundle, tiny_classifier, tiny_data
):
    bundle, manifest = load_bundle(tiny_bundle), read_manifest(tiny_data)
    provenance = bundle.provenance
    assert provenance["recipe"] == "finetune"
    assert provenance["plan"]["epochs"] == 3
    assert provenance["dataset_sha256"] == manifest.digest()
    faces = [len(manifest.of_split(split)) for split in ("train", "val")]
    assert sum(provenance["faces"].values()) == sum(faces)
    assert provenance["calibration"]["stated_false_accept"] == 0.1
    measured = json.loads((tiny_bundle / "metrics.json").read_text())
    assert measured["top1"] >= 0.9
    assert measured["queries"] == len(manifest.of_split("test"))


def test_features_of_the_fine_tuned_network_have_unit_length(tiny_classifier, tiny_data):
    classifier = tiny_classifier
    view = np.random.default_rng(0).random((75, 75, 3)).astype(np.float32)
    assert np.linalg.norm(classifier.backbone.extract_view(view)) == pytest.approx(1, abs=1e-3)
    # the head is scaled proxies without a bias: its logits are scaled cosines
    lengths = np.linalg.norm(classifier.bundle.head_weight, axis=0)
    assert lengths == pytest.approx(classifier.bundle.provenance["plan"]["scale"], rel=1e-4)
    assert not classifier.bundle.head_bias.any()


def test_names_of_the_command_reach_the_bundle(tiny_classifier):
    assert tiny_classifier.character("ao_glasses").name_in("ja") == "青めがね"
    assert tiny_classifier.character("midori_bun").name_in("en") == "Midori Bun"


# TensorFlow and NumPy 2.4 do not yet agree on how an array is copied
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_layer_learns_what_can_be_told_and_goes_on_where_it_stopped(tmp_path):
    from kyara.training.layer import fit_layer
    from kyara.training.plan import LayerPlan

    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, 300)
    features = (np.eye(3)[rows] * 50 + 1000 + rng.normal(size=(300, 3))).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[rows]
    half, whole = (LayerPlan(epochs=count, batch=32, peak_rate=0.05) for count in (3, 6))
    for task in ("single", "multi"):
        fit_layer(features, targets, half, tmp_path / task, task=task, quiet=True)
        weight, bias = fit_layer(features, targets, whole, tmp_path / task, task=task, quiet=True)
        assert (score_features(features, weight, bias).argmax(axis=1) == rows).mean() > 0.99
        history = json.loads((tmp_path / task / "history.json").read_text())
        assert len(history) == 6
        assert not (tmp_path / task / "epoch-3.keras").exists()
        again = fit_layer(features, targets, whole, tmp_path / task, task=task, quiet=True)
        np.testing.assert_array_equal(again[0], weight)


def test_a_run_without_a_finished_epoch_is_no_start(tmp_path):
    from kyara.training.checkpoints import find_checkpoint

    with pytest.raises(BadInputError, match="finished epoch"):
        find_checkpoint(tmp_path)


def test_a_plan_of_another_recipe_is_refused(tmp_path):
    from kyara.training.plan import CnnPlan, Plan, claim_run, read_plan

    data = write_dataset(tmp_path / "data", 4)
    plan = CnnPlan(epochs=3)
    claim_run(tmp_path / "run", plan, read_manifest(data))
    assert read_plan(tmp_path / "run", CnnPlan) == plan
    with pytest.raises(BadInputError, match="not a run of this recipe"):
        read_plan(tmp_path / "run", Plan)
