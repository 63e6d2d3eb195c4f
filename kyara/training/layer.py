"""A softmax or sigmoid layer on frozen features: the end of the recipes `head` and `multilabel`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kyara.bundle import Task
from kyara.training.checkpoints import keep_epochs, load_checkpoint
from kyara.training.plan import LayerPlan


def fit_layer(
    features: np.ndarray,
    targets: np.ndarray,
    plan: LayerPlan,
    run: Path,
    *,
    task: Task,
    val: tuple[np.ndarray, np.ndarray] | None = None,
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
        quiet: no progress bar.

    Returns:
        `float32 (features, classes)` weight and `float32 (classes,)` bias.
    """
    import keras

    keras.utils.set_random_seed(plan.seed)
    run.mkdir(parents=True, exist_ok=True)
    mean, scale = features.mean(axis=0), 1 / (features.std(axis=0) + 1e-6)
    model, history = load_checkpoint(run) or (_build(features.shape[1], targets, plan, task), [])
    model.fit(
        (features - mean) * scale,
        targets,
        batch_size=plan.batch,
        validation_data=((val[0] - mean) * scale, val[1]) if val else None,
        initial_epoch=len(history),
        epochs=plan.epochs,
        verbose=0 if quiet else "auto",
        callbacks=[keep_epochs(run, history)],
    )
    weight, bias = model.layers[-1].get_weights()
    weight = weight * scale[:, None]
    return weight.astype(np.float32), (bias - mean @ weight).astype(np.float32)


def _build(dimension: int, targets: np.ndarray, plan: LayerPlan, task: Task) -> Any:
    import keras

    single = task == "single"
    model = keras.Sequential(
        [
            keras.Input((dimension,)),
            keras.layers.Dense(
                targets.shape[1],
                activation="softmax" if single else "sigmoid",
                kernel_initializer="zeros",
                kernel_regularizer=keras.regularizers.L2(plan.shrinkage),
            ),
        ]
    )
    steps = -(-len(targets) // plan.batch) * plan.epochs
    rate: Any = keras.optimizers.schedules.CosineDecay(plan.peak_rate, max(steps, 1))
    loss = "categorical_crossentropy" if single else "binary_crossentropy"
    metrics = ["categorical_accuracy"] if single else []
    model.compile(keras.optimizers.Adam(rate), loss, metrics=metrics)
    return model
