"""Colour profiles: a picture's own colours → sRGB, by LittleCMS in Pillow.

A profile that is damaged, too large, of another kind of colour than the picture, or that could take
long to apply is left out: the picture is taken for sRGB then, as browsers take it.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""Those of printing presses have up to 3 MB."""
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Kind of colour in a profile → Pillow's mode."""
_CLASSES = frozenset({"mntr", "scnr", "prtr", "spac"})
"""Of devices; profiles that link two others are none of a picture."""
_CHAINS = b"mpet"
"""Elements that may be as many as somebody writes: a small file could take minutes. No browser runs
them."""


class Profile:
    """What turns pixels of one profile into sRGB.

    Attributes:
        mode: of Pillow, that the pixels have: `RGB`, `L` or `CMYK`.
    """

    def __init__(self, mode: str, transform: ImageCms.ImageCmsTransform) -> None:
        """Take the mode and LittleCMS' transform."""
        self.mode = mode
        self._transform = transform

    def fits(self, mode: str) -> bool:
        """Tell whether a picture of a mode of Pillow has the profile's kind of colour."""
        kind = "CMYK" if mode == "CMYK" else "L" if mode in ("1", "L", "LA", "I;16") else "RGB"
        return kind == self.mode

    def apply(self, strip: Image.Image) -> Image.Image:
        """Return a part of a picture in sRGB.

        Args:
            strip: `CMYK`, or `RGB`; of a grey picture with three channels that are equal.
        """
        source = strip.getchannel(0) if self.mode == "L" else strip
        return ImageCms.applyTransform(source, self._transform) or source


def read_profile(data: bytes) -> Profile | None:
    """Read the ICC profile of a picture; None where its pixels are to be taken for sRGB.

    Args:
        data: the profile, as it stands in the file.
    """
    if not 128 < len(data) <= MAX_PROFILE_BYTES or _CHAINS in data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        told: Any = profile.profile
        mode = _MODES.get(told.xcolor_space.strip())
        if mode is None or told.device_class.strip() not in _CLASSES:
            return None
        if mode == "RGB" and "srgb" in (told.profile_description or "").lower():
            return None
        srgb = ImageCms.createProfile("sRGB")
        return Profile(mode, ImageCms.buildTransform(profile, srgb, mode, "RGB"))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def make_srgb(strip: Image.Image, times: int, profile: Profile | None) -> Image.Image:
    """Return a part of a picture in sRGB.

    Args:
        strip: of any mode of Pillow.
        times: its sides are divided by so much.
        profile: of the picture, if it has one.

    Returns:
        `RGB`; what is transparent is white.
    """
    if profile is None or not profile.fits(strip.mode):
        strip = _lay_on_white(strip)
        return strip.reduce(times) if times > 1 else strip
    strip = strip if strip.mode == "CMYK" else _lay_on_white(strip)
    return profile.apply(strip.reduce(times) if times > 1 else strip)


def _lay_on_white(strip: Image.Image) -> Image.Image:
    """Return a part of a picture in `RGB`."""
    if strip.mode.startswith("I"):  # 16-bit grey, which Pillow would clip to white
        return Image.fromarray(np.clip(np.asarray(strip) // 257, 0, 255).astype(np.uint8)).convert("RGB")
    if strip.has_transparency_data:
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
    return strip.convert("RGB")
