"""Small inputs whose work is large: files of many parts, of many pixels, documents of many values."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
from encoding import chunk, encode_image
from hostile import as_url
from PIL import Image

SIZE_BYTES = 1_000_000
"""Of each picture of many parts, about."""
SQUARE = (4000, 4000)


def save(size: tuple[int, int], kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Encode a picture of one colour."""
    return encode_image(Image.new(mode, size), kind, **options)


def png(size: tuple[int, int], depth: int = 8, colour: int = 2, *, filtered: int = 0) -> bytes:
    """Encode zeros of any depth and kind of colour, every row by the filter of a number."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes([filtered]) + bytes(-(-size[0] * channels * depth // 8))
    head = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0") if colour == 3 else b""
    data = zlib.compress(row * size[1], 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + palette + chunk(b"IDAT", data) + chunk(b"IEND")


def segment(kind: int, body: bytes = b"") -> bytes:
    """Return one segment of a JPEG."""
    return bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body


def directory(entries: int, size_bytes: int) -> bytes:
    """Return EXIF whose entries all claim the same bytes."""
    rows = (struct.pack("<HHII", 0x9000 + number, 7, size_bytes, 8) for number in range(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + b"".join(rows)


def scans(count: int, size: tuple[int, int] = SQUARE) -> bytes:
    """Return a progressive JPEG whose last scan comes so many times again, empty."""
    data = save(size, "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    (length,) = struct.unpack_from(">H", data, at + 2)
    return data[:-2] + data[at : at + 2 + length] * count + data[-2:]


def _fill(part: bytes) -> bytes:
    return part * (SIZE_BYTES // len(part))


def in_jpeg(part: bytes) -> bytes:
    """Return a small JPEG with bytes put behind its beginning."""
    data = save((64, 64), "JPEG")
    return data[:2] + part + data[2:]


def in_png(part: bytes, at: int = 33) -> bytes:
    """Return a small PNG with bytes put behind its header, or elsewhere."""
    data = save((64, 64), "PNG")
    return data[:at] + part + data[at:]


def _in_webp(part: bytes) -> bytes:
    data = save((64, 64), "WEBP", lossless=True, exif=b"II*\0")
    return data[:4] + struct.pack("<I", len(data) - 8 + len(part)) + data[8:] + part


def _in_gif(part: bytes) -> bytes:
    data = save((9, 9), "GIF", "P")
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:at] + part + data[at:]


REFUSED_PICTURES: dict[str, Callable[[], bytes]] = {
    "JPEG of 16,000 scans": lambda: scans(16_000),
    "JPEG of 30 scans": lambda: scans(30),
    "small JPEG of 150 scans": lambda: scans(150, (64, 64)),
    "JPEG of comments": lambda: in_jpeg(_fill(segment(0xFE))),
    "JPEG of application data": lambda: in_jpeg(_fill(segment(0xE5))),
    "JPEG of fill bytes": lambda: in_jpeg(_fill(b"\xff")),
    "JPEG of escaped bytes": lambda: in_jpeg(_fill(b"\xff\0")),
    "JPEG of zeros between markers": lambda: in_jpeg(_fill(b"\0")),
    "JPEG of restarts": lambda: in_jpeg(_fill(b"\xff\xd0")),
    "JPEG of starts": lambda: in_jpeg(_fill(b"\xff\xd8")),
    "JPEG of ends": lambda: in_jpeg(_fill(b"\xff\xd9")),
    "JPEG of extensions": lambda: in_jpeg(_fill(segment(0xF0, bytes(90)))),
    "JPEG of quantisation tables": lambda: in_jpeg(segment(0xDB, bytes(65_000)) * 9),
    "JPEG of Huffman tables": lambda: in_jpeg(segment(0xC4, bytes(65_000)) * 9),
    "JPEG of frames": lambda: in_jpeg(segment(0xC0, bytes(65_000)) * 9),
    "JPEG of Photoshop resources": lambda: in_jpeg(
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_000)
    ),
    "JPEG whose EXIF overlaps": lambda: in_jpeg(segment(0xE1, b"Exif\0\0" + directory(5_000, 60_000))),
    "JPEG whose EXIF is in two": lambda: in_jpeg(
        segment(0xE1, b"Exif\0\0" + directory(5_000, 90_000))
        + segment(0xE1, b"Exif\0\0" + bytes(65_000))
    ),
    "JPEG whose EXIF begins again and again": lambda: in_jpeg(segment(0xE1, b"Exif\0\0" * 10_000)),
    "JPEG whose pages overlap": lambda: in_jpeg(segment(0xE2, b"MPF\0" + directory(5_000, 60_000))),
    "JPEG coded arithmetically": lambda: save((64, 64), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1),
    "JPEG of 65,000 px a side": lambda: save((65_000, 16), "JPEG"),
    "PNG of empty IDAT": lambda: in_png(_fill(chunk(b"IDAT"))),
    "PNG of texts": lambda: in_png(_fill(chunk(b"tEXt", b"a\0b"))),
    "PNG of frames": lambda: in_png(chunk(b"acTL", bytes(8)) + _fill(chunk(b"fcTL", bytes(26)))),
    "PNG of chunks behind the data": lambda: in_png(_fill(chunk(b"tIME", bytes(7))), -12),
    "PNG of compressed texts": lambda: in_png(
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000), 9)) * 99
    ),
    "PNG of a huge profile": lambda: in_png(
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(99_000_000), 9))
    ),
    "PNG of 1 × 16,000,000": lambda: png((1, 16_000_000), 1, 0),
    "PNG of 16,000,000 × 1": lambda: png((16_000_000, 1)),
    "PNG of 16 Mpx of 64 bits": lambda: png(SQUARE, 16, 6),
    "PNG of 16 Mpx of 48 bits": lambda: png(SQUARE, 16, 2),
    "PNG of two headers": lambda: in_png(chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0))),
    "WebP of chunks": lambda: _in_webp(_fill(b"ABCD\0\0\0\0")),
    "WebP of frames": lambda: _in_webp(_fill(b"ANMF\0\0\0\0")),
}
"""Crops that are refused from their structure; made when they are wanted."""

REFUSED_FILES: dict[str, Callable[[], bytes]] = {
    "GIF of sub-blocks": lambda: _in_gif(b"!\xfe" + _fill(b"\1a") + b"\0"),
    "GIF of extensions": lambda: _in_gif(_fill(b"!\xf9\0")),
    "GIF of zeros": lambda: _in_gif(_fill(b"\0")),
    "AVIF of boxes": lambda: save((64, 64), "AVIF") + _fill(b"\0\0\0\x08free"),
    "AVIF of boxes in boxes": lambda: (
        save((64, 64), "AVIF") + struct.pack(">I4s", 160_008, b"moov") + b"\0\0\0\x08free" * 20_000
    ),
    "AVIF whose EXIF overlaps": lambda: save((64, 64), "AVIF") + directory(5_000, 60_000),
    "BMP of run lengths": lambda: _run_lengths(),
}
"""Likewise, of formats that only files may have."""

LARGE_PICTURES: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: png(SQUARE),
    "PNG of filtered RGBA": lambda: png(SQUARE, 8, 6, filtered=4),
    "PNG of 16-bit grey": lambda: png(SQUARE, 16, 0),
    "PNG of a clear palette": lambda: png(SQUARE, 1, 3),
    "PNG of 8 Mpx of 64 bits": lambda: png((2800, 2800), 16, 6, filtered=4),
    "PNG of 500 × 32,000": lambda: png((500, 32_000), 16, 0),
    "JPEG": lambda: save(SQUARE, "JPEG"),
    "progressive CMYK JPEG": lambda: save(SQUARE, "JPEG", "CMYK", progressive=True),
    "JPEG of 24 scans": lambda: scans(14),
    "WebP": lambda: save(SQUARE, "WEBP", "RGBA", lossless=True, method=0),
    "animated WebP": lambda: _animate(),
}
"""The largest crops that are taken; each decodes to 16 Mpx or nearly."""


def _animate() -> bytes:
    frames = [Image.new("RGBA", SQUARE, (shade, 0, 0, 9)) for shade in range(2)]
    moving = {"save_all": True, "append_images": frames[1:]}
    return encode_image(frames[0], "WEBP", lossless=True, method=0, **moving)


def _run_lengths() -> bytes:
    data = bytearray(save((9, 9), "BMP", "P"))
    data[30] = 1
    return bytes(data) + b"\1\1" * 600_000


def documents() -> dict[str, bytes]:
    """Return JSON that costs far more than it is long, or breaks what walks through it."""
    deep = b'{"crops":' + b"[" * 900 + b"]" * 900 + b"}"
    return {
        "a million numbers": b'{"crops":[' + b"0," * 1_000_000 + b"0]}",
        "a million lists": b'{"crops":[' + b"[]," * 700_000 + b"[]]}",
        "a million objects": b'{"crops":[' + b"{}," * 700_000 + b"{}]}",
        "a million texts": b'{"crops":[' + b'"",' * 700_000 + b'""]}',
        "a hundred thousand names": json.dumps({f"key{n}": n for n in range(100_000)}).encode(),
        "a long name": json.dumps({"x" * 1_000_000: 1}).encode(),
        "a long text": json.dumps({"label": "x" * 1_000_000}).encode(),
        "900 levels": deep,
        "40 levels": b'{"token":' + b'{"a":' * 40 + b"1" + b"}" * 41,
        "100,000 levels": b"[" * 100_000,
        "objects of 100,000 levels": b'{"a":' * 100_000,
        "UTF-16": '{"crops": []}'.encode("utf-16"),
        "a number of 5,000 digits": b'{"top_k":' + b"9" * 5_000 + b"}",
        "half a text": b'{"crops": ["' + b"A" * 1_000_000,
    }


def noise_url(side_px: int, seed: int) -> str:
    """Return a PNG of noise as a data URL: nothing is smaller than its pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), np.uint8)
    return as_url(encode_image(pixels, "PNG"))
