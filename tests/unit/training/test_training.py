"""Learning: start weights, checkpoints, a layer on frozen features, and the tiny model that was made."""

from __future__ import annotations

import importlib
import json
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from drawings import write_dataset

from kyara.cli.plan_options import plan_options
from kyara.dataset.manifest import load_faces, read_manifest
from kyara.errors import BadInputError
from kyara.recognition.bundle import load_bundle
from kyara.recognition.head import score_features
from kyara.training.backbones import BACKBONES, DEFAULT_BACKBONE, IMAGENET, find_backbone
from kyara.training.plan import RENAMED, CnnPlan, LayerPlan, Plan, claim_run, read_plan, restore_plan
from kyara.training.retrain import RetrainOrder
from kyara.training.start_weights import assign_folded_weights, load_start, read_folded_weights

SMALL = "mobilenet-v2"


# TensorFlow and NumPy 2.4 do not yet agree on how an array is copied
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_network_built_from_a_bundle_gives_the_bundles_features(tiny_classifier, tiny_data):
    import keras

    from kyara.training import networks

    weights = read_folded_weights(tiny_classifier.bundle.backbone)
    assert len(weights.convolutions) == 94
    faces = read_manifest(tiny_data).of_split("val")
    pictures = load_faces(faces, 75).astype(np.float32) / 255
    network = networks.build_embedding_network(75, tiny_classifier.backbone.dimension, 3)
    assign_folded_weights(network, weights, pictures)
    features = keras.Model(network.input, network.get_layer(networks.FEATURES_LAYER).output)
    served = np.stack([*tiny_classifier.backbone.extract_views(pictures)])
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


def shake(network: Any) -> None:
    """Give batch normalisation something to do."""
    rng = np.random.default_rng(0)
    for layer in network.layers:
        values = [
            value + (value.ndim == 1) * 0.1 * rng.random(value.shape) for value in layer.get_weights()
        ]
        layer.set_weights(values)


# as above
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_kind_of_start_weights_gives_the_same_features(tmp_path):
    import keras

    from kyara.training import networks
    from kyara.training.convert import convert_keras

    def build() -> tuple[Any, Any]:
        network = networks.build_embedding_network(32, 16, 3, backbone=SMALL)
        features = network.get_layer(networks.FEATURES_LAYER).output
        return network, keras.Model(network.input, features)

    pictures = np.random.default_rng(1).random((8, 32, 32, 3)).astype(np.float32)
    network, features = build()
    shake(network)
    expected = features.predict_on_batch(pictures)
    projection = network.get_layer("projection").get_weights()

    network.save(tmp_path / "run.keras")
    pooled = network.get_layer(networks.POOLED_LAYER).output
    keras.Model(network.input, pooled).export(tmp_path / "saved", format="tf_saved_model", verbose=False)
    for start in ("run.keras", "saved"):
        again, features_again = build()
        load_start(again, find_backbone(SMALL), str(tmp_path / start))
        again.get_layer("projection").set_weights(projection)
        np.testing.assert_allclose(features_again.predict_on_batch(pictures), expected, atol=1e-6)

    (tmp_path / "backbone.tflite").write_bytes(convert_keras(features))
    again, features_again = build()
    assign_folded_weights(again, read_folded_weights(tmp_path / "backbone.tflite"), pictures)
    assert (features_again.predict_on_batch(pictures) * expected).sum(axis=1).min() > 0.999

    inception = networks.build_embedding_network(75, 16, 3)
    with pytest.raises(BadInputError, match="another network than InceptionV3"):
        load_start(inception, find_backbone(DEFAULT_BACKBONE), str(tmp_path / "run.keras"))
    (tmp_path / "no.keras").write_bytes(b"nothing")
    with pytest.raises(BadInputError, match=r"no\.keras is not a model"):
        load_start(inception, find_backbone(DEFAULT_BACKBONE), str(tmp_path / "no.keras"))


