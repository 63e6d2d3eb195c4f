"""Train the detector; half way through it searches its own data for labels and mistakes."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kyara.training.plan import DetectorPlan
from kyara.training.recipes.detector.fit import Fit
from kyara.training.recipes.detector.looks import write_network
from kyara.training.recipes.detector.mining import keep_mined, mine_sources, restore_mined
from kyara.training.recipes.detector.network import build_detector
from kyara.training.recipes.detector.start import build_started_detector
from kyara.training.recipes.detector.targets import detection_loss, draw_targets
from kyara.training.recipes.detector.views import Sources, draw_view
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.detectors.network import NetworkDetector

STARTING_VIEWS = 128
"""So many views tell the start weights what they see."""


def train_detector(
    sources: Sources,
    plan: DetectorPlan,
    run: Path,
    *,
    start_weights: bytes | None = None,
    tell: Any = print,
) -> Any:
    """Train, or go on with, the run in a folder, and return the averaged Keras model.

    Args:
        sources: what views are drawn from.
        plan: how it is trained.
        run: the folder.
        start_weights: the LiteRT file of an earlier detector; None for random weights.
        tell: told how far it is.

    Raises:
        BadInputError: the run was begun with another plan or other pictures.
    """
    build = build_detector
    if start_weights:
        rng = np.random.default_rng(plan.seed)
        views = [draw_view(sources, plan.side_px, rng)[0] for _ in range(STARTING_VIEWS)]
        build = partial(build_started_detector, start_weights, np.stack(views))
    fit = Fit(build, detection_loss, plan, run, sources.digest())
    epochs = plan.views // plan.views_per_epoch
    mined = round(epochs * plan.mine_at) or epochs
    if fit.epoch > mined:
        sources = restore_mined(sources, run)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        pixels, faces = draw_view(sources, plan.side_px, rng)
        return pixels, draw_targets(faces, plan.side_px)

    while fit.epoch < epochs:
        if fit.epoch == mined:
            sources = _mine(fit.average, sources, run, tell)
        fit.learn_epoch(draw, tell)
    return fit.average


def _mine(average: Any, sources: Sources, run: Path, tell: Any) -> Sources:
    tell("The network labels pictures and finds its mistakes.")
    with tempfile.TemporaryDirectory() as folder:
        draft = {"thresholds": [0.5], "default_level": 0, "provenance": {}}
        bundle = write_network(average, Path(folder), draft)
        mined = mine_sources(sources, NetworkDetector(bundle), CascadeDetector())
    keep_mined(mined, run)
    return mined
