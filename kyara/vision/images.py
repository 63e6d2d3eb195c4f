"""First stage: bytes → checked pixels, and boxes → crops. Nothing else in Kyara decodes an image.

Pixels are `uint8 (H, W, 3)` sRGB everywhere; other colours are converted by the picture's profile. Its
size is checked from its header, before any pixel is unpacked.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import math
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from kyara.errors import BadInputError, BrokenImageError, TooLargeError, UnsupportedImageError
from kyara.vision import cut_short
from kyara.vision.boxes import Box, Window
from kyara.vision.picture_files import FILE_FORMATS, is_heif, open_heif
from kyara.vision.profiles import make_srgb, read_profile
from kyara.vision.structure import Declared, find_orientation, inspect_picture

MAX_IMAGE_PIXELS = 16_000_000
"""Most pixels one picture may have, counted from its header."""
CROP_FORMATS = ("PNG", "JPEG", "WEBP")
"""What the HTTP API takes."""
MAX_SIDE_PX = 32_767
"""Longest side that one picture may have."""
ENOUGH_PX = 512
"""Crops of twice this side and more may be averaged down; networks take 128 px."""
STRIP_PIXELS = 1_000_000
"""Pixels that are converted at a time."""
INLINE_PX = 112
INLINE_QUALITY = 78

# Our own cap is checked first; Pillow's warning would only repeat it.
Image.MAX_IMAGE_PIXELS = 2 * MAX_IMAGE_PIXELS
PngImagePlugin.MAX_TEXT_MEMORY = 4 * PngImagePlugin.MAX_TEXT_CHUNK
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""EXIF orientation → what makes the picture upright."""

logger = logging.getLogger("kyara.images")


def tell_nobody(sentence: str) -> None:
    """Take what is said of a picture, and pass it on to nobody."""


