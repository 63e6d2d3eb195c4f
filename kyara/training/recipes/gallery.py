"""The recipe `gallery`: a bundle's network and head as they are; the export chooses the rest anew."""

from __future__ import annotations

from dataclasses import replace

from kyara.recognition.bundle import Bundle
from kyara.training.trained import SERVING_VIEWS, Trained


def keep_network(bundle: Bundle, shown: frozenset[str]) -> Trained:
    """Return what a bundle's network learned, for the views that are served now.

    Args:
        bundle: names one character a face.
        shown: labels that its features were trained on: calibration takes no stranger from them.
    """
    return Trained(
        backbone=bundle.backbone.read_bytes(),
        preprocessing=replace(bundle.preprocessing, views=SERVING_VIEWS),
        labels=tuple(bundle.labels[row] for row in bundle.head_rows),
        weight=bundle.head_weight,
        bias=bundle.head_bias,
        shown=shown,
    )
