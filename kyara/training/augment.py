"""What training does to a face before the network sees it.

A flat background is replaced, one affine warp does margin, shift, aspect, tilt and mirroring at once,
then come light colour changes and what pictures lose on their way: colour (grey, screentone), light,
sharpness, resolution, JPEG, parts that something covers. Hue stays: hair and eye colours identify
a character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from kyara.vision.alterations import (
    compress_jpeg,
    drain_colours,
    lower_resolution,
    print_screentone,
)

MARGINS = (1.0, 2.2)
"""Side of what is shown, relative to the tight face: from the box alone to hair and shoulders."""
MOST_BEYOND = 1.3
"""The window is at most so many times as wide as the picture allows: what lies beyond is made up."""
SHIFT = 0.12
"""A detector's box lies off the face's middle by at most this share of its side."""
MAX_ASPECT = 1.15
TILTS_DEG = (15.0, 45.0)
"""Half of the faces lean by up to the first, one in ten by up to the second."""
GREY_SHARE = 0.15
SCREENTONE_SHARE = 0.05
LOW_RESOLUTION_PX = (24, 96)
JPEG_QUALITY = (15, 90)
BACKGROUND_TOLERANCE = 6
"""Largest difference, of 255, between a flat background's neighbouring pixels."""
BACKGROUND_SHARE = (0.06, 0.9)
"""A background that covers less or more of the picture is left alone."""

Pictures = Sequence[np.ndarray] | np.ndarray
"""Several pictures, or an array of them."""


@dataclass(frozen=True)
class TrainingFace:
    """A face to vary, with what the dataset's picture shows around it.

    Attributes:
        pixels: `uint8 (H, W, 3)`.
        face: x, y, width and height of the tight face (cheek to cheek, fringe to chin) in it.
        background: `bool (H, W)` as `find_flat_background` returns it: replaced half of the time.
    """

    pixels: np.ndarray
    face: tuple[float, float, float, float]
    background: np.ndarray | None = None


def augment_face(
    face: TrainingFace, size_px: int, rng: np.random.Generator, *, scenes: Pictures = ()
) -> np.ndarray:
    """Return one random variation of a face.

    Args:
        face: what to vary; it stays as it is.
        size_px: side of the result.
        rng: source of randomness.
        scenes: `uint8 (H, W, 3)` each, of any size; what else may lie behind the drawing.

    Returns:
        `uint8 (size_px, size_px, 3)`.
    """
    pixels = face.pixels
    if face.background is not None and rng.random() < 0.5:
        pixels = _replace_background(pixels, face.background, scenes, rng)
    warped = _warp(pixels, face.face, size_px, rng)
    return _degrade(_drain(_change_colour(warped, rng), rng), rng)


def find_flat_background(pixels: np.ndarray) -> np.ndarray | None:
    """Find the flat background around a drawing: what can be reached from the picture's edge.

    Args:
        pixels: `uint8 (H, W, 3)`.

    Returns:
        `bool (H, W)`, or None where there is none.
    """
    height, width = pixels.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    limits = (BACKGROUND_TOLERANCE,) * 3
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
    canvas = pixels.copy()
    right, bottom = width - 1, height - 1
    for corner in ((0, 0), (right, 0), (0, bottom), (right, bottom)):
        if not mask[corner[1] + 1, corner[0] + 1]:
            cv2.floodFill(canvas, mask, corner, (0, 0, 0), limits, limits, flags)
    background = mask[1:-1, 1:-1] > 0
    deviation = pixels[background].std(axis=0).max() if background.any() else 0.0
    least, most = BACKGROUND_SHARE
    if not least <= background.mean() <= most or deviation > 2 * BACKGROUND_TOLERANCE:
        return None
    return background


def _replace_background(
    pixels: np.ndarray,
    background: np.ndarray,
    scenes: Pictures,
    rng: np.random.Generator,
) -> np.ndarray:
    share = cv2.blur(background.astype(np.float32), (3, 3))[..., None]
    behind = _draw_ground(pixels.shape[1], pixels.shape[0], scenes, rng)
    return (pixels * (1 - share) + behind * share).astype(np.uint8)


def _draw_ground(width: int, height: int, scenes: Pictures, rng: np.random.Generator) -> np.ndarray:
    """Return one colour, a gradient between two, or a blurred scene: `float32 (H, W, 3)`."""
    kind = rng.random()
    if kind < 0.4 and len(scenes):
        scene = cv2.resize(scenes[int(rng.integers(len(scenes)))], (width, height))
        blur = float(rng.uniform(0.5, 6))
        return cv2.GaussianBlur(scene, (0, 0), blur).astype(np.float32)
    first, second = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    if kind < 0.7:
        second = first
    slope = rng.normal(size=2)
    ramp = np.add.outer(np.arange(height) * slope[0], np.arange(width) * slope[1])
    ramp = ((ramp - ramp.min()) / (np.ptp(ramp) + 1e-9)).astype(np.float32)[..., None]
    return first + (second - first) * ramp


