"""Learning: a dataset → a fine-tuned Inception-v3 and its softmax head.

TensorFlow and Keras are imported inside the functions that need them; no serving room imports this
module. After every epoch the whole state (weights, optimizer, history) is written next to the old
one and renamed into place, so a killed run goes on from its last finished epoch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.augment import augment_face
from kyara.bundle import write_whole
from kyara.closeups import cut_close_ups, find_close_ups
from kyara.dataset import Face, Manifest, count_labels, load_faces
from kyara.errors import BadInputError
from kyara.images import Box
from kyara.pretrained import assign_nsfwjs_weights, read_nsfwjs_weights

FEATURES_LAYER = "features"
STORED_SCALE = 1.25
"""Faces wait in memory at this multiple of the input size, so that zooming in stays sharp."""


@dataclass(frozen=True)
class Plan:
    """What a training run does; written into its folder and into the bundle's provenance.

    Attributes:
        input_px: side of the network's square input, 75 at least (Inception-v3's minimum).
        epochs: passes over the training split.
        batch: faces a step.
        peak_rate: highest learning rate of SGD with Nesterov momentum 0.9; it is reached after half
            an epoch and then falls to zero along a cosine.
        label_smoothing: share of the target spread over all classes.
        dropout: share of features dropped before the softmax layer.
        balance: 0 draws faces as they come, 1 draws every label equally often.
        norm_momentum: of batch normalisation's moving averages; lower it for runs of few steps.
        close_ups: where a character's pictures are wide, show what the detector would cut out too.
        seed: of every random choice.
    """

    input_px: int = 128
    epochs: int = 8
    batch: int = 32
    peak_rate: float = 0.015
    label_smoothing: float = 0.1
    dropout: float = 0.2
    balance: float = 0.3
    norm_momentum: float = 0.99
    close_ups: bool = True
    seed: int = 1


def train_network(
    manifest: Manifest, plan: Plan, run: Path, *, start_weights: Path | None = None, quiet: bool = False
) -> Any:
    """Fine-tune on the training split, going on from the last finished epoch if there is one.

    Args:
        manifest: the dataset; its `val` split is measured after every epoch.
        plan: what to do. A run that was begun with another plan or dataset is refused.
        run: folder for the checkpoint and the history.
        start_weights: the nsfwjs package, or the `.keras` file of another run of the same characters, to
            start from; None starts from random weights.
        quiet: no progress bar.

    Returns:
        The trained Keras model: `float32 (N, input_px, input_px, 3)` in [0, 1] → probabilities.

    Raises:
        BadInputError: the run folder belongs to another plan or dataset, or a split is empty.
    """
    train_faces, val_faces = manifest.of_split("train"), manifest.of_split("val")
    run.mkdir(parents=True, exist_ok=True)
    _claim_run(run, plan, manifest)
    import keras

    keras.utils.set_random_seed(plan.seed)
    stored_px = round(plan.input_px * STORED_SCALE)
    train_pixels = load_faces(train_faces, stored_px)
    val_pixels = load_faces(val_faces, plan.input_px).astype(np.float32) / 255.0
    if plan.close_ups:
        boxes = _recall_close_ups(run, train_faces, train_pixels)
        train_pixels = np.concatenate([train_pixels, cut_close_ups(train_pixels, boxes)])
        train_faces = train_faces + [train_faces[row] for row in boxes]
    row_of = {label: row for row, label in enumerate(manifest.labels)}
    train_rows = np.array([row_of[face.label] for face in train_faces])
    val_targets = np.eye(len(row_of), dtype=np.float32)[[row_of[f.label] for f in val_faces]]
    model, history = _open_run(run, plan, len(row_of), len(train_faces), start_weights)
    for epoch in range(len(history), plan.epochs):
        rng = np.random.default_rng([plan.seed, epoch])
        order = draw_epoch(train_faces, plan.balance, rng)
        batches = _as_dataset(train_pixels, train_rows, order, len(row_of), plan, rng)
        fit = model.fit(
            batches,
            validation_data=(val_pixels, val_targets),
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0 if quiet else "auto",
        )
        history.append({name: float(values[-1]) for name, values in fit.history.items()})
        _save_run(run, model, history)
        if not quiet:
            print(f"epoch {epoch + 1}/{plan.epochs}: {json.dumps(history[-1])}", flush=True)
    return model


def _recall_close_ups(run: Path, faces: list[Face], pixels: np.ndarray) -> dict[int, Box]:
    """Search once a run: the detector takes longer than reading the pictures."""
    path = run / "close-ups.json"
    if not path.exists():
        boxes = find_close_ups(faces, pixels)
        write_whole(path, json.dumps({row: box.to_json() for row, box in boxes.items()}))
    return {int(row): Box(**box) for row, box in json.loads(path.read_text()).items()}


def _claim_run(run: Path, plan: Plan, manifest: Manifest) -> None:
    claim = {"plan": asdict(plan), "data": manifest.digest(), "labels": list(manifest.labels)}
    path = run / "plan.json"
    if not path.exists():
        path.write_text(json.dumps(claim, indent=1))
    elif json.loads(path.read_text()) != claim:
        raise BadInputError(
            f"{run} was begun with another plan or dataset; give another --run folder or delete it."
        )


def _open_run(
    run: Path, plan: Plan, classes: int, faces: int, start_weights: Path | None
) -> tuple[Any, list[dict[str, float]]]:
    import keras

    history_path = run / "history.json"
    if history_path.exists():
        history = json.loads(history_path.read_text())
        return keras.models.load_model(run / f"epoch-{len(history)}.keras"), history
    model = build_network(plan, classes)
    if start_weights is not None and start_weights.suffix == ".keras":
        earlier: Any = keras.models.load_model(start_weights, compile=False)
        model.set_weights(earlier.get_weights())
    elif start_weights is not None:
        assign_nsfwjs_weights(model, read_nsfwjs_weights(start_weights))
    steps = -(-faces // plan.batch)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=plan.peak_rate / 50,
        warmup_target=plan.peak_rate,
        warmup_steps=max(steps // 2, 1),
        decay_steps=max(plan.epochs * steps - steps // 2, 1),
    )
    model.compile(
        keras.optimizers.SGD(
            rate,  # type: ignore[arg-type]
            momentum=0.9,
            nesterov=True,
        ),
        keras.losses.CategoricalCrossentropy(label_smoothing=plan.label_smoothing),
        metrics=[
            keras.metrics.CategoricalAccuracy(name="top1"),
            keras.metrics.TopKCategoricalAccuracy(k=5, name="top5"),
        ],
    )
    return model, []


def build_network(plan: Plan, classes: int) -> Any:
    """Build Inception-v3 with average pooling, dropout and a softmax layer.

    The pooled layer is named `features`: `float32 (N, 2048)`.

    Source: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567
    """
    import keras

    shape = (plan.input_px, plan.input_px, 3)
    backbone = keras.applications.InceptionV3(
        include_top=False,
        weights=None,  # type: ignore[arg-type]
        input_shape=shape,
    )
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = plan.norm_momentum
    pooled = keras.layers.GlobalAveragePooling2D(name=FEATURES_LAYER)(backbone.output)
    kept = keras.layers.Dropout(plan.dropout, seed=plan.seed)(pooled)
    answer = keras.layers.Dense(classes, activation="softmax", name="head")(kept)
    return keras.Model(backbone.input, answer, name="kyara")


def _save_run(run: Path, model: Any, history: list[dict[str, float]]) -> None:
    """Write the epoch's model first, then the history that names it, then drop the older model."""
    partial = run / "partial.keras"
    model.save(partial)
    os.replace(partial, run / f"epoch-{len(history)}.keras")
    write_whole(run / "history.json", json.dumps(history, indent=1))
    (run / f"epoch-{len(history) - 1}.keras").unlink(missing_ok=True)


