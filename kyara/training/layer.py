"""A softmax or sigmoid layer on frozen features: the end of the recipes `head` and `multilabel`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kyara.recognition.bundle import Task
from kyara.training.checkpoints import keep_epochs, load_checkpoint
from kyara.training.plan import LayerPlan

_LAYER = "layer"
"""Name of the trained layer in a checkpoint."""


def fit_layer(
    features: np.ndarray,
    targets: np.ndarray,
    plan: LayerPlan,
    run: Path,
    *,
    task: Task,
    val: tuple[np.ndarray, np.ndarray] | None = None,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    quiet: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Train one layer, going on from the last finished epoch if there is one.

    Features are standardised first; the layer that is returned takes them as they are.

    Args:
        features: `float32 (N, features)`.
        targets: `float32 (N, classes)` of 0 and 1.
        plan: what to do.
        run: folder for the checkpoint.
        task: `single` trains a softmax with cross-entropy, `multi` sigmoids with binary cross-entropy.
        val: features and targets that are measured after every epoch.
        start: weight and bias of a layer that is there already: what is trained, and held near zero, is
            what is to be added to it, so it changes no more than the data asks for.
        quiet: no progress bar.

    Returns:
        `float32 (features, classes)` weight and `float32 (classes,)` bias.
    """
    import keras

    keras.utils.set_random_seed(plan.seed)
    run.mkdir(parents=True, exist_ok=True)
    mean, scale = features.mean(axis=0), 1 / (features.std(axis=0) + 1e-6)

    def prepare(raw: np.ndarray) -> Any:
        standardised = (raw - mean) * scale
        return standardised if start is None else [standardised, raw @ start[0] + start[1]]

    built = load_checkpoint(run)
    model, history = built or (_build(features.shape[1], targets, plan, task, start is not None), [])
    model.fit(
        prepare(features),
        targets,
        batch_size=plan.batch,
        validation_data=(prepare(val[0]), val[1]) if val else None,
        initial_epoch=len(history),
        epochs=plan.epochs,
        verbose=0 if quiet else "auto",
        callbacks=[keep_epochs(run, history)],
    )
    weight, bias = model.get_layer(_LAYER).get_weights()
    weight = weight * scale[:, None]
    bias = bias - mean @ weight
    if start is not None:
        weight, bias = weight + start[0], bias + start[1]
    return weight.astype(np.float32), bias.astype(np.float32)


def _build(dimension: int, targets: np.ndarray, plan: LayerPlan, task: Task, added: bool) -> Any:
    import keras

    single = task == "single"
    activation = "softmax" if single else "sigmoid"
    features = keras.Input((dimension,))
    layer = keras.layers.Dense(
        targets.shape[1],
        activation=None if added else activation,
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(plan.weight_decay),
        name=_LAYER,
    )
    if added:
        before = keras.Input((targets.shape[1],))
        scores = keras.layers.Add()([layer(features), before])
        model = keras.Model([features, before], keras.layers.Activation(activation)(scores))
    else:
        model = keras.Model(features, layer(features))
    steps = -(-len(targets) // plan.batch) * plan.epochs
    rate: Any = keras.optimizers.schedules.CosineDecay(plan.learning_rate, max(steps, 1))
    loss = "categorical_crossentropy" if single else "binary_crossentropy"
    metrics = ["categorical_accuracy"] if single else []
    model.compile(keras.optimizers.Adam(rate), loss, metrics=metrics)
    return model
