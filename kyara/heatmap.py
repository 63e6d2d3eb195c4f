"""Maps over a crop → pictures: colours, an overlay with its legend, PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LONGEST_PX = 320
"""Longest side of a heat map and of the crop under it."""
OVERLAY_SHARE = 0.55
"""How much of the overlay is the heat map; the rest is the crop."""
_LEAST_SHEET_PX = 420
_LEGEND_PX = 44
_MARGIN_PX = 8
_BAR_PX = 12
_MAGMA = (
    "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 "
    "cf4070 e55064 f4695c fb8761 fea571 fec287 fde0a1 fcfdbf"
)
"""Every sixteenth colour of a perceptually uniform map, dark to bright.

Source: magma by Smith and van der Walt (CC0), https://bids.github.io/colormap/
"""


def colour_heat(heat: np.ndarray) -> np.ndarray:
    """Colour a map: black where nothing is, over violet and orange to pale yellow.

    Args:
        heat: `float (…)` from 0 to 1; what lies outside is taken for 0 or 1.

    Returns:
        `uint8 (…, 3)` sRGB.
    """
    stops = np.array([list(bytes.fromhex(colour)) for colour in _MAGMA.split()], np.float64)
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(heat, places, stops[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def fit_size(width: int, height: int, longest_px: int = LONGEST_PX) -> tuple[int, int]:
    """Return a width and height of the same shape whose longer one is `longest_px`; none is below 1."""
    scale = longest_px / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def draw_heatmap(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draw a map in the shape of its crop.

    Args:
        heat: `float32 (S, S)` from 0 to 1.
        size: width and height of the result.

    Returns:
        `uint8 (height, width, 3)`.
    """
    smooth = Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    return colour_heat(np.asarray(smooth))


def draw_overlay(pixels: np.ndarray, heat: np.ndarray, low: str, high: str) -> np.ndarray:
    """Draw the crop, beside it the crop in grey under its heat map, and below what the colours mean.

    Args:
        pixels: the crop, `uint8 (H, W, 3)`.
        heat: `float32 (S, S)` from 0 to 1.
        low: what the first colour means, in ASCII: Pillow's own font has no more.
        high: what the last one means.

    Returns:
        `uint8 (height, width, 3)`.
    """
    width, height = size = fit_size(pixels.shape[1], pixels.shape[0])
    crop = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    heatmap = Image.fromarray(draw_heatmap(heat, size))
    across = max(2 * width + _MARGIN_PX, _LEAST_SHEET_PX)
    sheet = Image.new("RGB", (across, height + _LEGEND_PX), "white")
    sheet.paste(crop, (0, 0))
    grey = crop.convert("L").convert("RGB")  # so that every colour beside the crop is the map's
    sheet.paste(Image.blend(grey, heatmap, OVERLAY_SHARE), (width + _MARGIN_PX, 0))
    _draw_legend(sheet, height + _MARGIN_PX, low, high)
    return np.asarray(sheet)


def _draw_legend(sheet: Image.Image, top: int, low: str, high: str) -> None:
    span = sheet.width - 2 * _MARGIN_PX
    bar = colour_heat(np.tile(np.linspace(0, 1, span), (_BAR_PX, 1)))
    sheet.paste(Image.fromarray(bar), (_MARGIN_PX, top))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    below = top + _BAR_PX + 3
    pen.text((_MARGIN_PX, below), low, fill="black", font=font)
    pen.text((_MARGIN_PX + span, below), high, fill="black", font=font, anchor="ra")


def encode_heatmap(heat: np.ndarray, size: tuple[int, int]) -> bytes:
    """Encode a map in the shape of its crop as a small PNG of 256 colours, without metadata."""
    smooth = Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    levels = np.clip(np.asarray(smooth) * 255, 0, 255).round().astype(np.uint8)
    image = Image.fromarray(levels, mode="P")
    image.putpalette(colour_heat(np.linspace(0, 1, 256)).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
