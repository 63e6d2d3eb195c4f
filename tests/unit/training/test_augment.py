"""What training does to a crop: it varies, repeats with its seed, and leaves the hues alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawings import draw_face

from kyara.training.augment import augment_face, find_flat_ground


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (80, 80, 3), np.uint8)


@pytest.fixture
def drawing() -> np.ndarray:
    """A round figure on flat grey."""
    pixels = np.full((96, 96, 3), 200, np.uint8)
    cv2.circle(pixels, (48, 48), 30, (220, 40, 40), -1)
    return pixels


def test_a_variation_has_the_asked_size_and_no_two_are_alike(noise):
    rng = np.random.default_rng(2)
    variations = [augment_face(noise, 64, rng) for _ in range(20)]
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in variations)
    assert len({one.tobytes() for one in variations}) == 20


def test_a_seed_repeats_its_variations(noise, drawing):
    ground = find_flat_ground(drawing)

    def vary() -> list[bytes]:
        rng = np.random.default_rng(5)
        scenes = [noise[:, :, ::-1], noise]
        plain = [augment_face(noise, 64, rng).tobytes() for _ in range(6)]
        scenes = [cv2.resize(scene, (96, 96)) for scene in scenes]
        return plain + [
            augment_face(drawing, 64, rng, ground=ground, scenes=scenes).tobytes() for _ in range(20)
        ]

    assert vary() == vary()


def test_the_crop_itself_is_not_changed(noise, drawing):
    before = noise.copy(), drawing.copy()
    rng = np.random.default_rng(0)
    for _ in range(20):
        augment_face(noise, 64, rng)
        augment_face(drawing, 64, rng, ground=find_flat_ground(drawing))
    assert np.array_equal(noise, before[0])
    assert np.array_equal(drawing, before[1])


@pytest.mark.parametrize("colour", [(200, 40, 40), (60, 170, 60), (50, 70, 210), (210, 190, 60)])
def test_a_hue_stays(colour):
    pixels = np.full((80, 80, 3), colour, np.uint8)
    rng = np.random.default_rng(3)
    turned = []
    for _ in range(100):
        middle = augment_face(pixels, 48, rng)[20:28, 20:28].reshape(-1, 1, 3)
        hue, saturation, _ = cv2.cvtColor(
            np.vstack([middle, [[colour]]]).astype(np.uint8), cv2.COLOR_RGB2HSV
        )[:, 0].T
        apart = np.abs(hue[:-1].astype(int) - int(hue[-1])) * 2  # OpenCV's hue is half of the angle
        if np.median(saturation[:-1]) > 40:  # now and then a face loses its colours
            turned.append(np.median(np.minimum(apart, 360 - apart)))
    assert len(turned) > 80
    assert max(turned) <= 12


def test_a_variation_shows_the_face_and_not_only_its_ground():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[20:60, 20:60, 1] = 255
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(200):
        middle = augment_face(pixels, 64, rng)[20:44, 20:44].astype(int)
        shown += (middle[..., 1] > middle[..., 0] + 40).mean() > 0.5
    assert shown > 180  # now and then a face loses its colours


def test_the_flat_ground_of_a_drawing_is_found(drawing):
    ground = find_flat_ground(drawing)
    assert ground is not None
    assert ground.shape == (96, 96)
    assert ground.dtype == bool
    rows, columns = np.mgrid[:96, :96]
    radius = np.hypot(rows - 48, columns - 48)
    assert ground[radius > 33].all()
    assert not ground[radius < 28].any()


def test_a_drawn_figure_stands_before_its_ground():
    pixels = np.asarray(draw_face(1, np.random.default_rng(4)))  # as decoded: read-only
    ground = find_flat_ground(pixels)
    assert ground is not None
    assert ground[0, 0]
    assert not ground[48, 48]


@pytest.mark.parametrize("kind", ["noise", "gradient", "filled", "crowded"])
def test_a_picture_without_flat_ground_is_left_alone(kind, noise):
    ramp = np.linspace(0, 255, 80, dtype=np.uint8)
    picture = {
        "noise": noise,
        "gradient": np.stack([np.add.outer(ramp // 2, ramp // 2)] * 3, axis=2),
        "filled": np.full((80, 80, 3), 130, np.uint8),
        "crowded": cv2.resize(noise[:6, :6], (80, 80), interpolation=cv2.INTER_CUBIC),
    }[kind]
    assert find_flat_ground(picture) is None


def _look_around(picture: np.ndarray) -> tuple[float, np.ndarray]:
    """Return which share of the picture the red figure fills, and the colour around it."""
    values = picture.astype(int)
    figure = ((values[..., 0] - values[..., 1:].max(axis=2)) > 25).astype(np.uint8)
    near, nearer = (cv2.dilate(figure, np.ones((side, side), np.uint8)) for side in (9, 5))
    ring = values[(near - nearer) > 0]
    return float(figure.mean()), np.median(ring, axis=0) if len(ring) else np.zeros(3)


def _count_grey(drawing: np.ndarray, ground: np.ndarray | None) -> int:
    rng = np.random.default_rng(6)
    scene = np.full((96, 96, 3), (20, 60, 90), np.uint8)
    grey = 0
    for _ in range(200):
        share, around = _look_around(augment_face(drawing, 96, rng, ground=ground, scenes=[scene]))
        if 0.1 < share < 0.9:  # the figure has kept its colours, and there is something around it
            grey += np.ptp(around) < 30 and around.mean() > 120
    return grey


def test_a_flat_ground_is_replaced_half_of_the_time(drawing):
    left_alone = _count_grey(drawing, None)
    assert left_alone > 150
    assert 0.3 * left_alone < _count_grey(drawing, find_flat_ground(drawing)) < 0.7 * left_alone


def test_the_figure_is_never_replaced(drawing):
    ground = find_flat_ground(drawing)
    rng = np.random.default_rng(7)
    shares = [_look_around(augment_face(drawing, 96, rng, ground=ground))[0] for _ in range(200)]
    assert sum(share > 0.1 for share in shares) > 180  # now and then a face loses its colours
