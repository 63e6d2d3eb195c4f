"""What training does to a face crop before the network sees it.

One affine warp does scale, shift, aspect, tilt and mirroring at once; then light colour changes and
now and then a loss of resolution. Hue stays: hair and eye colours identify a character.
"""

from __future__ import annotations

import cv2
import numpy as np

WINDOW_SIDE = (0.65, 1.3)
"""Side of the sampled window relative to the crop: below 1 zooms in, above 1 shows the crop smaller."""
MAX_ASPECT = 1.15
MAX_TILT_DEG = 12.0
LOW_RESOLUTION_PX = (40, 96)


def augment_face(pixels: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """Return one random variation of a face crop.

    Args:
        pixels: `uint8 (S, S, 3)` square crop.
        size_px: side of the result.
        rng: source of randomness.

    Returns:
        `uint8 (size_px, size_px, 3)`.
    """
    warped = _warp(pixels, size_px, rng)
    if rng.random() < 0.1:
        low = int(rng.integers(*LOW_RESOLUTION_PX))
        small = cv2.resize(warped, (low, low), interpolation=cv2.INTER_AREA)
        warped = cv2.resize(small, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    return _change_colour(warped, rng)


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
