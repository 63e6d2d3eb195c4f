"""What people's pictures go through: captions and shapes over them, light, colour, lost detail."""

from __future__ import annotations

import cv2
import numpy as np

from kyara.vision.alterations import (
    compress_jpeg,
    drain_colours,
    lower_resolution,
    print_screentone,
)

GREY_SHARE, SCREENTONE_SHARE = 0.15, 0.04


def lay_over(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Draw bars, frames and subtitles over a view, as players and memes have them."""
    side = canvas.shape[0]
    kind = rng.random()
    if kind < 0.06:
        words = "".join(chr(int(rng.integers(33, 123))) for _ in range(int(rng.integers(4, 30))))
        scale = float(rng.uniform(0.3, 1.2))
        at = (int(rng.uniform(-10, side * 0.4)), int(rng.uniform(side * 0.5, side)))
        thick = max(1, round(scale * 2))
        face = int(rng.integers(0, 8))
        cv2.putText(canvas, words, at, face, scale, (0, 0, 0), thick + 2, cv2.LINE_AA)
        colour = tuple(int(v) for v in rng.integers(150, 256, 3))
        cv2.putText(canvas, words, at, face, scale, colour, thick, cv2.LINE_AA)
    elif kind < 0.1:
        wide = int(rng.uniform(0.02, 0.12) * side)
        value = int(rng.choice([0, 0, 255, 30]))
        if rng.random() < 0.6:
            canvas[:wide], canvas[-wide:] = value, value
        else:
            canvas[:, :wide], canvas[:, -wide:] = value, value
    elif kind < 0.14:
        for _ in range(int(rng.integers(1, 6))):
            _draw_shape(canvas, rng)


def _draw_shape(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """A disc, a ribbon or a line: things that have been taken for faces."""
    side = canvas.shape[0]
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    at = tuple(int(v) for v in rng.integers(0, side, 2))
    size = int(rng.uniform(0.01, 0.06) * side) + 1
    kind = rng.random()
    if kind < 0.4:
        axes = (size, max(1, int(size * rng.uniform(0.4, 1))))
        cv2.ellipse(canvas, at, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    elif kind < 0.7:
        points = np.array(at) + rng.normal(0, size * 2, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(canvas, [points.astype(np.int32)], colour, cv2.LINE_AA)
    else:
        to = tuple(int(v) for v in rng.integers(0, side, 2))
        cv2.line(canvas, at, to, colour, max(1, size // 3), cv2.LINE_AA)


def degrade_view(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change light and colour, then lose what screenshots, scans and uploads lose.

    Args:
        pixels: `uint8 (S, S, 3)`.
        rng: source of randomness.

    Returns:
        `uint8 (S, S, 3)`.
    """
    table = np.arange(256, dtype=np.float32)
    gain, shift = rng.uniform(0.7, 1.3, 3 if rng.random() < 0.4 else 1), rng.uniform(-25, 25, 3)
    if rng.random() < 0.08:  # a night scene
        gain = gain * rng.uniform(0.35, 0.7)
    gamma = float(np.exp(rng.uniform(-0.3, 0.3)))
    curves = 255 * (table[:, None] / 255) ** gamma * gain + shift * (rng.random() < 0.5)
    pixels = cv2.LUT(pixels, np.clip(curves * np.ones(3), 0, 255).astype(np.uint8)[:, None, :])
    kind = rng.random()
    if kind < GREY_SHARE + SCREENTONE_SHARE:
        pixels = drain_colours(pixels)
        if kind < SCREENTONE_SHARE:
            pixels = print_screentone(pixels, float(rng.uniform(2.5, 5)), float(rng.uniform(0.5, 1.1)))
    elif kind < 0.35:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
        share = float(rng.uniform(0.3, 1.5))
        pixels = np.clip(grey + (pixels - grey) * share, 0, 255).astype(np.uint8)
    elif kind < 0.42:
        pixels = np.ascontiguousarray(pixels[..., rng.permutation(3)])
    return _lose_detail(pixels, rng)


def _lose_detail(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    side = pixels.shape[0]
    if kind < 0.12:
        pixels = lower_resolution(pixels, int(side * rng.uniform(0.4, 0.9)))
    elif kind < 0.2:
        pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.4, 1.3)))
    elif kind < 0.26:
        noise = rng.normal(0, rng.uniform(2, 14), pixels.shape).astype(np.float32)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        pixels = compress_jpeg(pixels, int(rng.integers(18, 90)))
    return pixels
