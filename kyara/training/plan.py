"""What a training run does, and which faces each of its epochs shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face, Manifest, count_labels
from kyara.dataset.tagged import TaggedPictures
from kyara.errors import BadInputError
from kyara.storage.atomic import replace_file
from kyara.training.backbones import DEFAULT_BACKBONE

PLAN_FILE = "plan.json"
RENAMED = {
    "peak_rate": "learning_rate",
    "shrinkage": "weight_decay",
    "average": "ema_momentum",
    "norm_momentum": "bn_momentum",
    "balance": "sampling_exponent",
    "within_work": "same_series_share",
    "new_grounds": "new_backgrounds",
}
"""Name of a field in Kyara 0.1.0 → its name now: old files and options keep working."""
DROPPED = ("close_ups",)
"""Fields of Kyara 0.1.0 without a successor: every face is shown tight and wide now."""


@dataclass(frozen=True)
class Plan:
    """What a training run does; written into its folder and into the bundle's provenance.

    Attributes:
        backbone: its name in `backbones.BACKBONES`.
        input_px: side of the network's square input, at least the backbone's minimum.
        dimension: of the features that are trained.
        served_dimension: of those that are served; 0: the same.
        epochs: how many.
        faces_per_epoch: faces that an epoch shows; 0 for as many as the training split has.
        batch: faces a step.
        learning_rate: the highest of AdamW; it is reached after 2% of the run and then falls to zero
            along a cosine.
        loss: `cosface`, `arcface` or `proxy-anchor`; see `losses`.
        scale: the loss's inverse temperature.
        margin: the loss's margin.
        frozen_until: name of the last layer that is kept as it was at the start; empty trains all.
        ema_momentum: of the moving average over the weights, which is the result; 0 for none.
        sampling_exponent: 0 draws faces as they come, 1 draws every label equally often.
        same_series_share: share of the batches that hold characters of one work only.
        bn_momentum: of batch normalisation's moving averages; lower it for runs of few steps.
        new_backgrounds: replace the flat background behind drawings half of the time.
        precision: Keras' name of the arithmetic, `float32` or `mixed_bfloat16`.
        seed: of every random choice.
    """

    backbone: str = DEFAULT_BACKBONE
    input_px: int = 128
    dimension: int = 512
    served_dimension: int = 0
    epochs: int = 20
    faces_per_epoch: int = 0
    batch: int = 64
    learning_rate: float = 5e-4
    loss: str = "cosface"
    scale: float = 24.0
    margin: float = 0.15
    frozen_until: str = ""
    ema_momentum: float = 0.998
    sampling_exponent: float = 0.35
    same_series_share: float = 0.3
    bn_momentum: float = 0.99
    new_backgrounds: bool = True
    precision: str = "float32"
    seed: int = 1


@dataclass(frozen=True)
class LayerPlan:
    """What training one layer on frozen features does.

    Attributes:
        input_px: side of the network's square input, where the network takes any.
        epochs: passes over the training split.
        batch: pictures a step.
        learning_rate: learning rate of Adam at the start; it falls to zero along a cosine.
        weight_decay: weight of the squared weights in the loss (L2).
        seed: of every random choice.
    """

    input_px: int = 224
    epochs: int = 60
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    seed: int = 1


@dataclass(frozen=True)
class CnnPlan:
    """What training the small network does.

    Attributes:
        input_px: side of the network's square input.
        epochs: passes over the training split.
        batch: pictures a step.
        learning_rate: learning rate of RMSprop.
        decay: by how much of itself the rate falls a step, as 1 / (1 + decay · step).
        seed: of every random choice.

    Source: train.py of https://github.com/alexattia/SimpsonRecognition
    """

    input_px: int = 64
    epochs: int = 100
    batch: int = 32
    learning_rate: float = 1e-4
    decay: float = 1e-6
    seed: int = 1


@dataclass(frozen=True)
class GalleryPlan:
    """Settings of the `gallery` recipe; empty, since nothing is trained."""


@dataclass(frozen=True)
class ColourlessPlan:
    """How the layer for drawings without colours is trained.

    Attributes:
        hidden: units of its hidden layer.
        epochs: how often each face is shown in each way.
        batch: views a step.
        learning_rate: of AdamW at the start; it falls to zero along a cosine.
        weight_decay: of AdamW.
        scale: the loss's inverse temperature.
        margin: the loss's margin.
        seed: of every random choice but the screentones, which hang on the pictures.
    """

    hidden: int = 1024
    epochs: int = 12
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    scale: float = 30.0
    margin: float = 0.2
    seed: int = 1


@dataclass(frozen=True)
class ViewsPlan:
    """How a network learns from views that are drawn on the fly.

    Attributes:
        views: of all epochs together.
        views_per_epoch: after so many the state is kept.
        batch: views a step.
        learning_rate: at its highest; it rises over the first 2% and falls as a cosine to nothing.
        weight_decay: of AdamW.
        ema_momentum: of the average of the weights, which serves.
        seed: of all randomness.
    """

    views: int = 320_000
    views_per_epoch: int = 4_000
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    ema_momentum: float = 0.999
    seed: int = 1


@dataclass(frozen=True)
class DetectorPlan(ViewsPlan):
    """How a face detector is trained; see `ViewsPlan`.

    Attributes:
        side_px: of a training view.
        mine_at: share of the views after which the network searches its own data; 0: never.
    """

    side_px: int = 256
    mine_at: float = 0.5


@dataclass(frozen=True)
class EyesPlan(ViewsPlan):
    """How the network that finds a face's eyes is trained; see `ViewsPlan`."""

    views: int = 384_000
    views_per_epoch: int = 12_800
    batch: int = 64
    learning_rate: float = 3e-3
    ema_momentum: float = 0.995


