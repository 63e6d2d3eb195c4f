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
    bundle = replace(network.bundle, surest_level=None)
    if thresholds:
        bundle = replace(bundle, thresholds=thresholds, default_level=1, plays_level=1)
    network = NetworkDetector(bundle)
    thresholds = bundle.thresholds
    all_faces = network.find(pixels, level=len(thresholds) - 1)
    for level, threshold in enumerate(thresholds):
        expected = [face for face in all_faces if face.score >= threshold]
        assert network.find(pixels, level=level) == expected, level


def test_the_surest_face_of_a_still_is_shown_at_every_level(network, example):
    faces = sorted(network.find_above(example, 0.05), key=lambda face: -face.score)
    first, second = (face.score for face in faces[:2])
    assert second < first
    high, low = first + 0.01, (first + second) / 2
    levels = {"default_level": 0, "surest_level": 2, "plays_level": 1}
    still = NetworkDetector(replace(network.bundle, thresholds=(0.99, high, low, second / 2), **levels))
    assert still.find(example) == still.find(example, level=1) == [faces[0]]
    assert still.find(example, plays=True) == []
    assert faces[1] in still.find(example, level=3)
    asked = NetworkDetector(still.bundle, threshold=high)
    assert asked.find(example) == []  # a least score is a least score
    strict = NetworkDetector(replace(still.bundle, surest_level=1))
    assert strict.find(example) == []


def test_what_plays_has_a_default_level_of_its_own(network, example):
    faces = sorted(network.find_above(example, 0.05), key=lambda face: -face.score)
    between = (faces[0].score + faces[1].score) / 2
    levels = {"default_level": 0, "surest_level": None, "plays_level": 1}
    finder = NetworkDetector(replace(network.bundle, thresholds=(0.99, between), **levels))
    assert finder.find(example) == []
    assert finder.find(example, plays=True) == [faces[0]]
    assert finder.find(example, level=0, plays=True) == []


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
