"""A bundle small enough to be checked by hand; it has no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kyara.recognition.bundle import Bundle, Calibration, Character, Preprocessing
from kyara.recognition.colourless import ColourlessLayer

EAST, NORTH, UP = np.eye(3, dtype=np.float32)


def make_layer(features: int, hidden: int = 2) -> ColourlessLayer:
    """Return a layer for drawings without colours that gives the sharp view's features back."""
    return ColourlessLayer(
        np.eye(2 * features, features, dtype=np.float32),
        np.zeros((2 * features, hidden), np.float32),
        np.zeros(hidden, np.float32),
        np.zeros((hidden, features), np.float32),
    )


def make_paper_bundle(**changes: Any) -> Bundle:
    """Return a bundle of three characters in a space of three dimensions.

    `a` has a column of the head (east), `b` a column (north) and a reference (north), `c` two references
    (north-east and up).
    """
    bundle = Bundle(
        name="paper",
        version="1",
        characters=tuple(
            Character(label, {"en": label.upper()}, {"ja": "紙"}) for label in ("a", "b", "c")
        ),
        preprocessing=Preprocessing(75),
        calibration=Calibration(1.0, 0.0, similarity_scale=10.0, gallery_weight=0.25),
        backbone=Path("nowhere") / "backbone.tflite",
        head_weight=np.stack([EAST, NORTH], axis=1) * 4,
        head_bias=np.zeros(2, np.float32),
        head_rows=np.array([0, 1]),
        gallery_features=np.stack([NORTH, (EAST + NORTH) / np.sqrt(2), UP]).astype(np.float32),
        gallery_rows=np.array([1, 2, 2]),
        gallery_ids=("b/1.png", "c/1.png", "c/2.png"),
    )
    return replace(bundle, **changes)
