"""Pictures as the bytes of a file."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encode_image(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    """Encode a picture in memory."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
