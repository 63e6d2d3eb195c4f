"""What every recipe hands to the export: a network that LiteRT runs, and a head on its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kyara.recognition.bundle import Preprocessing, View

SERVING_VIEWS = (View(mirror=True), View(0.08))
"""Crops come tight (a hand-drawn box) and wide (the cascade's): one view of either kind, on either side.
On `val` a third and a fourth view won nothing and cost as much time again (docs/training.md)."""
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
        shown: labels that the features were trained on; None: those of the columns.
    """

    backbone: bytes
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    shown: frozenset[str] | None = None
