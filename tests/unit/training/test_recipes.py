"""Every recipe of `train`, killed after its first epoch, goes on and makes a bundle that serves."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from drawings import LABELS, write_dataset
from PIL import Image
from trainings import SETTINGS, kill_and_resume, measure_test

from classification import Classifier
from kyara.dataset.manifest import read_manifest
from kyara.dataset.tagged import read_tagged
from kyara.recognition.bundle import load_bundle
from kyara.training.crops import find_faces
from kyara.vision.images import read_image

pytestmark = pytest.mark.timeout(1500)  # real trainings: minutes on a busy machine


@pytest.fixture(scope="module")
def cnn(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kill_and_resume("cnn", tiny_data, tmp_path_factory.mktemp("cnn"))


def test_a_small_network_is_trained_from_scratch(cnn, tiny_data):
    assert measure_test(cnn, read_manifest(tiny_data)) >= 0.9
    bundle = load_bundle(cnn)
    assert bundle.preprocessing.input_px == 64
    assert bundle.head_weight.shape == (512, len(LABELS))
    assert bundle.provenance["recipe"] == "cnn"


def test_a_run_is_exported_again_without_training_finished_or_not(cnn, tiny_data, tmp_path):
    run = shutil.copytree(cnn.parent / "run", tmp_path / "run")
    plan = json.loads((run / "plan.json").read_text())
    plan["plan"]["epochs"] += 5
    (run / "plan.json").write_text(json.dumps(plan))
    before = (run / "history.json").stat().st_mtime_ns
    arguments = ("train", tiny_data, "--recipe", "cnn", "--run", run, "--models", tmp_path)
    run_kyara(
        *(*arguments, "--name", "again", "--export-only", "--no-quantise", "--false-accept", "0.3"),
        *("--bottlenecks", tmp_path / "bottlenecks"),
    )
    assert (run / "history.json").stat().st_mtime_ns == before
    quantised, plain = load_bundle(cnn), load_bundle(tmp_path / "again")
    np.testing.assert_array_equal(quantised.head_weight, plain.head_weight)
    assert plain.backbone.stat().st_size > 3 * quantised.backbone.stat().st_size
    assert plain.provenance["plan"] == plan["plan"]
    assert plain.provenance["calibration"]["stated_false_accept"] == 0.3
    crop = [read_image(tiny_data / LABELS[0] / "000.png")]
    first, second = (Classifier(bundle).backbone.extract(crop) for bundle in (quantised, plain))
    cosine = (first * second).sum() / np.linalg.norm(first) / np.linalg.norm(second)
    assert 0.99 < cosine < 1 - 1e-9


def test_a_softmax_layer_is_trained_on_the_features_of_a_bundle(tiny_bundle, tiny_data, tmp_path):
    made = kill_and_resume("head", tiny_data, tmp_path, "--features", tiny_bundle)
    assert measure_test(made, read_manifest(tiny_data)) >= 0.9
    source, bundle = load_bundle(tiny_bundle), load_bundle(made)
    assert bundle.backbone.read_bytes() == source.backbone.read_bytes()
    assert bundle.preprocessing == source.preprocessing
    assert bundle.provenance["features"] == tiny_bundle.name


def test_references_are_chosen_anew_for_a_network_that_stays(tiny_bundle, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "negative").mkdir()
    for path in sorted((data / LABELS[0]).iterdir()):
        Image.fromarray(255 - read_image(path)).save(data / "negative" / path.name)
    run_kyara(
        *("train", data, "--recipe", "gallery", "--features", tiny_bundle, "--name", "grown"),
        *("--models", tmp_path, "--bottlenecks", tmp_path / "bottlenecks"),
    )
    source, bundle = load_bundle(tiny_bundle), load_bundle(tmp_path / "grown")
    assert bundle.backbone.read_bytes() == source.backbone.read_bytes()
    np.testing.assert_array_equal(bundle.head_weight, source.head_weight)
    assert set(bundle.labels) == {*LABELS, "negative"}
    assert bundle.labels.index("negative") not in bundle.head_rows
    assert bundle.preprocessing == source.preprocessing
    assert bundle.provenance["from"]["version"] == source.version
    # whom the references were cut out of, the faces that are asked are cut out of, too
    found = measure_test(
        tmp_path / "grown",
        read_manifest(data),
        lambda faces: find_faces(faces, tmp_path / "bottlenecks"),
    )
    assert found >= 0.9


def test_only_the_calibration_is_chosen_anew(tiny_bundle, tiny_data, tmp_path):
    order = ("train", tiny_data, "--recipe", "gallery", "--features", tiny_bundle, "--name", "anew")
    run_kyara(*order, "--keep-references", "--models", tmp_path, "--cache", tmp_path / "cache")
    for name in ("backbone.tflite", "head.npz", "gallery.npz"):
        assert (tmp_path / "anew" / name).read_bytes() == (tiny_bundle / name).read_bytes()
    source, bundle = load_bundle(tiny_bundle), load_bundle(tmp_path / "anew")
    assert bundle.characters == source.characters
    assert bundle.provenance["from"]["version"] == source.version


MAKE_SAVED_MODEL = """
import sys
import tensorflow as tf

