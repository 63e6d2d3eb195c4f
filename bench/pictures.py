"""Face crops that compress like drawings: smooth shading, soft outlines, a little grain."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from kyara.vision.images import encode_image

CROP_PX = 256
"""What a face in a screenshot has, roughly, with its hair."""
_SCALE = 3


def draw_crop(seed: int, side: int = CROP_PX) -> Image.Image:
    """Draw a face.

    Args:
        seed: another seed, another face.
        side: of the picture in pixels.
    """
    rng = np.random.default_rng(seed)
    size = side * _SCALE
    sky = np.linspace(0, 1, size)[:, None, None]
    top, bottom, hair, eyes = rng.integers(40, 255, (4, 3))
    shade = (1 - sky) * top + sky * bottom
    image = Image.fromarray(np.broadcast_to(shade, (size, size, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)

    def ellipse(x: float, y: float, width: float, height: float, colour: object) -> None:
        box = [size * value for value in (x - width, y - height, x + width, y + height)]
        draw.ellipse(box, fill=tuple(colour), outline=(40, 30, 35), width=size // 90)  # type: ignore[arg-type]

    ellipse(0.5, 0.5, 0.45, 0.48, hair)
    ellipse(0.5, 0.58, 0.31, 0.34, (250, 224, 206))
    for x in (0.38, 0.62):
        ellipse(x, 0.58, 0.065, 0.1, (255, 255, 255))
        ellipse(x, 0.6, 0.05, 0.08, eyes)
        ellipse(x, 0.6, 0.02, 0.035, (20, 15, 25))
        ellipse(x - 0.02, 0.56, 0.015, 0.02, (255, 255, 255))
    for _ in range(9):  # strands
        x = rng.uniform(0.2, 0.8)
        points = [(size * x, size * 0.05), (size * rng.uniform(0.15, 0.85), size * 0.45)]
        draw.line(points, fill=tuple(int(part * 0.8) for part in hair), width=size // 40)
    draw.arc([size * 0.44, size * 0.7, size * 0.56, size * 0.78], 20, 160, (150, 60, 60), size // 100)
    image = image.filter(ImageFilter.GaussianBlur(_SCALE / 2)).resize((side, side))
    grain = rng.normal(0, 1.2, (side, side, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def encode_crop(image: Image.Image, form: str = "PNG") -> bytes:
    """Encode as the page does: PNG, or JPEG of quality 92."""
    return encode_image(image, form, **({"quality": 92} if form == "JPEG" else {}))
