"""Models that say the same of every face: the tiny one with thresholds that all pass, or none.

And one that knows those alone whose very face it has seen.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kyara.recognition.answers import Verdict
from kyara.recognition.bundle import load_bundle, save_bundle
from kyara.registry import promote_bundle

_ALL, _NONE = -1e6, 1e6
THRESHOLDS: dict[Verdict, tuple[float, float | None]] = {
    "known": (_ALL, None),
    "probably": (_NONE, _ALL),
    "unknown": (_NONE, None),
}
"""Of each verdict: from which open-set score on a face is known, and probable."""


NAMED_FROM = 0.9965
"""Cosine to a reference from which the model of `write_strict_model` knows a face."""
_STEEPNESS = 2000.0


def write_strict_model(
    tiny_bundle: Path, models: Path, *, another: bool = False, named_from: float = NAMED_FROM
) -> Path:
    """Write a copy whose gate looks at the cosine alone, and make it serve; returns its folder.

    Args:
        tiny_bundle: the tiny model's folder.
        models: model folder.
        another: count as another network, though the embeddings are nearly the same.
        named_from: cosine to a reference from which a face is known.
    """
    bundle = load_bundle(tiny_bundle)
    gate = (-_STEEPNESS * named_from, 0.0, _STEEPNESS, 0.0, 0.0)
    calibration = replace(
        bundle.calibration,
        familiarity_threshold=0.0,
        probable_threshold=None,
        gallery_weight=1.0,  # whose face it is comes first, whatever the head says
        gate=gate,
    )
    upright = bundle.preprocessing.upright_from_deg + another
    preprocessing = replace(bundle.preprocessing, upright_from_deg=upright)
    name = "strict-again" if another else "strict"
    save_bundle(replace(bundle, calibration=calibration, preprocessing=preprocessing), models / name)
    promote_bundle(name, models)
    return models / name


def write_verdict_model(tiny_bundle: Path, models: Path, verdict: Verdict) -> Path:
    """Write the copy into a model folder and make it serve; returns the bundle's folder."""
    bundle = load_bundle(tiny_bundle)
    known, probable = THRESHOLDS[verdict]
    calibration = replace(
        bundle.calibration, familiarity_threshold=known, probable_threshold=probable, gate=()
    )
    save_bundle(replace(bundle, calibration=calibration), models / verdict)
    promote_bundle(verdict, models)
    return models / verdict