def _warp(
    pixels: np.ndarray,
    face: tuple[float, float, float, float],
    size_px: int,
    rng: np.random.Generator,
) -> np.ndarray:
    middle, sides = _draw_window(pixels.shape, face, rng)
    limit = TILTS_DEG[0] if rng.random() < 0.8 else TILTS_DEG[1]
    tilt = np.deg2rad(rng.uniform(-limit, limit)) if rng.random() < 0.5 else 0.0
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    rotate = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    # maps a pixel of the result to a pixel of the source (WARP_INVERSE_MAP)
    linear = rotate @ np.diag(np.array([mirror, 1.0]) * sides / size_px)
    offset = middle - linear @ np.array([size_px / 2, size_px / 2])
    matrix = np.column_stack([linear, offset])
    borders = (cv2.BORDER_REFLECT_101, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT)
    dark = rng.random() < 0.3  # the black bars of a film
    background = (0, 0, 0) if dark else tuple(int(v) for v in rng.integers(0, 256, 3))
    return cv2.warpAffine(
        pixels,
        matrix,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=borders[int(rng.integers(3))],
        borderValue=background,
    )


def _draw_window(
    shape: tuple[int, ...], face: tuple[float, float, float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle and the sides of what is shown: `float64 (2,)` each, x before y."""
    picture = np.array([shape[1], shape[0]], float)
    corner, size = np.array(face[:2]), np.array(face[2:])
    low, high = MARGINS
    high = max(low, min(high, float((picture / size).min()) * MOST_BEYOND))
    margin = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    aspect = float(np.exp(rng.uniform(-1, 1) * np.log(MAX_ASPECT) / 2))
    sides = size * margin * np.array([aspect, 1 / aspect])
    middle = corner + size * (0.5 + rng.uniform(-SHIFT, SHIFT, 2))
    if rng.random() < 0.4:  # at a picture's edge a crop is cut off, not filled up
        first, last = np.maximum(middle - sides / 2, 0), np.minimum(middle + sides / 2, picture)
        middle, sides = (first + last) / 2, np.maximum(last - first, 1)
    return middle, sides


def _change_colour(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values = pixels.astype(np.float32)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = rng.uniform(0.75, 1.25)
    values = grey[..., None] + (values - grey[..., None]) * np.float32(saturation)
    mean = float(values.mean())
    values = (values - mean) * np.float32(rng.uniform(0.8, 1.2)) + mean
    values = values * np.float32(rng.uniform(0.85, 1.15)) + rng.uniform(-8, 8, 3).astype(np.float32)
    if rng.random() < 0.06:  # a night scene
        values = values * np.float32(rng.uniform(0.3, 0.65))
    return np.clip(values, 0, 255).astype(np.uint8)


def _drain(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the colours of some faces away, as in manga; of some the greys, too."""
    kind = rng.random()
    if kind >= GREY_SHARE:
        return pixels
    if kind >= SCREENTONE_SHARE:
        return drain_colours(pixels)
    return print_screentone(pixels, float(rng.uniform(2.5, 5)), float(rng.uniform(0, np.pi / 2)))


def _degrade(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose resolution, sharpness, detail or a corner, two times in five."""
    kind = rng.random()
    if kind < 0.12:
        return lower_resolution(pixels, int(rng.integers(*LOW_RESOLUTION_PX)))
    if kind < 0.19:
        return cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.4, 1.8)))
    if kind < 0.31:
        return compress_jpeg(pixels, int(rng.integers(*JPEG_QUALITY)))
    if kind < 0.4:
        return _cover(pixels, rng)
    return pixels


def _cover(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay a bar over an edge, or a patch anywhere: captions, hands, others' hair."""
    height, width = pixels.shape[:2]
    colour = rng.integers(0, 256, 3) if rng.random() < 0.6 else np.zeros(3)
    covered = pixels.copy()
    if rng.random() < 0.4:
        share = rng.uniform(0.05, 0.25)
        place = (
            slice(0, int(share * height)) if rng.random() < 0.5 else slice(-int(share * height), None)
        )
        covered[place] = colour
        return covered
    down, across = rng.uniform(0.1, 0.35, 2)
    top, left = rng.uniform(0, 1 - down), rng.uniform(0, 1 - across)
    rows = slice(int(top * height), int((top + down) * height))
    covered[rows, int(left * width) : int((left + across) * width)] = colour
    return covered