def draw_epoch(faces: list[Face], balance: float, rng: np.random.Generator) -> np.ndarray:
    """Choose which faces one epoch shows, and in which order.

    A face of a label with n faces is drawn in proportion to n^-balance, by systematic resampling:
    each face appears its expected number of times, rounded down or up.

    Args:
        faces: the training split.
        balance: 0 (as they come) to 1 (every label equally often).
        rng: source of randomness.

    Returns:
        `int64 (N,)` positions in `faces`.
    """
    counts = count_labels(faces)
    weights = np.array([counts[face.label] ** -balance for face in faces])
    edges = np.cumsum(weights / weights.sum() * len(faces))
    picks = np.searchsorted(edges, rng.random() + np.arange(len(faces)))
    return rng.permutation(np.minimum(picks, len(faces) - 1))


def _as_dataset(
    pixels: np.ndarray,
    rows: np.ndarray,
    order: np.ndarray,
    classes: int,
    plan: Plan,
    rng: np.random.Generator,
) -> Any:
    """Yield augmented batches from a background thread."""
    import tensorflow as tf

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(order), plan.batch):
            picks = order[start : start + plan.batch]
            images = np.stack([augment_face(pixels[pick], plan.input_px, rng) for pick in picks])
            targets = np.eye(classes, dtype=np.float32)[rows[picks]]
            yield images.astype(np.float32) / np.float32(255.0), targets

    shape = (None, plan.input_px, plan.input_px, 3)
    signature = (
        tf.TensorSpec(shape, tf.float32),  # type: ignore[arg-type]
        tf.TensorSpec((None, classes), tf.float32),  # type: ignore[arg-type]
    )
    steps = -(-len(order) // plan.batch)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4)
