"""A JPEG or PNG that lacks its last bytes: how much of it is there, and what browsers make of it.

In: the file's bytes, and the picture that Pillow gave up on. Out: the picture with what is there.
Browsers show the rows that have come; the rest of a JPEG is grey, that of a PNG stays clear.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from kyara.vision.structure import JPEG, PNG, PNG_CHANNELS
from kyara.vision.webp import load_webp

WARNING = "The picture is cut short: what is missing was left blank."
_END_OF_JPEG, _SCAN_OF_JPEG = b"\xff\xd9", b"\xff\xda"
_MARKER_OF_JPEG = re.compile(rb"\xff+([^\x00\xff])")
_WITHOUT_BODY = {0x01, *range(0xD0, 0xD9)}
_PIECE_BYTES = 1 << 20


def is_cut_short(data: bytes) -> bool:
    """Tell whether a JPEG or PNG lacks its end; False of any other format.

    Args:
        data: the file's bytes.
    """
    if data.startswith(JPEG):
        return not _has_jpeg_end(data)
    if data.startswith(PNG):
        return not any(kind == b"IEND" for kind, _ in _walk_png(data))
    return False


def _has_jpeg_end(data: bytes) -> bool:
    """Go from marker to marker: what follows the picture, as in a motion photo, is another file."""
    at = 0
    while found := _MARKER_OF_JPEG.search(data, at):
        at, kind = found.end(), data[found.end() - 1]
        if kind == _END_OF_JPEG[1]:
            return True
        if kind not in _WITHOUT_BODY:
            at += int.from_bytes(data[at : at + 2])
    return False


def load(data: bytes, image: Image.Image) -> tuple[Image.Image, int]:
    """Unpack a picture, or what is there of one that lacks its end.

    Args:
        data: the file's bytes.
        image: of Pillow, not loaded yet.

    Returns:
        A picture that is loaded, and how many of its rows are there.

    Raises:
        Exception: as Pillow raises it: the picture is damaged, or too little of it is there.
    """
    if image.format == "WEBP":
        return load_webp(image), image.height
    try:
        image.load()
    except Exception:
        restored = _restore(data, image)
        if restored is None:
            raise
        restored[0].load()
        return restored
    return image, image.height


def _restore(data: bytes, image: Image.Image) -> tuple[Image.Image, int] | None:
    """Return a picture that loads; None if less than half is there, or something else is wrong."""
    if not is_cut_short(data) or getattr(image, "_im", None) is None:
        return None
    if image.format == "PNG":
        rows = _count_png_rows(data)
        image.tile = []  # type: ignore[attr-defined]  # what was decoded is all that there is
        return (image, rows) if 2 * rows >= image.height else None
    if image.info.get("progressive"):
        enough = data.count(_SCAN_OF_JPEG) > 1  # the first scan is whole: a coarse picture
    else:
        image.tile = []  # type: ignore[attr-defined]
        box = image.getbbox()  # Pillow starts with zeros
        enough = box is not None and 2 * box[3] >= image.height
    if not enough:
        return None
    # libjpeg fills up what is missing before the end of the picture with grey
    ended = Image.open(io.BytesIO(data + _END_OF_JPEG), formats=("JPEG",))
    return ended, ended.height


def _count_png_rows(data: bytes) -> int:
    """Count the rows of a PNG whose pixels are all there; 0 of an interlaced one."""
    try:
        width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    except struct.error:
        return 0
    row_bytes = 1 + -(-width * depth * PNG_CHANNELS.get(colour, 4) // 8)
    if interlaced:
        return 0
    unpacker, unpacked = zlib.decompressobj(), 0
    try:
        for kind, body in _walk_png(data):
            left: bytes | memoryview = body if kind == b"IDAT" else b""
            while left and unpacked < height * row_bytes:
                unpacked += len(unpacker.decompress(left, _PIECE_BYTES))
                left = unpacker.unconsumed_tail
    except zlib.error:
        return 0
    return min(height, unpacked // row_bytes)


def _walk_png(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind of each chunk and what is there of its body, not copied."""
    view, at = memoryview(data), len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length