def decode_image(
    data: bytes,
    *,
    formats: tuple[str, ...] = CROP_FORMATS,
    max_pixels: int = MAX_IMAGE_PIXELS,
    enough_px: int | None = None,
    tell: Callable[[str], None] = tell_nobody,
) -> np.ndarray:
    """Decode one picture to pixels: EXIF orientation and colour profile applied, alpha laid on white.

    The format is told by content. Of an animation the first frame is taken. A JPEG or PNG that lacks
    its last bytes is read as browsers read it, if at least half of its rows are there.

    Args:
        data: the file's bytes.
        formats: Pillow names of the formats to accept.
        max_pixels: most pixels (width × height) that the header may declare.
        enough_px: a picture is averaged down by the largest whole number that leaves its longest side
            at least so long; by default it keeps its size.
        tell: called with a sentence about what is wrong with a picture that is read all the same.

    Returns:
        `uint8 (H, W, 3)` sRGB.

    Raises:
        BadInputError: no bytes.
        UnsupportedImageError: not one of `formats`.
        TooLargeError: more than `max_pixels`, a longer side than `MAX_SIDE_PX`, or too many parts.
        BrokenImageError: damaged, or more than half of it is missing.
    """
    if not data:
        raise BadInputError("The picture is empty (0 bytes).")
    declared = measure_image(data, max_pixels=max_pixels)
    if formats == FILE_FORMATS and is_heif(data):
        formats = (open_heif(),)
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
        _check_size(width, height, max_pixels)
        told = (declared.width, declared.height) if declared else None
        if image.size != told and (told or image.format in CROP_FORMATS):
            raise BrokenImageError("The picture's header tells two sizes, or none.")
        times = max(1, max(image.size) // enough_px) if enough_px else 1
        return _unpack(data, image, times, tell)


def measure_image(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Declared | None:
    """Read what a picture's header declares, and refuse it if it would cost too much to decode.

    Args:
        data: the file's bytes.
        max_pixels: most pixels that may be declared.

    Returns:
        The size; None where the format tells none that is sure, or it is not a picture.

    Raises:
        TooLargeError: more than `max_pixels`, a longer side than `MAX_SIDE_PX`, or too many parts.
        UnsupportedImageError: a JPEG that is coded arithmetically.
    """
    declared = inspect_picture(data)
    if declared is not None:
        _check_size(declared.width, declared.height, max_pixels, declared.pixel_bytes)
    return declared


def _check_size(width: int, height: int, max_pixels: int, pixel_bytes: int = 1) -> None:
    if width * height > max_pixels:
        raise TooLargeError(
            f"The picture has {width}×{height} pixels; at most {max_pixels:,} in all are accepted."
        )
    if max(width, height) > MAX_SIDE_PX:
        raise TooLargeError(
            f"The picture has {width}×{height} pixels; at most {MAX_SIDE_PX:,} a side are accepted."
        )
    if width * height * pixel_bytes > 4 * max_pixels:
        raise TooLargeError(
            f"The picture has {width}×{height} pixels of {8 * pixel_bytes} bits; at most "
            f"{4 * max_pixels // pixel_bytes:,} such pixels are accepted: save it with 8 bits a channel."
        )


def _unpack(data: bytes, image: Image.Image, times: int, tell: Callable[[str], None]) -> np.ndarray:
    """Unpack a picture whose sides are divided by `times`, in strips: it is never there three times."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            profile = read_profile(image.info.get("icc_profile") or b"")
            image, rows_there = cut_short.load(data, image)
            width, height = image.size
            pixels = np.empty((-(-height // times), -(-width // times), 3), np.uint8)
            rows = max(1, STRIP_PIXELS // width // times) * times
            for top in range(0, height, rows):
                strip = image.crop((0, top, width, min(height, top + rows)))
                strip = make_srgb(strip, times, profile)
                pixels[top // times :][: strip.height] = np.asarray(strip)
            pixels[-(-rows_there // times) :] = 255
            turn = TURNS.get(find_orientation(image.info))
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
        raise BrokenImageError("The picture is damaged or cut short and cannot be decoded.") from error
    if cut_short.is_cut_short(data):
        tell(cut_short.WARNING)
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def read_image(path: Path, tell: Callable[[str], None] | None = None) -> np.ndarray:
    """Decode a picture file of any of `FILE_FORMATS`, or HEIC.

    Args:
        path: of the file.
        tell: as in `decode_image`; by default it is logged.

    Raises:
        BadInputError: the file cannot be read. Otherwise as `decode_image`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror or error}.") from error
    tell = tell or (lambda sentence: logger.warning("%s: %s", path, sentence))
    return decode_image(data, formats=FILE_FORMATS, max_pixels=4 * MAX_IMAGE_PIXELS, tell=tell)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode `uint8 (H, W, 3)` pixels as PNG without any metadata."""
    return encode_image(Image.fromarray(pixels))


def encode_image(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """Encode a picture of Pillow; the options are those of its format."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
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


def shrink_pixels(pixels: np.ndarray, longest_px: int) -> np.ndarray:
    """Return a picture whose longest side is no longer than this; a smaller one as it is.

    Args:
        pixels: `uint8 (H, W, 3)`.
        longest_px: of the result.
    """
    height, width = pixels.shape[:2]
    if max(width, height) <= longest_px:
        return pixels
    times = longest_px / max(width, height)
    size = max(1, round(width * times)), max(1, round(height * times))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


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


@lru_cache(maxsize=1024)
def inline_picture(path: Path, box: Box | None = None) -> str:
    """Return a small copy of a picture, or of a box in it, as a `data:` address."""
    pixels = read_image(path)
    if box is not None:
        pixels = crop_pixels(pixels, box)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((INLINE_PX, INLINE_PX))
    return make_data_url(encode_image(image, "JPEG", quality=INLINE_QUALITY), "jpeg")


def make_data_url(data: bytes, kind: str = "png") -> str:
    """Return the bytes of a picture as a `data:` address."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def hash_pixels(pixels: np.ndarray) -> str:
    """Return the SHA-256 over shape and pixels (`uint8 (H, W, 3)`) in hexadecimal."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
