"""Pictures that the tests draw: each seed another, with plenty to see."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFilter
from videos import EXAMPLE

TINTS = {"aka": (230, 30, 30), "ao": (30, 30, 230), "midori": (30, 200, 30)}


def draw_scene(seed: int, size_px: int = 96, tint: tuple[int, int, int] | None = None) -> np.ndarray:
    """Draw some ellipses: another seed, another picture; all in shades of the tint."""
    rng = np.random.default_rng(seed)
    pixels = np.full((160, 160, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(14):
        centre, axes = rng.integers(0, 160, 2), rng.integers(8, 45, 2)
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        cv2.ellipse(
            pixels, centre.tolist(), axes.tolist(), float(rng.uniform(0, 180)), 0, 360, colour, -1
        )
    if tint is not None:
        grey = pixels.mean(axis=2, keepdims=True)
        pixels = (grey * 0.6 + np.array(tint) * 0.4).astype(np.uint8)
    return cv2.resize(pixels, (size_px, size_px), interpolation=cv2.INTER_AREA)


def save(pixels: np.ndarray, path: Path, quality: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=quality)
    return path


def write_tinted(folder: Path, count: int) -> Path:
    """Write three characters of one colour each, with `count` pictures each."""
    for number, (label, tint) in enumerate(TINTS.items()):
        for seed in range(count):
            save(draw_scene(100 * number + seed, tint=tint), folder / label / f"{seed:02}.png")
    return folder


def draw_unsure() -> Image.Image:
    """Draw one face of the example so blurred and pale that the face network is not sure of it."""
    with Image.open(EXAMPLE) as image:
        face = image.convert("RGB").crop((600, 210, 890, 500)).filter(ImageFilter.GaussianBlur(12))
    picture = Image.new("RGB", (640, 480), (236, 232, 240))
    picture.paste(Image.blend(Image.new("RGB", face.size, (200, 200, 200)), face, 0.5), (170, 90))
    return picture
