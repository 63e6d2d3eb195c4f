"""What is drawn on a picture: boxes with names, and maps over a crop with their legend."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from anyascii import anyascii
from PIL import Image, ImageDraw, ImageFont

from kyara.vision.boxes import Box
from kyara.vision.images import encode_image
from kyara.vision.languages import DEFAULT_LANGUAGE, LANGUAGES

KNOWN_COLOUR = "#0a7d5a"
UNKNOWN_COLOUR = "#8a5a00"


@dataclass(frozen=True)
class BoxLabel:
    """A box and what is written at it."""

    box: Box
    text: str
    known: bool


def draw_labels(pixels: np.ndarray, labels: Iterable[BoxLabel], language: str = "en") -> np.ndarray:
    """Return a copy of a picture with boxes and their names.

    Args:
        pixels: `uint8 (H, W, 3)`.
        labels: what to draw.
        language: of the names: the same Chinese character is drawn differently in Japan.
    """
    canvas = Image.fromarray(pixels)
    pen = ImageDraw.Draw(canvas)
    size = max(12, min(canvas.size) // 40)
    for label in labels:
        box, colour = label.box, KNOWN_COLOUR if label.known else UNKNOWN_COLOUR
        font, text = choose_font(label.text, size, language)
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        pen.rectangle(corners, outline=colour, width=max(2, size // 5))
        width = pen.textlength(text, font=font)
        left = max(0.0, min(float(box.x), canvas.width - width))
        corner = (left, max(0.0, box.y - size * 1.4))
        pen.rectangle(pen.textbbox(corner, text, font=font), fill=colour)
        pen.text(corner, text, fill="white", font=font)
    return np.asarray(canvas)


def choose_font(text: str, size_px: int, language: str = "en") -> tuple[ImageFont.FreeTypeFont, str]:
    """Return a font, and the text as that font can write it.

    Pillow's own font has Latin letters; for others a font of the system is taken, and where it has none
    the text is written in Latin letters.
    """
    special = "".join(sorted({letter for letter in text if ord(letter) > 0x17F}))
    if not special:
        return _load_own(size_px), text
    found = _find_font(special, LANGUAGES.get(language, LANGUAGES[DEFAULT_LANGUAGE]).font)
    if found is None:
        return _load_own(size_px), anyascii(text)
    return _load_file(*found, size_px), text


@cache
def _load_own(size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType.")
    return font


@cache
def _load_file(path: str, index: int, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_px, index=index)


@cache
def _find_font(letters: str, language: str) -> tuple[str, int] | None:
    """Ask fontconfig for a font that has all of some letters; None if there is none."""
    wanted = " ".join(f"{ord(letter):x}" for letter in letters)
    pattern = f"sans-serif:lang={language}:charset={wanted}"
    try:
        asked = ["fc-match", "-f", "%{file}\n%{index}\n", pattern]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20)
        path, index = done.stdout.splitlines()[:2]
        font = (path, int(index) & 0xFFFF)
        return font if _has_letters(*font, letters) else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _has_letters(path: str, index: int, letters: str) -> bool:
    """Return whether a font draws each letter as something else than its sign for what it lacks."""
    font = ImageFont.truetype(path, 24, index=index)
    lacking = _draw_letter(font, "\U0010fffe")
    return all(_draw_letter(font, letter) != lacking for letter in letters if not letter.isspace())


def _draw_letter(font: ImageFont.FreeTypeFont, letter: str) -> bytes:
    canvas = Image.new("L", (48, 48))
    ImageDraw.Draw(canvas).text((4, 4), letter, fill=255, font=font)
    return canvas.tobytes()


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
    return encode_image(image)
