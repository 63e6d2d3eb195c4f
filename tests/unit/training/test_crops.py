"""Training knows where the face is: told by the dataset, or found once by the detector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT
from PIL import Image

from kyara.dataset.manifest import Face
from kyara.errors import BadInputError
from kyara.training.crops import USUAL_MARGIN, cut_margin, find_faces, load_training_face
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import open_detector
from kyara.vision.images import read_image

FACE = Box(330, 270, 140, 140)
"""Of the one in the middle of the example picture, about."""


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    return read_image(ROOT / "static" / "vendor" / "example.png")


def write(pixels: np.ndarray, path: Path, box: Box | None = None) -> Face:
    Image.fromarray(pixels).save(path)
    return Face(path, "somebody", "train", path.name, box=box)


def test_the_one_face_of_a_picture_is_found_and_several_or_none_are_not(example, tmp_path):
    one = write(example[60:620, 120:680], tmp_path / "one.png")
    several = write(example, tmp_path / "several.png")
    none = write(np.full((80, 80, 3), 200, np.uint8), tmp_path / "none.png")
    done: list[int] = []
    found = find_faces([one, several, none], tmp_path / "cache", done.append)
    with open_detector() as detector:
        (expected,) = detector.find(example[60:620, 120:680])
    assert found == [expected.box, None, None]
    assert done == [1, 1, 1]


def test_a_face_is_found_once_and_one_that_the_dataset_tells_never(example, tmp_path):
    face = write(example[60:620, 120:680], tmp_path / "one.png")
    (first,) = find_faces([face], tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    changed = {key: [1, 2, 3, 4] for key in json.loads(kept.read_text())}
    kept.write_text(json.dumps(changed))
    assert find_faces([face], tmp_path / "cache") == [Box(1, 2, 3, 4)] != [first]
    told = Face(tmp_path / "not there.png", "somebody", "train", "x", box=FACE)
    assert find_faces([told], tmp_path / "cache") == [FACE]


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    broken = Face(tmp_path / "broken.png", "somebody", "train", "x")
    with pytest.raises(BadInputError, match=r"broken\.png"):
        find_faces([broken], tmp_path / "cache")


def test_what_is_far_from_the_face_is_not_kept_and_a_large_face_made_smaller(example, tmp_path):
    shown = load_training_face(write(example, tmp_path / "whole.png"), FACE, backgrounds=False)
    assert max(shown.pixels.shape[:2]) < 300
    x, y, width, height = shown.face
    assert width == pytest.approx(112, abs=2)
    cut = shown.pixels[round(y) : round(y + height), round(x) : round(x + width)]
    whole = example[FACE.y : FACE.y + FACE.height, FACE.x : FACE.x + FACE.width]
    np.testing.assert_allclose(cut.mean(axis=(0, 1)), whole.mean(axis=(0, 1)), atol=4)


def test_a_picture_without_a_face_is_taken_for_a_crop_of_the_usual_width(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (80, 96, 3), np.uint8)
    shown = load_training_face(write(pixels, tmp_path / "x.png"), None, backgrounds=False)
    np.testing.assert_array_equal(shown.pixels, pixels)
    np.testing.assert_array_equal(cut_margin(shown, USUAL_MARGIN), pixels)
