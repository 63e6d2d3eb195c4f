"""A detector on disk: what loads is whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kyara.errors import BundleError
from kyara.training.recipes.detector.looks import LOOKS
from kyara.vision.detector_bundle import (
    BUNDLE_FILE,
    EYES_FILE,
    NETWORK_FILE,
    SERVING_FILE,
    find_default_detector,
    find_detector_bundle,
    load_detector_bundle,
    write_detector_bundle,
)

NETWORK = b"not a network, but its bytes"
DATA: dict[str, Any] = {
    "settings": LOOKS,
    "thresholds": [0.6, 0.4, 0.2],
    "default_level": 1,
    "provenance": {"data": ["drawn"]},
}


def test_what_is_written_is_read_again(tmp_path):
    written = write_detector_bundle(tmp_path / "detector-a", NETWORK, DATA)
    read = load_detector_bundle(tmp_path / "detector-a")
    assert read == written
    assert (read.name, read.thresholds, read.default_level) == ("detector-a", (0.6, 0.4, 0.2), 1)


@pytest.mark.parametrize(
    ("network", "change"),
    [
        (NETWORK + b"!", {}),
        (NETWORK, {"thresholds": [0.6, 0.4, 0.3]}),
        (NETWORK, {"default_level": 0}),
        (NETWORK, {"settings": LOOKS | {"min_box_px": 13}}),
    ],
)
def test_another_network_other_levels_or_looks_are_another_version(tmp_path, network, change):
    """Browsers keep a version for good, and a library searches its pictures again for another one."""
    first = write_detector_bundle(tmp_path, NETWORK, DATA)
    assert re.fullmatch(r"[0-9a-f]{12}", first.version)
    assert write_detector_bundle(tmp_path, NETWORK, DATA | {"provenance": {}}).version == first.version
    assert write_detector_bundle(tmp_path, network, DATA | change).version != first.version


def test_a_bundle_of_before_looks_once(tmp_path):
    once = {key: value for key, value in LOOKS.items() if key != "second_look"}
    write_detector_bundle(tmp_path, NETWORK, DATA | {"settings": once})
    assert load_detector_bundle(tmp_path).settings["second_look"] is None


LEVELS = {"surest_level": 2, "plays_level": 1}


def test_the_surest_face_of_a_still_has_a_level_of_its_own(tmp_path):
    before = write_detector_bundle(tmp_path, NETWORK, DATA)
    assert (before.surest_from, before.plays_level) == (None, before.default_level)
    assert "surest_level" not in before.describe()
    written = write_detector_bundle(tmp_path, NETWORK, DATA | {"default_level": 0} | LEVELS)
    read = load_detector_bundle(tmp_path)
    assert read == written
    assert (read.surest_from, read.default_level, read.plays_level) == (0.2, 0, 1)
    assert read.describe().items() >= LEVELS.items()
    with_plays = write_detector_bundle(tmp_path, NETWORK, DATA | {"plays_level": 2})
    assert with_plays.describe()["plays_level"] == 2
    assert with_plays.version != before.version
    others = [write_detector_bundle(tmp_path, NETWORK, DATA | LEVELS), before]
    assert len({read.version, *(one.version for one in others)}) == 3


EYES = b"nor is this a network"
WITH_EYES = DATA | {
    "settings": LOOKS | {"eyes": {"side_px": 64, "margin": 1.5, "most_error": 0.05, "from_deg": 20}}
}


def test_a_bundle_with_eyes_is_read_again_and_has_a_version_of_its_own(tmp_path):
    written = write_detector_bundle(tmp_path, NETWORK, WITH_EYES, EYES)
    read = load_detector_bundle(tmp_path)
    assert read == written
    assert read.eyes == EYES
    assert read.describe()["settings"]["eyes"]["margin"] == 1.5
    without = write_detector_bundle(tmp_path, NETWORK, DATA)
    others = write_detector_bundle(tmp_path, NETWORK, WITH_EYES, EYES + b"!")
    assert len({read.version, without.version, others.version}) == 3


def test_a_bundle_that_names_no_eyes_has_none(tmp_path):
    write_detector_bundle(tmp_path, NETWORK, DATA)
    (tmp_path / EYES_FILE).write_bytes(EYES)
    bundle = load_detector_bundle(tmp_path)
    assert bundle.eyes is None
    assert "eyes" not in bundle.describe()["settings"]


@pytest.mark.parametrize("content", [None, EYES[:-1], b""])
def test_eyes_that_are_missing_or_damaged_are_refused(tmp_path, content):
    write_detector_bundle(tmp_path, NETWORK, WITH_EYES, EYES)
    path = tmp_path / EYES_FILE
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BundleError, match=r"eyes\.tflite is missing or damaged"):
        load_detector_bundle(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"side_px": 0},
        {"side_px": 64.5},
        {"side_px": 100_000},
        {"margin": 0},
        {"margin": "wide"},
        {"margin": float("nan")},
        {"most_error": -1},
        {"from_deg": 181},
        {"sha256": None},
    ],
)
def test_eyes_that_are_not_whole_are_refused(tmp_path, change):
    write_detector_bundle(tmp_path, NETWORK, WITH_EYES, EYES)
    settings = json.loads((tmp_path / BUNDLE_FILE).read_text())["settings"]
    damage(tmp_path, {"settings": settings | {"eyes": settings["eyes"] | change}})
    with pytest.raises(BundleError):
        load_detector_bundle(tmp_path)
    for eyes in ({}, [], "x"):
        damage(tmp_path, {"settings": settings | {"eyes": eyes}})
        with pytest.raises(BundleError):
            load_detector_bundle(tmp_path)


def damage(folder: Path, change: dict[str, Any]) -> None:
    path = folder / BUNDLE_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"sha256": "0" * 64},
        {"thresholds": []},
        {"thresholds": [0.2, 0.4]},
        {"thresholds": [0.4, "x"]},
        {"thresholds": [1.5, 0.4]},
        {"thresholds": [0.4, float("nan")]},
        {"default_level": 3},
        {"default_level": 0.5},
        {"surest_level": 3},
        {"surest_level": 0},  # below the default: it would be shown anyway
        {"surest_level": "2"},
        {"surest_level": 2, "plays_level": 0},
        {"surest_level": 2, "plays_level": None},
        {"settings": {}},
        {"settings": LOOKS | {"longest_sides_px": []}},
        {"settings": LOOKS | {"longest_sides_px": [100_000]}},
        {"settings": LOOKS | {"tile_overlap": 1}},
        {"settings": LOOKS | {"longest_ratio": "wide"}},
        {"settings": LOOKS | {"max_boxes": float("inf")}},
        {"settings": LOOKS | {"merge": {"overlap": "x", "inside": 0.6}}},
        *(
            {"settings": LOOKS | {"second_look": LOOKS["second_look"] | change}}
            for change in (
                {"least": 0},
                {"least": 0.7},
                {"most": 1},
                {"most": float("nan")},
                {"face_px": "x"},
                {"face_px": 400},
                {"side_px": 100_000},
                {"side_px": 224.5},
                {"faces": 0},
                {"faces": 10**6},
            )
        ),
        {"settings": LOOKS | {"second_look": {"least": 0.2}}},
        {"settings": LOOKS | {"second_look": [0.2, 0.6]}},
    ],
)
def test_what_is_not_whole_is_refused(tmp_path, change):
    write_detector_bundle(tmp_path, NETWORK, DATA)
    damage(tmp_path, change)
    with pytest.raises(BundleError):
        load_detector_bundle(tmp_path)


@pytest.mark.parametrize("name", [BUNDLE_FILE, NETWORK_FILE])
def test_a_missing_file_is_one_sentence(tmp_path, name):
    write_detector_bundle(tmp_path, NETWORK, DATA)
    (tmp_path / name).unlink()
    with pytest.raises(BundleError, match=r"cannot be read"):
        load_detector_bundle(tmp_path)


def test_a_damaged_network_is_refused(tmp_path):
    write_detector_bundle(tmp_path, NETWORK, DATA)
    (tmp_path / NETWORK_FILE).write_bytes(NETWORK[:-1])
    with pytest.raises(BundleError, match=r"damaged"):
        load_detector_bundle(tmp_path)


def test_the_serving_file_names_the_detector(tmp_path):
    assert find_default_detector(tmp_path) == "cascade"
    with pytest.raises(BundleError, match=r"No face network serves"):
        find_detector_bundle(tmp_path)
    (tmp_path / SERVING_FILE).write_text('{"serving": "detector-a"}')
    assert find_default_detector(tmp_path) == "cascade"
    (tmp_path / SERVING_FILE).write_text('{"serving": "detector-a", "default": "network"}')
    assert find_default_detector(tmp_path) == "network"
    assert find_detector_bundle(tmp_path) == tmp_path / "detector-a"


@pytest.mark.parametrize("content", ['{"serving": "../elsewhere"}', '{"serving": 3}', "[]", "half {"])
def test_a_serving_file_that_names_no_folder_is_refused(tmp_path, content):
    (tmp_path / SERVING_FILE).write_text(content)
    with pytest.raises(BundleError):
        find_detector_bundle(tmp_path)
