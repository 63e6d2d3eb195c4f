"""What training does to a crop: it varies, repeats with its seed, and leaves the hues alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawings import draw_face

from kyara.training.augment import (
    TrainingFace,
    augment_face,
    find_flat_background,
)


def wrap(pixels: np.ndarray, ground: np.ndarray | None = None) -> TrainingFace:
    """Take the middle of a picture for the face."""
    side = pixels.shape[0]
    return TrainingFace(pixels, (side * 0.2, side * 0.2, side * 0.6, side * 0.6), ground)


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
    variations = [augment_face(wrap(noise), 64, rng) for _ in range(20)]
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in variations)
    assert len({one.tobytes() for one in variations}) == 20


def test_a_seed_repeats_its_variations(noise, drawing):
    ground = find_flat_background(drawing)

    def vary() -> list[bytes]:
        rng = np.random.default_rng(5)
        scenes = [noise[:, :, ::-1], noise]
        plain = [augment_face(wrap(noise), 64, rng).tobytes() for _ in range(6)]
        scenes = [cv2.resize(scene, (96, 96)) for scene in scenes]
        return plain + [
            augment_face(wrap(drawing, ground), 64, rng, scenes=scenes).tobytes() for _ in range(20)
        ]

    assert vary() == vary()


def test_the_crop_itself_is_not_changed(noise, drawing):
    before = noise.copy(), drawing.copy()
    rng = np.random.default_rng(0)
    for _ in range(20):
        augment_face(wrap(noise), 64, rng)
        augment_face(wrap(drawing, find_flat_background(drawing)), 64, rng)
    assert np.array_equal(noise, before[0])
    assert np.array_equal(drawing, before[1])


@pytest.mark.parametrize("colour", [(200, 40, 40), (60, 170, 60), (50, 70, 210), (210, 190, 60)])
def test_a_hue_stays(colour):
    pixels = np.full((80, 80, 3), colour, np.uint8)
    rng = np.random.default_rng(3)
    turned = []
    for _ in range(100):
        middle = augment_face(wrap(pixels), 48, rng)[20:28, 20:28].reshape(-1, 1, 3)
        hue, saturation, _ = cv2.cvtColor(
            np.vstack([middle, [[colour]]]).astype(np.uint8), cv2.COLOR_RGB2HSV
        )[:, 0].T
        apart = np.abs(hue[:-1].astype(int) - int(hue[-1])) * 2  # OpenCV's hue is half of the angle
        if np.median(saturation[:-1]) > 40:  # now and then a face loses its colours
            turned.append(np.median(np.minimum(apart, 360 - apart)))
    assert len(turned) > 70
    assert sorted(turned)[-3] <= 12  # of one or two the middle is covered


def test_a_variation_shows_the_face_and_not_only_its_ground():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[20:60, 20:60, 1] = 255
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(200):
        middle = augment_face(wrap(pixels), 64, rng)[20:44, 20:44].astype(int)
        shown += (middle[..., 1] > middle[..., 0] + 40).mean() > 0.5
    assert shown > 165  # now and then a face loses its colours


def test_the_flat_ground_of_a_drawing_is_found(drawing):
    ground = find_flat_background(drawing)
    assert ground is not None
    assert ground.shape == (96, 96)
    assert ground.dtype == bool
    rows, columns = np.mgrid[:96, :96]
    radius = np.hypot(rows - 48, columns - 48)
    assert ground[radius > 33].all()
    assert not ground[radius < 28].any()


def test_a_drawn_figure_stands_before_its_ground():
    pixels = np.asarray(draw_face(1, np.random.default_rng(4)))  # as decoded: read-only
    ground = find_flat_background(pixels)
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
    assert find_flat_background(picture) is None


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
        share, around = _look_around(augment_face(wrap(drawing, ground), 96, rng, scenes=[scene]))
        if 0.1 < share < 0.9:  # the figure has kept its colours, and there is something around it
            grey += np.ptp(around) < 30 and around.mean() > 120
    return grey


def test_a_flat_ground_is_replaced_half_of_the_time(drawing):
    left_alone = _count_grey(drawing, None)
    assert left_alone > 150
    assert 0.3 * left_alone < _count_grey(drawing, find_flat_background(drawing)) < 0.7 * left_alone


def test_the_figure_is_never_replaced(drawing):
    ground = find_flat_background(drawing)
    rng = np.random.default_rng(7)
    shares = [_look_around(augment_face(wrap(drawing, ground), 96, rng))[0] for _ in range(200)]
    assert sum(share > 0.1 for share in shares) > 180  # now and then a face loses its colours


def test_a_face_is_shown_tight_and_wide_and_off_its_middle():
    """A white face in black: how much of the variation it fills tells how wide it is shown."""
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[70:130, 70:130] = 255
    face = TrainingFace(pixels, (70, 70, 60, 60))
    rng = np.random.default_rng(3)
    shares, places = [], []
    for _ in range(400):
        bright = augment_face(face, 64, rng).mean(axis=2) > 128
        shares.append(bright.mean())
        rows, columns = np.nonzero(bright)
        places.append((rows.mean(), columns.mean()) if len(rows) else (32, 32))
    low, high = np.quantile(shares, (0.1, 0.9))
    assert low < 0.4  # a margin of 1.6 and more
    assert high > 0.7
    assert np.std(places, axis=0).min() > 1


def test_what_lies_far_beyond_the_picture_is_not_shown():
    """A face that fills its picture is not shown in a frame of invented pixels."""
    pixels = np.full((64, 64, 3), 255, np.uint8)
    face = TrainingFace(pixels, (0, 0, 64, 64))
    rng = np.random.default_rng(4)
    shown = [(augment_face(face, 64, rng).mean(axis=2) > 60).mean() for _ in range(200)]
    assert np.quantile(shown, 0.1) > 0.45


def test_some_faces_lose_their_colours_and_some_their_greys():
    colours = np.zeros((96, 96, 3), np.uint8)
    colours[..., 0] = np.linspace(30, 220, 96, dtype=np.uint8)
    face = TrainingFace(colours, (20, 20, 50, 50))
    rng = np.random.default_rng(5)
    grey = 0
    for _ in range(400):
        values = augment_face(face, 64, rng).astype(int)
        grey += np.quantile(np.ptp(values, axis=2), 0.5) < 8
    assert 0.08 < grey / 400 < 0.35


def test_a_picture_of_any_shape_is_varied():
    pixels = np.random.default_rng(1).integers(0, 256, (50, 130, 3), np.uint8)
    face = TrainingFace(pixels, (90, 5, 35, 40), find_flat_background(pixels))
    assert augment_face(face, 48, np.random.default_rng(2)).shape == (48, 48, 3)
