"""What training does to a face crop before the network sees it.

Flat ground behind a drawing is replaced, one affine warp does scale, shift, aspect, tilt and mirroring
at once, then come light colour changes and the losses of a screenshot: blur, JPEG, low resolution. Hue
stays: hair and eye colours identify a character.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

STORED_SCALE = 1.25
"""A crop is varied at this multiple of the network's input, so that zooming in stays sharp."""
WINDOW_SIDE = (0.52, 1.3)
"""Side of the sampled window relative to the crop: below 1 zooms in, above 1 shows the crop smaller."""
MAX_ASPECT = 1.15
MAX_TILT_DEG = 15.0
LOW_RESOLUTION_PX = (40, 96)
JPEG_QUALITY = (30, 90)
GROUND_TOLERANCE = 6
"""Largest difference, of 255, between the flat ground's neighbouring pixels."""
GROUND_SHARE = (0.06, 0.9)
"""A ground that covers less or more of the picture is left alone."""

Pictures = Sequence[np.ndarray] | np.ndarray
"""Several pictures, or an array of them."""


def augment_face(
    pixels: np.ndarray,
    size_px: int,
    rng: np.random.Generator,
    *,
    ground: np.ndarray | None = None,
    scenes: Pictures = (),
) -> np.ndarray:
    """Return one random variation of a face crop.

    Args:
        pixels: `uint8 (S, S, 3)` square crop.
        size_px: side of the result.
        rng: source of randomness.
        ground: `bool (S, S)` as `find_flat_ground` returns it: replaced half of the time.
        scenes: `uint8 (S, S, 3)` each; what else may lie behind the drawing.

    Returns:
        `uint8 (size_px, size_px, 3)`.
    """
    if ground is not None and rng.random() < 0.5:
        pixels = _replace_ground(pixels, ground, scenes, rng)
    warped = _warp(pixels, size_px, rng)
    return _degrade(_change_colour(warped, rng), rng)


def find_flat_ground(pixels: np.ndarray) -> np.ndarray | None:
    """Find the flat ground around a drawing: what can be reached from the picture's edge.

    Args:
        pixels: `uint8 (S, S, 3)`.

    Returns:
        `bool (S, S)`, or None where there is no flat ground.
    """
    side = pixels.shape[0]
    mask = np.zeros((side + 2, side + 2), np.uint8)
    limits = (GROUND_TOLERANCE,) * 3
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
    canvas = pixels.copy()
    last = side - 1
    for corner in ((0, 0), (last, 0), (0, last), (last, last)):
        if not mask[corner[1] + 1, corner[0] + 1]:
            cv2.floodFill(canvas, mask, corner, (0, 0, 0), limits, limits, flags)
    ground = mask[1:-1, 1:-1] > 0
    spread = pixels[ground].std(axis=0).max() if ground.any() else 0.0
    if not GROUND_SHARE[0] <= ground.mean() <= GROUND_SHARE[1] or spread > 2 * GROUND_TOLERANCE:
        return None
    return ground


def _replace_ground(
    pixels: np.ndarray,
    ground: np.ndarray,
    scenes: Pictures,
    rng: np.random.Generator,
) -> np.ndarray:
    share = cv2.blur(ground.astype(np.float32), (3, 3))[..., None]
    behind = _draw_ground(pixels.shape[0], scenes, rng)
    return (pixels * (1 - share) + behind * share).astype(np.uint8)


def _draw_ground(side: int, scenes: Pictures, rng: np.random.Generator) -> np.ndarray:
    """Return one colour, a gradient between two, or a blurred scene: `float32 (S, S, 3)`."""
    kind = rng.random()
    if kind < 0.4 and len(scenes):
        scene = scenes[int(rng.integers(len(scenes)))]
        blur = float(rng.uniform(0.5, 6))
        return cv2.GaussianBlur(scene, (0, 0), blur).astype(np.float32)
    first, second = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    if kind < 0.7:
        second = first
    slope = rng.normal(size=2)
    ramp = np.add.outer(np.arange(side) * slope[0], np.arange(side) * slope[1])
    ramp = ((ramp - ramp.min()) / (np.ptp(ramp) + 1e-9)).astype(np.float32)[..., None]
    return first + (second - first) * ramp


def _warp(pixels: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    side = pixels.shape[0]
    window = side * float(np.exp(rng.uniform(*np.log(WINDOW_SIDE))))
    aspect = float(np.exp(rng.uniform(-1, 1) * np.log(MAX_ASPECT) / 2))
    tilt = np.deg2rad(rng.uniform(-MAX_TILT_DEG, MAX_TILT_DEG)) if rng.random() < 0.5 else 0.0
    slack = abs(side - window) / 2
    centre = side / 2 + rng.uniform(-slack, slack, 2)
    step = window / size_px
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    rotate = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    # maps a pixel of the result to a pixel of the source (WARP_INVERSE_MAP)
    linear = rotate @ np.diag([mirror * step * aspect, step / aspect])
    offset = centre - linear @ np.array([size_px / 2, size_px / 2])
    matrix = np.column_stack([linear, offset])
    border = cv2.BORDER_REFLECT_101 if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    ground = tuple(int(v) for v in rng.integers(0, 256, 3))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        pixels, matrix, (size_px, size_px), flags=flags, borderMode=border, borderValue=ground
    )


def _change_colour(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values = pixels.astype(np.float32)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = 0.0 if rng.random() < 0.03 else rng.uniform(0.75, 1.25)
    values = grey[..., None] + (values - grey[..., None]) * np.float32(saturation)
    mean = float(values.mean())
    values = (values - mean) * np.float32(rng.uniform(0.8, 1.2)) + mean
    values = values * np.float32(rng.uniform(0.85, 1.15)) + rng.uniform(-8, 8, 3).astype(np.float32)
    return np.clip(values, 0, 255).astype(np.uint8)


def _degrade(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose resolution, sharpness or detail, one time in four."""
    kind = rng.random()
    if kind < 0.1:
        low = int(rng.integers(*LOW_RESOLUTION_PX))
        small = cv2.resize(pixels, (low, low), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if kind < 0.15:
        return cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.4, 1.4)))
    if kind < 0.25:
        quality = int(rng.integers(*JPEG_QUALITY))
        _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return pixels
