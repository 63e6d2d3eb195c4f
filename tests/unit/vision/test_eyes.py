"""The eye network that ships: it finds the eyes of turned faces, and their crops are turned upright."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from videos import EXAMPLE

from kyara.recognition.bundle_parts import Preprocessing
from kyara.recognition.pictures import find_faces
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detector_bundle import find_detector_bundle
from kyara.vision.detectors.eyes import draw_window, measure_roll, plan_window
from kyara.vision.detectors.network import NetworkDetector, load_network
from kyara.vision.images import read_image

MODELS = Path(__file__).resolve().parents[3] / "model"
EYES = np.array([[356, 291, 458, 345], [686, 370, 803, 365], [1017, 353, 1117, 325]])
"""Of the example's faces, told by eye."""
FACE_PX = 215
CLOSE_DEG = 10


@pytest.fixture(scope="module")
def network() -> NetworkDetector:
    return load_network(find_detector_bundle(MODELS))


def turn(pixels: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn a picture clockwise, and the eyes of the example with it."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    turned = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return turned, EYES.reshape(-1, 2, 2) @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("degrees", [-50, -35, 0, 40])
def test_the_eyes_of_a_turned_face_are_found(network, degrees):
    pixels, eyes = turn(read_image(EXAMPLE), degrees)
    found = network.find(pixels)
    near = [find_nearest(face, eyes) for face in found]
    assert len(near) == len(set(near))
    assert 1 in near
    least = network.bundle.settings["eyes"]["from_deg"]
    for face, truth in zip(found, eyes[near], strict=True):
        if face.eyes is None:
            continue
        assert np.hypot(*(np.reshape(face.eyes, (2, 2)) - truth).T).max() < 0.1 * FACE_PX
        lean = measure_roll(tuple(truth.ravel().tolist()))
        assert face.roll_deg == 0 or face.roll_deg == pytest.approx(lean, abs=CLOSE_DEG)
        assert bool(face.roll_deg) == (abs(measure_roll(face.eyes)) >= least)
    middle = found[near.index(1)]
    assert middle.eyes is not None
    assert bool(middle.roll_deg) == bool(degrees)


def find_nearest(face: FoundFace, eyes: np.ndarray) -> int:
    """Return which pair of eyes lies nearest to a box's middle."""
    middle = face.box.x + face.box.width / 2, face.box.y + face.box.height / 2
    return int(np.hypot(*(eyes.mean(axis=1) - middle).T).argmin())


def test_a_crop_is_turned_upright(network):
    """It is like that of the upright picture; a crop that is left as it leans is less so."""

    def cut(degrees: float, upright_from_deg: float) -> np.ndarray:
        pixels, eyes = turn(read_image(EXAMPLE), degrees)
        preprocessing = Preprocessing(128, upright_from_deg=upright_from_deg)
        faces = network.find(pixels)
        middle = [find_nearest(face, eyes) for face in faces].index(1)
        crop = find_faces(pixels, network, preprocessing.find_window).crops[middle]
        return cv2.resize(crop, (24, 24), interpolation=cv2.INTER_AREA).astype(float).ravel()

    upright, turned, left = cut(0, 20), cut(-40, 20), cut(-40, 180)
    assert np.corrcoef(upright, turned)[0, 1] > np.corrcoef(upright, left)[0, 1] + 0.2


def test_a_lean_adds_to_the_quarter_that_the_picture_was_turned_by(network):
    pixels, _ = turn(read_image(EXAMPLE), -50)
    (middle,) = network.find(np.ascontiguousarray(np.rot90(pixels[80:520, 420:980], 2)))
    assert middle.roll_deg == pytest.approx(180 - 52, abs=CLOSE_DEG)
    assert middle.eyes is not None
    assert measure_roll(middle.eyes) == pytest.approx(middle.roll_deg)


def test_eyes_that_are_not_sure_are_not_told(network):
    """Nor is the lean of a bundle without an eye network."""
    pixels, _ = turn(read_image(EXAMPLE), -50)
    settings = network.bundle.settings
    never = {**settings, "eyes": {**settings["eyes"], "most_error": 1e-6}}
    for bundle in (
        replace(network.bundle, settings=never),
        replace(network.bundle, eyes=None),
    ):
        found = NetworkDetector(bundle).find(pixels)
        assert {(face.eyes, face.roll_deg) for face in found} == {(None, 0)}
        assert [face.box for face in found] == [face.box for face in network.find(pixels)]


def test_a_window_is_square_and_filled_up_where_the_picture_ends():
    pixels = np.full((60, 80, 3), 200, np.uint8)
    window = plan_window(Box(0, 10, 40, 30), 1.5)
    assert window == Box(-10, -5, 60, 60)
    drawn = draw_window(pixels, window, 30, 100)
    assert (drawn.shape, drawn.dtype) == ((1, 30, 30, 3), np.float32)
    inside, outside = np.float32(200) / np.float32(255), np.float32(100) / np.float32(255)
    assert (drawn[0, 3:, 5:] == inside).all()
    assert (drawn[0, :, :5] == outside).all()
    assert (drawn[0, :2] == outside).all()


@pytest.mark.parametrize(
    ("eyes", "roll"),
    [((0, 0, 5, 0), 0), ((0, 0, 3, 3), 45), ((0, 0, 0, -2), -90), ((0, 0, -1, 0), 180)],
)
def test_the_lean_follows_from_the_eyes(eyes, roll):
    assert measure_roll(eyes) == pytest.approx(roll)