# as above
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("name", "input_px"), [("inception-v3", 75), (SMALL, 96)])
def test_weights_of_keras_applications_see_pixels_in_their_own_range(
    name, input_px, tmp_path, monkeypatch
):
    import keras

    from kyara.training import networks

    entry, path = find_backbone(name), tmp_path / "w.weights.h5"
    make = getattr(keras.applications, entry.application)
    original = make(include_top=False, weights=None, input_shape=(input_px, input_px, 3))
    shake(original)
    original.save_weights(path)
    downloads = importlib.import_module(make.__module__).file_utils
    monkeypatch.setattr(downloads, "get_file", lambda *names, **more: str(path))
    network = networks.build_embedding_network(input_px, 16, 3, backbone=name)
    load_start(network, entry, IMAGENET)
    pixels = np.random.default_rng(0).random((2, input_px, input_px, 3)).astype(np.float32)
    pooled = keras.Model(network.input, network.get_layer(networks.POOLED_LAYER).output)
    expected = original.predict_on_batch(pixels * 2 - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(pooled.predict_on_batch(pixels), expected, atol=1e-6)
    layers = {layer.name for layer in network.layers}
    assert layers.issuperset(entry.depths + entry.freezing_points)
    with pytest.raises(BadInputError, match="no layer 'nowhere'"):
        networks.freeze_until(network, "nowhere")
    networks.freeze_until(network, entry.freezing_points[0])
    assert not network.get_layer(entry.freezing_points[0]).trainable
    assert network.get_layer(entry.depths[-1]).trainable


def test_a_backbone_that_is_not_there_is_refused():
    with pytest.raises(BadInputError, match=f"'vgg'; there are {', '.join(BACKBONES)}"):
        find_backbone("vgg")


def test_the_tiny_bundle_carries_its_provenance_and_recognises_drawings(
    tiny_bundle, tiny_classifier, tiny_data
):
    bundle, manifest = load_bundle(tiny_bundle), read_manifest(tiny_data)
    provenance = bundle.provenance
    assert provenance["recipe"] == "finetune"
    assert provenance["plan"]["epochs"] == 2
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
    assert np.linalg.norm(next(classifier.backbone.extract_views([view]))) == pytest.approx(1, abs=1e-3)
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

    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, 300)
    features = (np.eye(3)[rows] * 50 + 1000 + rng.normal(size=(300, 3))).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[rows]
    half, whole = (LayerPlan(epochs=count, batch=32, learning_rate=0.05) for count in (3, 6))
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


OLD_PLAN = {
    "peak_rate": 0.1,
    "average": 0.5,
    "norm_momentum": 0.7,
    "balance": 0.2,
    "within_work": 0.4,
    "new_grounds": False,
}


def test_plans_of_before_keep_their_meaning(tmp_path):
    plan = restore_plan(Plan, OLD_PLAN)
    assert plan == Plan(
        learning_rate=0.1,
        ema_momentum=0.5,
        bn_momentum=0.7,
        sampling_exponent=0.2,
        same_series_share=0.4,
        new_backgrounds=False,
    )
    assert restore_plan(LayerPlan, {"shrinkage": 0.3}) == LayerPlan(weight_decay=0.3)
    data, run = read_manifest(write_dataset(tmp_path / "data", 4)), tmp_path / "run"
    claim_run(run, plan, data)
    claim = json.loads((run / "plan.json").read_text())
    for before, now in RENAMED.items():
        if now in claim["plan"]:
            claim["plan"][before] = claim["plan"].pop(now)
    del claim["plan"]["backbone"]
    (run / "plan.json").write_text(json.dumps(claim))
    claim_run(run, plan, data)
    assert read_plan(run, Plan) == plan
    with pytest.raises(BadInputError, match="another plan"):
        claim_run(run, Plan(), data)


def test_options_of_before_keep_their_meaning():
    @click.command()
    @plan_options
    def show(**given):
        click.echo(json.dumps({name: value for name, value in given.items() if value is not None}))

    for before, now in RENAMED.items():
        flag = now == "new_backgrounds"
        for name in (before, now):
            said = CliRunner().invoke(show, [f"--{name.replace('_', '-')}", *([] if flag else ["0.5"])])
            assert json.loads(said.output) == {now: True if flag else 0.5}
    assert json.loads(CliRunner().invoke(show, ["--no-new-grounds"]).output) == {
        "new_backgrounds": False
    }


def test_an_order_of_before_keeps_its_cache():
    fields = dict.fromkeys(("job", "recipe", "dataset", "models", "names", "start_weights"), "")
    order = RetrainOrder.from_json(
        {**fields, "plan": {}, "further": [], "head_from": 1, "tolerances": {}, "bottlenecks": "kept"}
    )
    assert order.cache == "kept"


def test_a_plan_of_another_recipe_is_refused(tmp_path):
    data = write_dataset(tmp_path / "data", 4)
    plan = CnnPlan(epochs=3)
    claim_run(tmp_path / "run", plan, read_manifest(data))
    assert read_plan(tmp_path / "run", CnnPlan) == plan
    with pytest.raises(BadInputError, match="not a run of this recipe"):
        read_plan(tmp_path / "run", Plan)
