"""Learning's last step: a trained network → a candidate bundle that serving can load.

The backbone becomes LiteRT with dynamic-range int8 weights, the softmax layer becomes `head.npz`, and
everything that is chosen from data (references, temperature, threshold) is chosen on features from
that quantised backbone: the ones that will be served.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classification import Classifier
from kyara.answers import measure_familiarity
from kyara.backbone import Backbone
from kyara.bundle import Bundle, Calibration, Character, Preprocessing, View, save_bundle
from kyara.dataset import Manifest
from kyara.errors import BadInputError, BundleError
from kyara.evaluation import Progress, extract_faces
from kyara.gallery import choose_references, scale_to_unit
from kyara.metrics import fit_temperature
from kyara.training import FEATURES_LAYER

SERVING_VIEWS = (View(), View(mirror=True), View(0.08), View(0.12, mirror=True))
"""Crops come tight (a hand-drawn box) and wide (the cascade's). On `val` these four views lose little on
tight crops against the plain and the mirrored view alone, and win more where there is a margin."""
REFERENCES_PER_CHARACTER = 8
KNOWN_ACCEPTED = 0.95
"""Share of unseen faces of known characters that the threshold lets pass as known."""


def export_bundle(
    model: Any,
    manifest: Manifest,
    preprocessing: Preprocessing,
    names: Mapping[str, Character],
    folder: Path,
    *,
    provenance: Mapping[str, Any],
    progress: Progress = lambda done: None,
) -> Bundle:
    """Write a trained network as a bundle.

    Args:
        model: the Keras model from `training.train_network`.
        manifest: its dataset: `train` gives the references, `val` the calibration.
        preprocessing: how crops become input when serving.
        names: label → character; a label that is missing gets its words as an English name.
        folder: target `model/<name>`.
        provenance: how it was made, for `bundle.json`.
        progress: called with 1 after each face.

    Returns:
        The bundle, calibrated and verified.
    """
    import keras

    network = keras.Model(model.input, model.get_layer(FEATURES_LAYER).output)
    weight, bias = (np.asarray(values, np.float32) for values in model.get_layer("head").get_weights())
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "backbone.tflite"
        path.write_bytes(convert_to_litert(network))
        backbone = Backbone(path, preprocessing)
        train = extract_faces(backbone, manifest.of_split("train"), progress)
        if not np.isfinite(train).all():
            raise BundleError("The converted backbone gives features that are not finite numbers.")
        references, rows = _build_gallery(train, manifest)
        bundle = Bundle(
            name=folder.name,
            version="",
            characters=tuple(names.get(label) or name_from_label(label) for label in manifest.labels),
            preprocessing=preprocessing,
            calibration=Calibration(),
            backbone=path,
            head_weight=weight,
            head_bias=bias,
            gallery_features=references,
            gallery_rows=rows,
            provenance=provenance,
        )
        return save_bundle(calibrate_bundle(bundle, manifest, progress), folder)


def convert_to_litert(network: Any) -> bytes:
    """Convert a Keras model to LiteRT with dynamic-range int8 weights.

    Source: https://ai.google.dev/edge/litert/models/post_training_quantization
    """
    import keras
    import tensorflow as tf

    # a fixed batch of one, so that LiteRT can plan its memory once
    pixels = keras.Input(batch_shape=(1, *network.input_shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        keras.Model(pixels, network(pixels)).export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def _build_gallery(features: np.ndarray, manifest: Manifest) -> tuple[np.ndarray, np.ndarray]:
    faces = manifest.of_split("train")
    references, rows = [], []
    for row, label in enumerate(manifest.labels):
        own = features[[face.label == label for face in faces]]
        if len(own):
            chosen = scale_to_unit(own)[choose_references(own, REFERENCES_PER_CHARACTER)]
            references.append(chosen)
            rows.append(np.full(len(chosen), row))
    # stored as float16: what is calibrated here is what will be loaded
    stored = np.concatenate(references).astype(np.float16).astype(np.float32)
    return stored, np.concatenate(rows)


def calibrate_bundle(
    bundle: Bundle, manifest: Manifest, progress: Progress = lambda done: None
) -> Bundle:
    """Fit the temperature and the threshold for "unknown" on the `val` split.

    The threshold lets 95% of unseen faces of known characters pass; it needs no unknown faces.
    """
    faces = manifest.of_split("val")
    classifier = Classifier(bundle)
    scores, similarities = classifier.score(extract_faces(classifier.backbone, faces, progress))
    targets = np.array([bundle.labels.index(face.label) for face in faces])
    threshold = np.quantile(measure_familiarity(scores, similarities), 1 - KNOWN_ACCEPTED)
    calibration = Calibration(round(fit_temperature(scores, targets), 4), round(float(threshold), 4))
    return replace(bundle, calibration=calibration)


def read_names(path: Path) -> dict[str, Character]:
    """Read a JSON file: label → `{"name": {language: text}, "work": {language: text}}`.

    Raises:
        BadInputError: the file is missing or of another shape.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {
            label: Character(label, dict(entry["name"]), dict(entry["work"]))
            for label, entry in entries.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"{path} is not a file of character names: {error!r}.") from error


def name_from_label(label: str) -> Character:
    """Make an English name from a label: `some_one` → Some One."""
    return Character(label, {"en": label.rpartition("/")[2].replace("_", " ").title()}, {})
