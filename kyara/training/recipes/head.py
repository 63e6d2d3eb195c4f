"""The recipe `head`: a softmax layer on the features of a network that stays as it is.

The features (bottlenecks) of each picture are computed once and kept on disk.

Source: TensorFlow's image retraining example,
https://github.com/tensorflow/hub/blob/master/examples/image_retraining/retrain.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kyara.dataset.manifest import Face, Manifest
from kyara.recognition.embeddings import extract_cached
from kyara.training.crops import read_told
from kyara.training.frozen import Frozen
from kyara.training.layer import fit_layer
from kyara.training.plan import LayerPlan, claim_run
from kyara.training.trained import Trained


def train_head(
    manifest: Manifest,
    plan: LayerPlan,
    run: Path,
    frozen: Frozen,
    *,
    cache: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> Trained:
    """Train a softmax layer on the training split, going on from the last finished epoch.

    Args:
        manifest: the dataset; its `val` split is measured after every epoch.
        plan: what to do.
        run: folder for the checkpoint.
        frozen: the network.
        cache: folder for the features.
        progress: called with 1 after each face of `train` and `val`.

    Raises:
        BadInputError: the run folder belongs to another plan, network or dataset, or a split is empty.
    """
    backbone = frozen.load()
    claim_run(run, plan, manifest, network=backbone.fingerprint)
    train = manifest.of_split("train")
    labels = tuple(sorted({face.label for face in train}))
    val = [face for face in manifest.of_split("val") if face.label in labels]
    features, val_features = (
        extract_cached(backbone, [face.path for face in faces], cache, progress, read_told(faces))
        for faces in (train, val)
    )
    weight, bias = fit_layer(
        features,
        _mark(train, labels),
        plan,
        run,
        task="single",
        val=(val_features, _mark(val, labels)),
    )
    return Trained(
        frozen.backbone, frozen.preprocessing, labels, weight, bias, colourless=frozen.colourless
    )


def _mark(faces: list[Face], labels: tuple[str, ...]) -> np.ndarray:
    columns = {label: column for column, label in enumerate(labels)}
    return np.eye(len(labels), dtype=np.float32)[[columns[face.label] for face in faces]]
