"""Faces that the tests draw: a few made-up characters, told apart by hair, eyes and a mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

LABELS = ("aka_ribbon", "ao_glasses", "midori_bun", "kiiro_star")
_HAIR = ("#c8202c", "#2048c8", "#20903c", "#e8c020")
_EYES = ("#30a0e0", "#e0a030", "#a030c0", "#303030")


def draw_face(character: int, rng: np.random.Generator, size_px: int = 96) -> Image.Image:
    """Draw one face of a character, each time a little different."""
    ground = tuple(int(v) for v in rng.integers(120, 256, 3))
    image = Image.new("RGB", (size_px, size_px), ground)
    pen = ImageDraw.Draw(image)
    side = size_px * rng.uniform(0.85, 1.05)
    left, top = (size_px - side) / 2 + rng.uniform(-5, 5, 2)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * side, top + y * side

    pen.ellipse((*at(0.08, 0.02), *at(0.92, 0.95)), fill=_HAIR[character])
    pen.ellipse((*at(0.22, 0.28), *at(0.78, 0.9)), fill="#ffe2cc")
    pen.pieslice((*at(0.15, 0.1), *at(0.85, 0.7)), 190, 350, fill=_HAIR[character])
    openness = rng.uniform(0.05, 0.1)
    for x in (0.38, 0.62):
        pen.ellipse(
            (*at(x - 0.06, 0.55 - openness), *at(x + 0.06, 0.55 + openness)), fill=_EYES[character]
        )
    pen.arc((*at(0.44, 0.66), *at(0.56, 0.76)), 10, 170, fill="#a04040", width=2)
    _draw_mark(pen, character, at)
    return image


def _draw_mark(pen: ImageDraw.ImageDraw, character: int, at) -> None:
    if character == 0:
        pen.polygon([at(0.7, 0.1), at(0.95, 0.0), at(0.95, 0.25)], fill="#ffffff")
    elif character == 1:
        pen.rectangle((*at(0.28, 0.48), *at(0.72, 0.62)), outline="#000000", width=3)
    elif character == 2:
        pen.ellipse((*at(0.4, -0.08), *at(0.6, 0.12)), fill=_HAIR[character])
    else:
        pen.regular_polygon((*at(0.25, 0.2), 10), 3, fill="#e03080")


def write_dataset(folder: Path, faces: int, seed: int = 7) -> Path:
    """Write a folder per character with `faces` PNG files each."""
    rng = np.random.default_rng(seed)
    for character, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for number in range(faces):
            draw_face(character, rng).save(folder / label / f"{number:03}.png")
    return folder
