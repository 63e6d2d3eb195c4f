"""The face network that ships, on the example picture and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kyara.vision.detector_bundle import find_detector_bundle
from kyara.vision.detectors.network import NetworkDetector, load_network

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def network() -> NetworkDetector:
    return load_network(find_detector_bundle(ROOT / "model"))


def draw_pale_and_turned(example: np.ndarray) -> np.ndarray:
    """The example paler and, beside it, turned: the turned one is a little surer."""
    small = example[::5, ::5]
    pale, turned = small // 2 + 64, np.rot90(small, 3)
    height = max(len(pale), len(turned))
    parts = [
        np.pad(part, ((0, height - len(part)), (0, 0), (0, 0)), constant_values=128)
        for part in (pale, turned)
    ]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize(
    ("draw", "thresholds"),
    [
        (lambda example: example, None),
        (lambda example: np.ascontiguousarray(np.rot90(example[::4, ::4])), None),
        (draw_pale_and_turned, (0.95, 0.69, 0.3)),
    ],
)
def test_a_level_shows_what_the_highest_finds_from_its_threshold_on(network, example, draw, thresholds):
    """As on the page, which searches once: whether a picture is turned does not hang on the level."""
    pixels = draw(example)
    if thresholds:
        network = NetworkDetector(replace(network.bundle, thresholds=thresholds, default_level=1))
    thresholds = network.bundle.thresholds
    all_faces = network.find(pixels, level=len(thresholds) - 1)
    for level, threshold in enumerate(thresholds):
        expected = [face for face in all_faces if face.score >= threshold]
        assert network.find(pixels, level=level) == expected, level


def test_what_is_unsure_is_looked_at_again(network, example):
    """The scores of the first look alone would be others; the boxes are the same."""
    small = np.ascontiguousarray(example[::5, ::5])
    again = network.bundle.settings["second_look"]
    first = network.list_candidates(small, again["least"])
    assert any(again["least"] <= one.score < again["most"] for one in first)
    found = {round(face.score, 9) for face in network.find_upright(small, 0.01)}
    kept = {round(one.score, 9) for one in first if not again["least"] <= one.score < again["most"]}
    assert kept <= found
    assert found - {round(one.score, 9) for one in network.list_candidates(small, 0.01)}


def test_a_strip_too_thin_for_any_face_is_not_searched(network):
    """It would be cut into thousands of tiles."""
    thinnest = network.bundle.settings["min_box_px"] - 1
    assert network.find(np.full((30_000, thinnest, 3), 90, np.uint8)) == []
