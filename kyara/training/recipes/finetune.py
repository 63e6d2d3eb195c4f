"""The recipe `finetune`: a network whose features put drawings of one character together.

After every epoch the whole state (weights, their moving average, optimizer, history) is written next to
the old one and renamed into place, so a killed run goes on from its last finished epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face, Manifest
from kyara.errors import BadInputError
from kyara.recognition.bundle import Preprocessing
from kyara.recognition.gallery import scale_to_unit
from kyara.training.augment import TrainingFace
from kyara.training.backbones import find_backbone
from kyara.training.checkpoints import History, apply_average, keep_epochs, load_checkpoint
from kyara.training.convert import convert_keras
from kyara.training.crops import USUAL_MARGIN, FindFaces, cut_margin, load_training_faces
from kyara.training.plan import Plan, claim_run, draw_epoch
from kyara.training.start_weights import (
    assign_folded_weights,
    load_start,
    read_folded_weights,
)
from kyara.training.trained import SERVING_VIEWS, WIDEST_MARGIN, Trained
from kyara.vision.images import resize_pixels

WEIGHT_DECAY = 0.02
NORM_PICTURES = 512
"""Batch normalisation that was folded away is measured again on so many training pictures."""


def train_embedding(
    manifest: Manifest,
    plan: Plan,
    run: Path,
    find: FindFaces,
    *,
    start_weights: str | None = None,
) -> Any:
    """Fine-tune on the training split, going on from the last finished epoch if there is one.

    Args:
        manifest: the dataset; its `val` split is measured after every epoch.
        plan: what to do. A run that was begun with another plan or dataset is refused.
        run: folder for the checkpoint, the history and TensorBoard's logs.
        find: where the faces are.
        start_weights: of the backbone, as `load_start` takes them; of a bundle's `backbone.tflite` the
            projection to features is a start, too; None starts from random weights.

    Returns:
        The trained Keras model; see `networks.build_embedding_network`.

    Raises:
        BadInputError: the run folder belongs to another plan or dataset, or a split is empty.
    """
    claim_run(run, plan, manifest)
    import keras

    from kyara.training.batches import FaceBatches

    keras.utils.set_random_seed(plan.seed)
    faces = manifest.of_split("train")
    row_of = {label: row for row, label in enumerate(sorted({face.label for face in faces}))}
    rows = np.array([row_of[face.label] for face in faces])
    val_faces = [face for face in manifest.of_split("val") if face.label in row_of]
    val_rows = np.array([row_of[face.label] for face in val_faces])
    shown = load_training_faces(faces, find(faces), backgrounds=plan.new_backgrounds)
    val_shown = load_training_faces(val_faces, find(val_faces), backgrounds=False)
    model, history = _open_run(run, plan, shown, faces, rows, start_weights)
    model.fit(
        FaceBatches(shown, rows, faces, plan, len(history)),
        validation_data=(_cut(val_shown, plan.input_px), val_rows),
        initial_epoch=len(history),
        epochs=plan.epochs,
        shuffle=False,
        callbacks=[
            keras.callbacks.TensorBoard(str(run / "tensorboard"), write_graph=False),
            keep_epochs(run, history),
        ],
    )
    return model


def _open_run(
    run: Path,
    plan: Plan,
    shown: Sequence[TrainingFace],
    faces: list[Face],
    rows: np.ndarray,
    start: str | None,
) -> tuple[Any, History]:
    import keras

    from kyara.training import networks

    kept = load_checkpoint(run)
    if kept is not None:
        return kept
    keras.mixed_precision.set_dtype_policy(plan.precision)
    classes = int(rows.max()) + 1
    model = networks.build_embedding_network(
        plan.input_px,
        plan.dimension,
        classes,
        backbone=plan.backbone,
        bn_momentum=plan.bn_momentum,
    )
    if start is not None and start.endswith(".tflite"):
        probes = np.random.default_rng(plan.seed).permutation(len(shown))[:NORM_PICTURES]
        pixels = _cut([shown[probe] for probe in probes], plan.input_px)
        assign_folded_weights(model, read_folded_weights(Path(start)), pixels)
        _start_proxies(model, plan, shown, rows)
    elif start is not None:
        load_start(model, find_backbone(plan.backbone), start)
        _start_projection(model, plan, shown, faces)
        _start_proxies(model, plan, shown, rows)
    networks.freeze_until(model, plan.frozen_until)
    _compile(model, plan, len(faces))
    return model, []


def _compile(model: Any, plan: Plan, faces: int) -> None:
    import keras

    from kyara.training.losses import build_loss

    steps = -(-(plan.faces_per_epoch or faces) // plan.batch) * plan.epochs
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=plan.learning_rate / 50,
        warmup_target=plan.learning_rate,
        warmup_steps=max(steps // 50, 1),
        decay_steps=max(steps - steps // 50, 1),
    )
    model.compile(
        keras.optimizers.AdamW(
            rate,  # type: ignore[arg-type]
            weight_decay=WEIGHT_DECAY,
            use_ema=plan.ema_momentum > 0,
            ema_momentum=plan.ema_momentum or 0.99,
        ),
        build_loss(plan.loss, plan.scale, plan.margin),
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(name="top1"),
            keras.metrics.SparseTopKCategoricalAccuracy(k=5, name="top5"),
        ],
    )
    model.optimizer.build(model.trainable_variables)  # else the first step is traced twice


def _start_projection(model: Any, plan: Plan, shown: Sequence[TrainingFace], faces: list[Face]) -> None:
    """Begin with whitened features."""
    from kyara.training import networks

    values = _run_layer(model, networks.POOLED_LAYER, shown, plan)
    picks = draw_epoch(faces, plan.sampling_exponent, np.random.default_rng(plan.seed))
    whitening = networks.fit_whitening(values[picks], plan.dimension)
    model.get_layer("projection").set_weights(list(whitening))


def _start_proxies(model: Any, plan: Plan, shown: Sequence[TrainingFace], rows: np.ndarray) -> None:
    """Begin with each class' mean as its proxy."""
    from kyara.training import networks

    proxies = np.zeros((int(rows.max()) + 1, plan.dimension), np.float32)
    np.add.at(proxies, rows, _run_layer(model, networks.FEATURES_LAYER, shown, plan))
    model.get_layer(networks.HEAD_LAYER).set_weights([scale_to_unit(proxies)])