class Colours(tf.Module):
    "Averages colours over a grid of 4 × 4, through a layer with weights."

    def __init__(self):
        self.mixing = tf.Variable(tf.random.stateless_normal((1, 1, 3, 16), seed=(1, 2)))

    @tf.function(input_signature=[tf.TensorSpec((None, 32, 32, 3), tf.float32)])
    def __call__(self, inputs):
        mixed = tf.nn.conv2d(inputs, self.mixing, 1, "SAME")
        return {"feature_vector": tf.nn.avg_pool2d(mixed, 8, 8, "SAME")}

module = Colours()
tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": module.__call__})
"""


def test_a_softmax_layer_is_trained_on_a_saved_model(tiny_data, tmp_path):
    folder = tmp_path / "saved"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", MAKE_SAVED_MODEL, folder], env=environment, check=True)
    run_kyara(
        *("train", tiny_data, "--recipe", "head", "--name", "saved", "--models", tmp_path / "model"),
        *("--features", folder, "--run", tmp_path / "run", "--bottlenecks", tmp_path / "b"),
        *SETTINGS["head"],
    )
    bundle = load_bundle(tmp_path / "model" / "saved")
    assert bundle.preprocessing.input_px == 32
    assert len(bundle.head_weight) == 16  # a feature map is averaged
    again = ("train", tiny_data, "--recipe", "head", "--name", "other", "--run", tmp_path / "run")
    refused = run_kyara(*again, "--features", tmp_path / "other", check=False)
    assert refused.returncode == 1
    assert "begun with other features" in refused.stderr
    assert measure_test(tmp_path / "model" / "saved", read_manifest(tiny_data)) >= 0.9


@pytest.fixture
def posters(tmp_path: Path) -> Path:
    """Drawn faces with a table of what they have: red hair, blue hair, glasses."""
    root = tmp_path / "posters"
    drawn = write_dataset(tmp_path / "drawn", 30)
    (root / "images").mkdir(parents=True)
    rows: list[tuple[str, ...]] = [("Id", "Red", "Blue", "Glasses")]
    for path in sorted(drawn.rglob("*.png")):
        number = len(rows)
        (root / "images" / f"{number}.png").write_bytes(path.read_bytes())
        hair = LABELS.index(path.parent.name)
        rows.append((str(number), *(str(int(has)) for has in (hair == 0, hair == 1, hair == 1))))
    with (root / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return root


def test_several_labels_are_told_of_a_picture(posters, tiny_bundle, tmp_path):
    made = kill_and_resume("multilabel", posters, tmp_path, "--features", tiny_bundle)
    asked = read_tagged(posters).of_split("test")
    answers = Classifier(made).identify([read_image(path) for path in asked.paths], top_k=3)
    said = np.array(
        [
            [face.verdict == "known" and label in {answer.label for answer in face.answers}]
            for face in answers
            for label in asked.labels
        ]
    ).reshape(asked.truth.shape)
    assert (said == asked.truth).mean() >= 0.9
    assert load_bundle(made).provenance["label_frequencies"]["red"] == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--recipe", "cnn", "--margin", "0.1"), 2, "no --margin"),
        (("--recipe", "head", "--start-weights", "x"), 2, "no --start-weights"),
        (("--backbone", "mobilenet-v2", "--input-px", "16"), 2, "needs --input-px 32"),
        (("--start-weights", "nowhere.keras"), 1, "nowhere.keras is not a model"),
        (("--recipe", "multilabel", "--leave-out", "x"), 2, "no --leave-out"),
        (("--recipe", "colourless"), 2, "no --run"),
        (("--recipe", "eyes", "--no-quantise"), 2, "no --no-quantise"),
        (("--leave-out", "nowhere"), 1, "no work nowhere"),
        (("--gallery-split", "nowhere"), 1, "split 'nowhere'"),
        (("--export-only",), 1, "not a run of this recipe"),
        (("--recipe", "multilabel"), 1, "needs one table"),
        (("--names", "nowhere.json"), 1, "nowhere.json"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(tiny_data, tmp_path, arguments, status, message):
    done = run_kyara(
        *("train", tiny_data, "--name", "x", "--models", tmp_path, "--run", tmp_path / "run"),
        *arguments,
        check=False,
    )
    assert done.returncode == status
    assert message in done.stderr
    assert not (tmp_path / "x").exists()


def test_features_that_cannot_be_loaded_are_refused(tiny_data, tmp_path):
    done = run_kyara(
        *("train", tiny_data, "--name", "x", "--models", tmp_path, "--run", tmp_path / "run"),
        *("--recipe", "head", "--features", tmp_path / "nothing"),
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be loaded as a SavedModel" in done.stderr
