"""What every recipe hands to the export: a network that LiteRT runs, and a head on its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kyara.recognition.bundle import Bundle, Preprocessing, View
from kyara.recognition.colourless import ColourlessLayer

WIDEST_MARGIN = 1.9
MARGINS = (1.9, 1.5)
"""Of the tight face, view by view: with hair and shoulders, and as a face usually comes. The first alone
answers most faces; see docs/training.md for what others win."""
SERVING_VIEWS = tuple(
    View(round((1 - margin / WIDEST_MARGIN) / 2, 4), mirror=place == 0)
    for place, margin in enumerate(MARGINS)
)
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
        colourless: what the features of drawings without colours go through; None: nothing.
        kept: the bundle whose characters, head and references stay as they are; None: chosen anew.
    """

    backbone: bytes
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    shown: frozenset[str] | None = None
    colourless: ColourlessLayer | None = None
    kept: Bundle | None = None
