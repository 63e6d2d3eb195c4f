"""Report crops as PNG files that carry their whole report, and the names of those files."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kyara.errors import BadInputError
from kyara.vision.images import decode_image, encode_image

CHUNK_KEYWORD = "kyara-report"
"""Keyword of the iTXt chunk that holds the report as JSON."""
_FILE_NAME = re.compile(r"(?P<stem>.+)-(?P<id>[0-9a-f]{32})\.png")


def check_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels unchanged.

    Raises:
        BadInputError: not `uint8 (H, W, 3)` with at least one pixel.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise BadInputError(
            f"A crop is uint8 (H, W, 3) with pixels; received {pixels.dtype} {pixels.shape}."
        )
    return pixels


def encode_report(pixels: np.ndarray, details: dict[str, Any]) -> bytes:
    """Encode a crop as PNG that carries its report.

    Args:
        pixels: `uint8 (H, W, 3)`.
        details: the report as a JSON object; kept in one iTXt chunk, UTF-8.
    """
    chunks = PngInfo()
    chunks.add_itxt(CHUNK_KEYWORD, json.dumps(details, ensure_ascii=False))
    return encode_image(Image.fromarray(pixels), pnginfo=chunks)


def decode_report(data: bytes) -> tuple[np.ndarray, dict[str, Any]]:
    """Return what `encode_report` was given; no details (`{}`) where the PNG carries none.

    Raises:
        KyaraError: not a whole PNG.
    """
    pixels = decode_image(data, formats=("PNG",))
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            details = json.loads(image.info.get(CHUNK_KEYWORD, "{}"))
    except (ValueError, TypeError, RecursionError):
        return pixels, {}
    return pixels, details if isinstance(details, dict) else {}


def file_name(stem: str, report_id: str) -> str:
    """Return `<stem>-<id>.png`."""
    return f"{stem}-{report_id}.png"


def parse_file_name(name: str) -> tuple[str, str] | None:
    """Return `(stem, id)` of a finished or a half-written file, None where it is not a report's."""
    if name.startswith(".") and name.endswith(".part"):
        name = name[1 : -len(".part")]
    match = _FILE_NAME.fullmatch(name)
    return (match["stem"], match["id"]) if match else None
