"""Boxes and names → drawn on a picture, in whatever script the names are."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from anyascii import anyascii
from PIL import Image, ImageDraw, ImageFont

from kyara.images import Box

KNOWN_COLOUR = "#0a7d5a"
UNKNOWN_COLOUR = "#8a5a00"
_LANGUAGES = {"ja": "ja", "zh": "zh-cn", "en": "en"}


@dataclass(frozen=True)
class BoxLabel:
    """A box and what is written at it."""

    box: Box
    text: str
    known: bool


def draw_labels(
    pixels: np.ndarray, labels: Iterable[BoxLabel], language: str = "en", size_px: int | None = None
) -> np.ndarray:
    """Return a copy of a picture with boxes and their names.

    Args:
        pixels: `uint8 (H, W, 3)`.
        labels: what to draw.
        language: of the names: the same Chinese character is drawn differently in Japan.
        size_px: of the letters; by default one that fits the picture.
    """
    canvas = Image.fromarray(pixels)
    pen = ImageDraw.Draw(canvas)
    size = size_px or max(12, min(canvas.size) // 40)
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
    found = _find_font(special, _LANGUAGES.get(language, "en"))
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
    """Ask fontconfig for a font that has all of some letters; None where there is none."""
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
