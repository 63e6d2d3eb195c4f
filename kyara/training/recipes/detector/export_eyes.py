"""A trained eye network → a detector's bundle with eyes: another detector's, and this beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.boxed import BoxedPicture
from kyara.evaluation.detectors import METRICS_FILE, save_metrics
from kyara.training.convert import convert_keras
from kyara.training.recipes.detector.eyes import FILL, MARGIN, SIDE_PX, place_face
from kyara.training.recipes.detector.scenes import Scene, make_scene
from kyara.vision.detector_bundle import DetectorBundle, load_detector_bundle, write_detector_bundle
from kyara.vision.detectors.eyes import EyeFinder, measure_roll

LOOKS: dict[str, Any] = {"side_px": SIDE_PX, "margin": MARGIN, "most_error": 0.03, "from_deg": 35}
TURNS_DEG = (0, 15, 30, 45)
LARGEST_SHIFT, LARGEST_ZOOM = 0.06, 0.1
"""Held-out faces are measured so far off the middle of their box, and so much larger or smaller."""
NEAR = 0.1
"""An eye is found if it is not further off than so many widths of the face."""


def read_scenes(
    pictures: Sequence[BoxedPicture], split: str, progress: Callable[[int], object] = lambda count: None
) -> list[Scene]:
    """Read the faces of a split whose eyes are known, one a picture."""
    scenes = []
    for picture in pictures:
        if picture.split == split:
            faces = [face for face in picture.faces if face.eyes is not None]
            scenes += [make_scene(picture.read(), faces[:1])] if faces else []
            progress(1)
    return scenes


def export_eyes(
    model: Any,
    start: Path,
    target: Path,
    held_out: Mapping[str, Sequence[Scene]],
    provenance: dict[str, Any],
) -> DetectorBundle:
    """Write the bundle of another detector with this network beside its own.

    Args:
        model: as `train_eyes` gives it.
        start: folder of the other detector.
        target: folder of the bundle.
        held_out: split → faces with eyes; what the network reaches on them stands in the card.
        provenance: of the eye network.
    """
    import keras

    before = load_detector_bundle(start)
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3), name="face")
    network = convert_keras(keras.Model(inputs, model(inputs), name="looks"), quantise=False)
    data = {
        "settings": {**before.settings, "eyes": LOOKS},
        "thresholds": before.thresholds,
        "default_level": before.default_level,
        "surest_level": before.surest_level,
        "plays_level": before.plays_level,
        "provenance": {**before.provenance, "detector": before.name, "eyes": provenance},
    }
    bundle = write_detector_bundle(target, before.network, data, network)
    metrics = json.loads((start / METRICS_FILE).read_text(encoding="utf-8"))
    finder = EyeFinder(network, bundle.settings["eyes"], FILL)
    eyes = {split: measure_eyes(finder, scenes) for split, scenes in held_out.items() if scenes}
    save_metrics(target, {**metrics, "eyes": eyes})
    return bundle


def measure_eyes(finder: EyeFinder, scenes: Sequence[Scene]) -> dict[str, dict[str, Any]]:
    """Measure an eye network on faces turned to either side by each of `TURNS_DEG`.

    Args:
        finder: the network.
        scenes: of one face with eyes each.

    Returns:
        Turn → `faces`; `sure`, the share whose eyes are told; `near`, that of all eyes that are not
        further off than `NEAR`; of those told `near_if_sure`, and the median and 90% of the faces' error
        of the lean: `roll_median_deg`, `roll_90_deg`.
    """
    return {str(turn): _measure_turn(finder, scenes, sorted({-turn, turn})) for turn in TURNS_DEG}


def _measure_turn(finder: EyeFinder, scenes: Sequence[Scene], turns: Sequence[int]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    sure, off, lean = [], [], []
    for scene in scenes:
        for turn in turns:
            zoom = float(np.exp(rng.uniform(-LARGEST_ZOOM, LARGEST_ZOOM)))
            shift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2) / MARGIN
            view, truth = place_face(scene, turn, zoom, shift, reflect=True)
            places, error = finder.ask(view[None] / np.float32(255))
            apart = np.reshape(places - truth, (2, 2)) * MARGIN
            sure.append(error <= finder.most_error)
            off.append(np.hypot(apart[:, 0], apart[:, 1]))
            x1, y1, x2, y2 = truth.tolist()
            beside = measure_roll(places) - measure_roll((x1, y1, x2, y2))
            lean.append(abs((beside + 180) % 360 - 180))
    told, near = np.array(sure), np.array(off) <= NEAR
    leans = np.array(lean)[told]
    return {
        "faces": len(told),
        "sure": round(float(told.mean()), 4),
        "near": round(float(near.mean()), 4),
        "near_if_sure": round(float(near[told].mean()), 4) if told.any() else None,
        "roll_median_deg": round(float(np.median(leans)), 2) if told.any() else None,
        "roll_90_deg": round(float(np.quantile(leans, 0.9)), 2) if told.any() else None,
    }