def _run_layer(model: Any, layer: str, shown: Sequence[TrainingFace], plan: Plan) -> np.ndarray:
    import keras

    part = keras.Model(model.input, model.get_layer(layer).output)
    return np.concatenate(
        [
            part.predict_on_batch(_cut(shown[first : first + plan.batch], plan.input_px))
            for first in range(0, len(shown), plan.batch)
        ]
    )


def _cut(shown: Sequence[TrainingFace], size_px: int) -> np.ndarray:
    """Show faces as they usually come: `float32 (N, size_px, size_px, 3)` in 0 to 1."""
    small = np.stack([resize_pixels(cut_margin(face, USUAL_MARGIN), size_px) for face in shown])
    return small.astype(np.float32) / np.float32(255)


def finish_embedding(
    model: Any, plan: Plan, labels: tuple[str, ...], *, quantise: bool = True
) -> Trained:
    """Turn a trained network into what serves: unit features and a head of scaled cosines.

    Args:
        model: as `train_embedding` returns it.
        plan: of its run; with `served_dimension` the features are those directions of the trained ones
            in which the proxies lie most: a smaller gallery that is searched faster.
        labels: of its proxies.
        quantise: int8 weights in the LiteRT file.
    """
    import keras

    from kyara.training import networks

    # training may have been in half precision, which LiteRT does not want
    keras.mixed_precision.set_dtype_policy("float32")
    *below, kernel, bias, proxies = model.get_weights()
    turn = fit_directions(scale_to_unit(proxies), plan.served_dimension or plan.dimension)
    plain = networks.build_embedding_network(
        plan.input_px, turn.shape[1], len(labels), backbone=plan.backbone
    )
    plain.set_weights([*below, kernel @ turn, bias @ turn, proxies @ turn])
    network = keras.Model(plain.input, plain.get_layer(networks.FEATURES_LAYER).output)
    (proxies,) = plain.get_layer(networks.HEAD_LAYER).get_weights()
    return Trained(
        convert_keras(network, quantise=quantise),
        Preprocessing(plan.input_px, (0.0, 1.0), SERVING_VIEWS, WIDEST_MARGIN, first_views=1),
        labels,
        (plan.scale * scale_to_unit(proxies).T).astype(np.float32),
        np.zeros(len(labels), np.float32),
    )


def fit_directions(proxies: np.ndarray, dimension: int) -> np.ndarray:
    """Return the directions in which the classes differ most.

    Args:
        proxies: `float32 (classes, features)`, unit length.
        dimension: how many; with as many as features nothing is turned.

    Returns:
        `float32 (features, dimension)`, orthonormal columns.

    Source: PCA as a compression of embeddings: Jégou and Chum 2012,
    https://doi.org/10.1007/978-3-642-33709-3_55
    """
    features = proxies.shape[1]
    if dimension >= features:
        return np.eye(features, dtype=np.float32)
    _, directions = np.linalg.eigh(proxies.T.astype(np.float64) @ proxies)
    return np.ascontiguousarray(directions[:, ::-1][:, :dimension]).astype(np.float32)


def load_embedding(run: Path) -> Any:
    """Load the network after a run's last finished epoch, as `train_embedding` would return it then.

    Raises:
        BadInputError: no epoch of it has finished.
    """
    kept = load_checkpoint(run)
    if kept is None:
        raise BadInputError(f"{run} has no finished epoch to export.")
    apply_average(kept[0])
    return kept[0]
