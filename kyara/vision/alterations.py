"""What happens to pictures on their way to a visitor's screen: colours, sharpness and size get lost.

Training shows faces so altered, and evaluation measures what each alteration costs.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Alter = Callable[[np.ndarray], np.ndarray]
"""`uint8 (H, W, 3)` → the same shape and type."""
LOW_JPEG_QUALITY = 20
SMALL_FACE_PX = 40
TILT_DEG = 20.0
SCREENTONE_PERIODS = 32
"""Dots of a screentone along a face's side, as in a magazine's scan."""


def drain_colours(pixels: np.ndarray) -> np.ndarray:
    """Return a picture in greys."""
    return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def print_screentone(
    pixels: np.ndarray, period_px: float | None = None, turn: float = np.pi / 4
) -> np.ndarray:
    """Return a picture in black dots on white, as manga is printed.

    Args:
        pixels: `uint8 (H, W, 3)`.
        period_px: between two dots; None: what `SCREENTONE_PERIODS` makes of the longer side.
        turn: of the rows of dots, in radians.

    Returns:
        `uint8 (H, W, 3)`; dots' edges are soft, as after scanning.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    period = period_px or max(2.5, max(grey.shape) / SCREENTONE_PERIODS)
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32) * (2 * np.pi / period)
    along = np.cos(columns * np.cos(turn) + rows * np.sin(turn))
    across = np.cos(rows * np.cos(turn) - columns * np.sin(turn))
    threshold = 127.5 + 63.75 * (along + across)
    dots = np.clip((grey - threshold) * 4 + 127.5, 0, 255).astype(np.uint8)
    return cv2.cvtColor(dots, cv2.COLOR_GRAY2RGB)


def compress_jpeg(pixels: np.ndarray, quality: int = LOW_JPEG_QUALITY) -> np.ndarray:
    """Return a picture as it is after JPEG of a quality, 1 to 100."""
    _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))


def lower_resolution(pixels: np.ndarray, side_px: int = SMALL_FACE_PX) -> np.ndarray:
    """Return a picture as it is after its longer side was so small once."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def tilt(pixels: np.ndarray, degrees: float = TILT_DEG) -> np.ndarray:
    """Return a picture turned clockwise about its middle, its edges drawn out."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _mirror(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, ::-1])


ALTERATIONS: dict[str, Alter] = {
    "grey": drain_colours,
    "screentone": print_screentone,
    f"JPEG {LOW_JPEG_QUALITY}": compress_jpeg,
    f"{SMALL_FACE_PX} px": lower_resolution,
    f"turned {TILT_DEG:g}°": tilt,
    "mirrored": _mirror,
}
"""Name → what it does to a crop."""
