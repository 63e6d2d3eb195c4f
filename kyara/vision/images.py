"""First stage: bytes → checked pixels, and boxes → crops. Nothing else in Kyara decodes an image.

Pixels are `uint8 (H, W, 3)` sRGB everywhere. A picture's size is checked from its header, before
any pixel is unpacked.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kyara.errors import BadInputError, BrokenImageError, TooLargeError, UnsupportedImageError
from kyara.vision.boxes import Box, Window

MAX_IMAGE_PIXELS = 16_000_000
"""Most pixels one picture may have, counted from its header."""
CROP_FORMATS = ("PNG", "JPEG", "WEBP")
"""What the HTTP API takes."""
FILE_FORMATS = (*CROP_FORMATS, "AVIF", "BMP", "GIF")
"""What the command line and the dataset reader take."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif"})
"""File names that are taken for pictures when a folder is read."""

INLINE_PX = 112
INLINE_QUALITY = 78

# Our own cap is checked first; Pillow's warning would only repeat it.
Image.MAX_IMAGE_PIXELS = 2 * MAX_IMAGE_PIXELS


def decode_image(
    data: bytes,
    *,
    formats: tuple[str, ...] = CROP_FORMATS,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> np.ndarray:
    """Decode one picture to pixels: EXIF orientation applied, alpha laid on white.

    The format is told by content. Of an animation the first frame is taken.

    Args:
        data: the file's bytes.
        formats: Pillow names of the formats to accept.
        max_pixels: most pixels (width × height) that the header may declare.

    Returns:
        `uint8 (H, W, 3)` sRGB.

    Raises:
        BadInputError: no bytes.
        UnsupportedImageError: not one of `formats`.
        TooLargeError: more than `max_pixels`.
        BrokenImageError: truncated or damaged.
    """
    if not data:
        raise BadInputError("The picture is empty (0 bytes).")
    names = ", ".join(formats)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"The picture has more than {max_pixels:,} pixels.") from error
    except Exception as error:  # an AVIF without an item is a RuntimeError; the next plugin has its own
        raise UnsupportedImageError(f"This is not a picture in one of the formats {names}.") from error
    with image:
        width, height = image.size
        if width < 1 or height < 1:
            raise BrokenImageError(f"The picture has no pixels ({width}×{height}).")
        if width * height > max_pixels:
            raise TooLargeError(
                f"The picture has {width}×{height} pixels; at most {max_pixels:,} in all are accepted."
            )
        return _unpack(image)


def _unpack(image: Image.Image) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                ground = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(ground, upright)
            return np.asarray(_to_eight_bits(upright).convert("RGB"))
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
        raise BrokenImageError("The picture is damaged or cut short and cannot be decoded.") from error


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey, which Pillow would otherwise clip to white."""
    if not image.mode.startswith("I"):
        return image
    grey = np.asarray(image).astype(np.float64)
    return Image.fromarray(np.clip(grey / 257.0, 0, 255).astype(np.uint8))


def read_image(path: Path) -> np.ndarray:
    """Decode a picture file of any of `FILE_FORMATS`.

    Raises:
        BadInputError: the file cannot be read. Otherwise as `decode_image`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror or error}.") from error
    return decode_image(data, formats=FILE_FORMATS, max_pixels=4 * MAX_IMAGE_PIXELS)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode `uint8 (H, W, 3)` pixels as PNG without any metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def resize_pixels(pixels: np.ndarray, size_px: int) -> np.ndarray:
    """Resize to a square with an antialiasing (bilinear, area-aware) filter.

    Args:
        pixels: `uint8 (H, W, 3)`.
        size_px: side of the result.

    Returns:
        `uint8 (size_px, size_px, 3)`.
    """
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((size_px, size_px), Image.Resampling.BILINEAR))


def crop_pixels(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Cut a box out of a picture; what lies outside the picture is left off.

    Args:
        pixels: `uint8 (H, W, 3)`.
        box: in pixels of that picture.

    Returns:
        A view `uint8 (h, w, 3)`.

    Raises:
        BadInputError: nothing of the box lies inside the picture.
    """
    height, width = pixels.shape[:2]
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if right <= left or bottom <= top:
        raise BadInputError(f"The box {box} lies outside the {width}×{height} picture.")
    return pixels[top:bottom, left:right]


def cut_window(pixels: np.ndarray, window: Window) -> np.ndarray:
    """Cut a window out, so that its face stands upright; outside of the picture it is white.

    Args:
        pixels: `uint8 (H, W, 3)`.
        window: in pixels of that picture.

    Returns:
        `uint8 (h, w, 3)`; a view if the window is not turned.

    Raises:
        BadInputError: nothing of a window that is not turned lies inside the picture.
    """
    box = window.box
    if not window.roll_deg:
        return crop_pixels(pixels, box)
    angle = math.radians(window.roll_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    middle_x, middle_y = box.x + box.width / 2, box.y + box.height / 2
    # from a pixel of the crop to one of the picture
    across = (cos, -sin, middle_x - cos * box.width / 2 + sin * box.height / 2)
    down = (sin, cos, middle_y - sin * box.width / 2 - cos * box.height / 2)
    with Image.fromarray(pixels) as picture:
        size = (box.width, box.height)
        way, white = Image.Transform.AFFINE, (255, 255, 255)
        turned = picture.transform(
            size, way, (*across, *down), Image.Resampling.BILINEAR, fillcolor=white
        )
    return np.asarray(turned)


def list_pictures(folder: Path) -> list[Path]:
    """Return every picture file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


@lru_cache(maxsize=1024)
def inline_picture(path: Path, box: Box | None = None) -> str:
    """Return a small copy of a picture, or of a box in it, as a `data:` address."""
    pixels = read_image(path)
    if box is not None:
        pixels = crop_pixels(pixels, box)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((INLINE_PX, INLINE_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=INLINE_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def hash_pixels(pixels: np.ndarray) -> str:
    """Return the SHA-256 over shape and pixels (`uint8 (H, W, 3)`) in hexadecimal."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
