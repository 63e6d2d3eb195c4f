"""The recipe `gallery`: a bundle's network and head as they are; the export chooses the rest anew."""

from __future__ import annotations

from kyara.recognition.bundle import Bundle
from kyara.training.trained import Trained


def keep_network(bundle: Bundle, shown: frozenset[str], *, references: bool = False) -> Trained:
    """Return what a bundle's network learned.

    Args:
        bundle: names one character a face.
        shown: labels that its features were trained on: calibration takes no stranger from them.
        references: keep its characters and references, too; only the calibration is chosen anew.
    """
    return Trained(
        backbone=bundle.backbone.read_bytes(),
        preprocessing=bundle.preprocessing,
        labels=tuple(bundle.labels[row] for row in bundle.head_rows),
        weight=bundle.head_weight,
        bias=bundle.head_bias,
        shown=shown,
        colourless=bundle.colourless,
        kept=bundle if references else None,
    )
