"""What every recipe hands to the export: a network that LiteRT runs, and a head on its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kyara.bundle import Preprocessing, View

SERVING_VIEWS = (View(), View(mirror=True), View(0.08), View(0.12, mirror=True))
"""Crops come tight (a hand-drawn box) and wide (the cascade's). On `val` these four views lose little on
tight crops against the plain and the mirrored view alone, and win more where there is a margin."""
BOTH_SIDES = (View(), View(mirror=True))
"""A picture and its mirror image get the same answer."""


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        backbone: a LiteRT file: pixels → features.
        preprocessing: how crops become its input.
        labels: of the head's columns.
        weight: `float32 (features, len(labels))`.
        bias: `float32 (len(labels),)`.
    """

    backbone: bytes
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