AnyPlan = Plan | LayerPlan | CnnPlan | GalleryPlan | ColourlessPlan | DetectorPlan | EyesPlan


def claim_run(run: Path, plan: AnyPlan, data: Manifest | TaggedPictures, **made_from: str) -> None:
    """Say in a run's folder whose it is.

    Raises:
        BadInputError: the run was begun with another plan or dataset.
    """
    run.mkdir(parents=True, exist_ok=True)
    claim = {"plan": asdict(plan), "data": data.digest(), "labels": list(data.labels), **made_from}
    path = run / PLAN_FILE
    if not path.exists():
        replace_file(path, json.dumps(claim, indent=1))
    elif _renew_claim(json.loads(path.read_text(encoding="utf-8")), type(plan)) != claim:
        raise BadInputError(
            f"{run} was begun with another plan or dataset; give another --run folder or delete it."
        )


def _renew_claim(claim: dict[str, Any], kind: type[AnyPlan]) -> dict[str, Any]:
    try:
        return {**claim, "plan": asdict(restore_plan(kind, claim["plan"]))}
    except (KeyError, TypeError):  # of another recipe
        return claim


def restore_plan(kind: type[AnyPlan], data: Mapping[str, Any]) -> AnyPlan:
    """Make a plan of the fields that a run or a job has kept, under the names of now or of before.

    Raises:
        TypeError: they are of another recipe.
    """
    return kind(**{RENAMED.get(name, name): data[name] for name in data if name not in DROPPED})


def read_plan(run: Path, kind: type[AnyPlan]) -> AnyPlan:
    """Return the plan with which a run was begun.

    Raises:
        BadInputError: there is no such run, or it is of another recipe.
    """
    path = run / PLAN_FILE
    try:
        return restore_plan(kind, json.loads(path.read_text(encoding="utf-8"))["plan"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{run} is not a run of this recipe: {error}.") from error


def draw_epoch(
    faces: Sequence[Face], sampling_exponent: float, rng: np.random.Generator, count: int | None = None
) -> np.ndarray:
    """Choose which faces one epoch shows, and in which order.

    A face of a label with n faces is drawn in proportion to n^-sampling_exponent, by systematic
    resampling: each face appears its expected number of times, rounded down or up.

    Args:
        faces: the training split.
        sampling_exponent: 0 (as they come) to 1 (every label equally often).
        rng: source of randomness.
        count: faces to draw; by default as many as there are.

    Returns:
        `int64 (count,)` positions in `faces`.
    """
    count = len(faces) if count is None else count
    counts = count_labels(faces)
    weights = np.array([counts[face.label] ** -sampling_exponent for face in faces])
    edges = np.cumsum(weights / weights.sum() * count)
    picks = np.searchsorted(edges, rng.random() + np.arange(count))
    return rng.permutation(np.minimum(picks, len(faces) - 1))


def group_by_work(
    works: Sequence[str], batch: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Reorder an epoch so that a share of its batches hold one work only.

    Telling apart the characters of one work keeps the features from learning its style instead.

    Args:
        works: of the faces, in the epoch's order.
        batch: faces a batch.
        share: of the batches, 0 to 1; as many as the works can fill.
        rng: source of randomness.

    Returns:
        `int64 (len(works),)` positions.
    """
    names = np.asarray(works)
    uniform: list[np.ndarray] = []
    for work in np.unique(names):
        own = np.flatnonzero(names == work)
        uniform += list(own[: len(own) // batch * batch].reshape(-1, batch))
    wanted = round(share * (len(names) // batch))
    chosen = [uniform[place] for place in rng.permutation(len(uniform))[:wanted]]
    rest = np.setdiff1d(np.arange(len(names)), np.concatenate(chosen) if chosen else [])
    rest = rng.permutation(rest)
    full = len(rest) // batch * batch
    blocks = chosen + list(rest[:full].reshape(-1, batch))
    mixed = [blocks[place] for place in rng.permutation(len(blocks))]
    return np.concatenate([*mixed, rest[full:]]).astype(np.int64)
