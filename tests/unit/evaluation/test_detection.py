"""How a detector is measured: by hand-made boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kyara.evaluation.detection import (
    match_faces,
    measure_average_precision,
    measure_detection,
    measure_recall_at,
    raise_surest,
)
from kyara.evaluation.detectors import measure_network
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detector_bundle import load_detector_bundle

ROOT = Path(__file__).resolve().parents[3]

FACE, SMALL = Box(100, 100, 100, 100), Box(300, 300, 20, 20)


def found(x: int, y: int, size: int, score: float) -> FoundFace:
    return FoundFace(Box(x, y, size, size), score)


def test_every_face_and_every_box_is_matched_once():
    looked = match_faces(
        "drawn",
        [FACE, SMALL],
        [
            found(102, 100, 100, 0.9),
            found(100, 104, 100, 0.8),  # the same face again
            found(500, 500, 50, 0.7),  # touches nothing
            found(301, 301, 20, 0.6),
            found(60, 100, 100, 0.5),  # touches, but its middle is too far
        ],
    )
    assert looked.matches.tolist() == [0, -2, -1, 1, -2]
    assert looked.overlaps[0] == pytest.approx(98 / 102)
    assert looked.faces == (100.0, 20.0)


def test_a_face_is_found_up_to_035_of_its_side():
    inside, outside = (
        match_faces("a", [FACE], [found(134, 100, 100, 1)]),
        match_faces("a", [FACE], [found(136, 100, 100, 1)]),
    )
    assert inside.matches.tolist() == [0]
    assert outside.matches.tolist() == [-2]


def test_numbers_at_a_threshold_by_source_and_by_size():
    looked = [
        match_faces("one", [FACE, SMALL], [found(100, 100, 100, 0.9), found(600, 0, 9, 0.8)]),
        match_faces("two", [FACE], [found(100, 100, 60, 0.4)]),
        match_faces("two", [], []),
    ]
    measured = measure_detection(looked, 0.5)
    assert (measured["pictures"], measured["faces"]) == (3, 3)
    assert measured["recall"] == pytest.approx(1 / 3, abs=1e-4)
    assert measured["false_a_picture"] == pytest.approx(1 / 3, abs=1e-4)
    assert measured["by_source"]["one"]["recall"] == 0.5
    assert measured["by_source"]["two"]["recall"] == 0.0
    assert measured["by_size_px"]["0-24"] == {"faces": 1, "recall": 0.0}
    assert measured["at_least_24_px"] == {"faces": 2, "recall": 0.5}


def test_recall_at_a_rate_of_false_boxes():
    looked = [
        match_faces("a", [FACE], [found(100, 100, 100, 0.9), found(500, 0, 9, 0.8)]),
        match_faces("a", [FACE], [found(100, 100, 100, 0.7), found(500, 0, 9, 0.6)]),
    ]
    assert measure_recall_at(looked, 0.1) == {"threshold": 0.8, "recall": 0.5}
    assert measure_recall_at(looked, 0.5) == {"threshold": 0.6, "recall": 1.0}
    assert measure_recall_at(looked, 1.0) == {"threshold": 0.0, "recall": 1.0}


def test_the_surest_box_of_a_picture_may_be_shown_whatever_the_threshold():
    looked = [
        match_faces("a", [FACE, SMALL], [found(500, 0, 9, 0.3), found(100, 100, 100, 0.4)]),
        match_faces("a", [FACE], [found(100, 100, 100, 0.1), found(300, 300, 20, 0.1)]),
        match_faces("b", [], []),
    ]
    assert measure_detection(looked, 0.5)["recall"] == 0
    raised = raise_surest(looked, 0.2)
    measured = measure_detection(raised, 0.5)
    assert measured["recall"] == pytest.approx(1 / 3, abs=1e-4)
    assert measured["false_a_picture"] == 0
    assert [one.scores.tolist() for one in raised[1:]] == [[0.1, 0.1], []]
    assert raise_surest(looked, 0.1)[1].scores.tolist() == [1.1, 0.1]


def test_a_network_is_measured_by_what_it_shows_and_ranked_by_its_scores():
    bundle = load_detector_bundle(ROOT / "model" / "detector-fourth")
    bundle = replace(bundle, thresholds=(0.9, 0.5, 0.2), default_level=1, surest_level=2, plays_level=1)
    looked = [match_faces("a", [FACE], [found(100, 100, 100, 0.4)])]
    with_right, without = (
        measure_network(looked, one) for one in (bundle, replace(bundle, surest_level=None))
    )
    assert (with_right["recall"], without["recall"]) == (1, 0)
    assert with_right["average_precision"] == without["average_precision"]


def test_average_precision_worked_by_hand():
    """Right, wrong, right of two faces: precision 1 to recall 1/2, then 2/3."""
    looked = [
        match_faces(
            "a",
            [FACE, SMALL],
            [found(100, 100, 100, 0.9), found(500, 0, 9, 0.8), found(300, 300, 20, 0.7)],
        )
    ]
    assert measure_average_precision(looked) == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)


def test_nothing_to_find_and_nothing_found():
    measured = measure_detection([match_faces("empty", [], [])], 0.5)
    assert measured["recall"] is None
    assert measured["average_precision"] is None
    assert measured["false_a_picture"] == 0
