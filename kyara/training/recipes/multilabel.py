"""The recipe `multilabel`: a sigmoid layer with binary cross-entropy on frozen features.

Thresholds want pictures that the layer has not seen, and rare labels want many of them, so every picture
of `train` and `val` is predicted once by a layer that was trained without it (cross-validation). The
layer that is kept is trained on all of them; `test` is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kyara.dataset.tagged import TaggedPictures
from kyara.recognition.embeddings import extract_cached
from kyara.recognition.head import score_features
from kyara.training.frozen import Frozen
from kyara.training.layer import fit_layer
from kyara.training.plan import LayerPlan, claim_run
from kyara.training.trained import Trained

FOLDS = 5


@dataclass(frozen=True)
class HeldOut:
    """What layers say of pictures that they were not trained on.

    Attributes:
        scores: `float32 (N, labels)` logits.
        truth: `bool (N, labels)`.
    """

    scores: np.ndarray
    truth: np.ndarray


def train_labels(
    data: TaggedPictures,
    plan: LayerPlan,
    run: Path,
    frozen: Frozen,
    *,
    cache: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Trained, HeldOut]:
    """Train on the splits `train` and `val`, going on from the last finished epoch.

    Raises:
        BadInputError: the run folder belongs to another plan, network or dataset, or a split is empty.
    """
    backbone = frozen.load()
    claim_run(run, plan, data, network=backbone.fingerprint)
    parts = [data.of_split(split) for split in ("train", "val")]
    paths = [path for part in parts for path in part.paths]
    truth = np.concatenate([part.truth for part in parts])
    features, targets = extract_cached(backbone, paths, cache, progress), truth.astype(np.float32)
    fold_of = np.random.default_rng(plan.seed).permutation(len(truth)) % FOLDS
    scores = np.empty(truth.shape, np.float32)
    for fold in range(FOLDS):
        held = fold_of == fold
        weight, bias = fit_layer(
            features[~held], targets[~held], plan, run / f"fold-{fold + 1}", task="multi", quiet=True
        )
        scores[held] = score_features(features[held], weight, bias)
    weight, bias = fit_layer(features, targets, plan, run, task="multi")
    return (
        Trained(
            frozen.backbone,
            frozen.preprocessing,
            data.labels,
            weight,
            bias,
            colourless=frozen.colourless,
        ),
        HeldOut(scores, truth),
    )
