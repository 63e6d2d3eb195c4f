"""The recipe `cnn`: the small network of the Simpsons study, from scratch, as a baseline.

Four convolutions (32, 32, 64, 64) in two blocks, each closed by pooling and dropout, a dense layer of
512, RMSprop; pictures are shifted by up to a tenth and mirrored.

Source: Alexandre Attia, train.py of https://github.com/alexattia/SimpsonRecognition
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face, Manifest, load_faces
from kyara.recognition.bundle import Preprocessing
from kyara.training.checkpoints import find_checkpoint, keep_epochs, load_checkpoint
from kyara.training.convert import convert_keras
from kyara.training.plan import CnnPlan, claim_run
from kyara.training.trained import BOTH_SIDES, Trained

FEATURES = 512


def train_small_cnn(
    manifest: Manifest,
    plan: CnnPlan,
    run: Path,
    *,
    quantise: bool = True,
    fit: bool = True,
) -> Trained:
    """Train on the training split, going on from the last finished epoch if there is one.

    Args:
        manifest: the dataset; its `val` split is measured after every epoch.
        plan: what to do. A run that was begun with another plan or dataset is refused.
        run: folder for the checkpoint, the history and TensorBoard's logs.
        quantise: int8 weights in the LiteRT file.
        fit: False takes what the run has, finished or not.

    Returns:
        The network up to its dense layer of 512, whose output is the features, and its softmax layer.

    Raises:
        BadInputError: the run folder belongs to another plan or dataset, a split is empty, or nothing is
            to be trained and no epoch has finished.
    """
    claim_run(run, plan, manifest)
    import keras

    keras.utils.set_random_seed(plan.seed)
    train = manifest.of_split("train")
    labels = tuple(sorted({face.label for face in train}))
    val = [face for face in manifest.of_split("val") if face.label in labels]
    if not fit:
        find_checkpoint(run)
    model, history = load_checkpoint(run) or (_build(plan, len(labels)), [])
    if fit and len(history) < plan.epochs:
        model.fit(
            *_load(train, labels, plan),
            batch_size=plan.batch,
            validation_data=_load(val, labels, plan),
            initial_epoch=len(history),
            epochs=plan.epochs,
            callbacks=[
                keras.callbacks.TensorBoard(str(run / "tensorboard"), write_graph=False),
                keep_epochs(run, history),
            ],
        )
    *body, answer = [layer for layer in model.layers if not layer.name.startswith("random_")]
    weight, bias = answer.get_weights()
    network = keras.Sequential([keras.Input((plan.input_px, plan.input_px, 3)), *body])
    preprocessing = Preprocessing(plan.input_px, (0.0, 1.0), BOTH_SIDES)
    return Trained(convert_keras(network, quantise=quantise), preprocessing, labels, weight, bias)


def _load(faces: list[Face], labels: tuple[str, ...], plan: CnnPlan) -> tuple[np.ndarray, np.ndarray]:
    columns = {label: column for column, label in enumerate(labels)}
    pixels = load_faces(faces, plan.input_px).astype(np.float32) / np.float32(255)
    return pixels, np.array([columns[face.label] for face in faces])


def _build(plan: CnnPlan, classes: int) -> Any:
    """Build the network: `float32 (N, S, S, 3)` in 0 to 1 → probabilities `(N, classes)`."""
    import keras
    from keras import layers

    def block(filters: int) -> list[Any]:
        return [
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.Conv2D(filters, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
        ]

    model = keras.Sequential(
        [
            keras.Input((plan.input_px, plan.input_px, 3)),
            layers.RandomTranslation(0.1, 0.1, fill_mode="nearest", seed=plan.seed),
            layers.RandomFlip("horizontal", seed=plan.seed),
            *block(32),
            *block(64),
            layers.Flatten(),
            layers.Dense(FEATURES, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    rate: Any = keras.optimizers.schedules.InverseTimeDecay(plan.learning_rate, 1, plan.decay)
    model.compile(
        keras.optimizers.RMSprop(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model
