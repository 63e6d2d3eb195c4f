"""What a picture file is made of, counted before any decoder sees it. Bytes in; its declared size out.

A decoder's time grows with the parts of a file, not only with its pixels: scans, markers, chunks, boxes.
Each count has a bound far above what real files have. The pass is linear; it looks at headers alone and
leaves finding faults to the decoder.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kyara.errors import TooLargeError, UnsupportedImageError

MAX_PARTS = 1_000
"""Markers of a JPEG; chunks, blocks and boxes of others beyond what `BYTES_PER_PART` allows."""
BYTES_PER_PART = 1024
"""PNG and WebP may have one chunk more for so many bytes; libpng's chunks have 8 KiB."""
MAX_PADDING_BYTES = 4_096
"""Bytes between the markers of a JPEG's header that belong to none."""
MAX_TABLE_BYTES = 65_536
"""Of quantisation, Huffman and frame tables of a JPEG together; a usual one has 1 kB."""
MAX_RESOURCES = 200
"""Of Photoshop, in one marker of a JPEG."""
MAX_DIRECTORIES = 10
MAX_SCANS = 100
MAX_SCANNED_PIXELS = 400_000_000
"""Pixels times scans of a JPEG: 25 scans of 16 Mpx; usual progressive ones have 10."""
MAX_RUN_LENGTH_BYTES = 1_000_000
"""Of a run-length coded BMP, which Pillow decodes in Python."""

_TIFF = (b"II*\0", b"MM\0*")
PNG, JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a")
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_MARKER_AFTER_SCAN = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_EOI, _SOS, _APP1, _APP2, _APP13, _COM = 0xD9, 0xDA, 0xE1, 0xE2, 0xED, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xDE}
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})  # no data at all may cost a second a scan
_TABLES = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDF}
_SEGMENTS = _TABLES | {_SOS, _COM, *range(0xE0, 0xF0)}
_BOXES_WITHIN = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0}
_BOXES_WITHIN |= {b"stbl": 0, b"iinf": 6}
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_TIFF_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)


@dataclass(frozen=True)
class Declared:
    """What a file's header says of its pixels.

    Attributes:
        width: in pixels, before any turn by EXIF.
        height: likewise.
        pixel_bytes: of one pixel as the file's own decoder unpacks it.
    """

    width: int
    height: int
    pixel_bytes: int = 3

    @property
    def pixels(self) -> int:
        return self.width * self.height


def inspect_picture(data: bytes) -> Declared | None:
    """Count the parts of a PNG, JPEG, WebP, GIF, BMP, AVIF, HEIC or TIFF file.

    Returns:
        The declared size of a PNG, JPEG or WebP; None of another format, or where no size stands.

    Raises:
        TooLargeError: more parts than real files have.
        UnsupportedImageError: a JPEG that is coded arithmetically.
    """
    try:
        if data.startswith(PNG):
            return _inspect_png(data)
        if data.startswith(JPEG):
            return _inspect_jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _inspect_webp(data)
        if data.startswith(_GIF):
            _count_gif_blocks(data)
        elif data.startswith(b"BM") and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
            if len(data) > MAX_RUN_LENGTH_BYTES:
                raise _too_many("run-length coded bytes", MAX_RUN_LENGTH_BYTES)
        elif data[4:8] == b"ftyp":
            _count_boxes(data)
        elif data.startswith(_TIFF):
            _check_directory(data)
    except (struct.error, IndexError):  # cut short: the decoder will say so
        pass
    return None


def _too_many(what: str, most: int) -> TooLargeError:
    return TooLargeError(
        f"The picture is made of too many parts: more than {most:,} {what}. Save it anew and send that."
    )


def _inspect_png(data: bytes) -> Declared | None:
    at, most = len(PNG), MAX_PARTS + len(data) // BYTES_PER_PART
    for _ in range(most):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            break
        at += 12 + length
    else:
        raise _too_many("chunks", most)
    if data[12:16] != b"IHDR":
        return None
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    return Declared(width, height, -(-depth * PNG_CHANNELS.get(colour, 4) // 8))


def _inspect_webp(data: bytes) -> Declared | None:
    at, most = 12, MAX_PARTS + len(data) // BYTES_PER_PART
    for _ in range(most):
        if at + 8 > len(data):
            break
        (length,) = struct.unpack_from("<I", data, at + 4)
        at += 8 + length + length % 2
    else:
        raise _too_many("chunks", most)
    kind = data[12:16]
    if kind == b"VP8X":
        wide, high = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Declared(wide, high, 4)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Declared((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 4)
    if kind == b"VP8 ":
        wide, high = struct.unpack_from("<HH", data, 26)
        return Declared(wide & 0x3FFF, high & 0x3FFF, 4)
    return None


def _inspect_jpeg(data: bytes) -> Declared | None:
    size: Declared | None = None
    table_bytes = padding = 0
    exif, pages, at = b"", b"", 2
    for kind, start, end in _walk_jpeg(data, _MARKER, at):
        padding += start - 2 - at
        at = end
        table_bytes += (end - start) if kind in _TABLES else 0
        if kind in _ARITHMETIC:
            raise UnsupportedImageError("This JPEG is coded arithmetically, which no browser reads.")
        if kind in _FRAMES:
            height, width, components = struct.unpack_from(">HHB", data, start + 3)
            size = Declared(width, height, components)
        elif kind == _APP1 and data.startswith(b"Exif\0\0", start + 2):
            exif += data[start + (8 if exif else 2) : end]
        elif kind == _APP2 and data.startswith(b"MPF\0", start + 2):
            pages = data[start + 6 : end]
        elif kind == _APP13 and data.count(b"8BIM", start, end) > MAX_RESOURCES:
            raise _too_many("Photoshop resources", MAX_RESOURCES)
        if table_bytes > MAX_TABLE_BYTES:
            raise _too_many("bytes of tables", MAX_TABLE_BYTES)
        if padding > MAX_PADDING_BYTES or kind == _SOS:
            break
    else:
        padding += len(data) - at
    if padding > MAX_PADDING_BYTES:
        raise _too_many("bytes of padding", MAX_PADDING_BYTES)
    for directory in (exif, pages):
        _check_directory(directory)
    if size:
        _count_scans(data, at, size)
    return size


def _count_scans(data: bytes, at: int, size: Declared) -> None:
    """Count the scans after the first, at the end of whose header this begins."""
    most = max(1, min(MAX_SCANS, MAX_SCANNED_PIXELS // max(1, size.pixels)))
    if data.count(b"\xff\xda", at) < most:
        return
    more = 1  # what follows the picture, such as a film, may hold the same bytes: go by the markers
    for kind, *_ in _walk_jpeg(data, _MARKER_AFTER_SCAN, at):
        more += kind == _SOS
        if kind == _EOI:
            return
        if more > most:
            raise _too_many("scans for so many pixels", most)


def _walk_jpeg(data: bytes, marker: re.Pattern[bytes], at: int) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each marker, and start and end of what belongs to it.

    Args:
        data: of the file.
        marker: which bytes are one: before the first scan as Pillow reads, after it as libjpeg does.
        at: where to begin.
    """
    for _ in range(MAX_PARTS):
        found = marker.search(data, at)
        if found is None:
            return
        kind, start = found[1][0], found.end()
        at = start + (struct.unpack_from(">H", data, start)[0] if kind in _SEGMENTS else 0)
        yield kind, start, at
    raise _too_many("markers", MAX_PARTS)


def _check_directory(block: bytes) -> None:
    """Refuse a TIFF directory (of EXIF, or of several pictures) that claims more bytes than there are.

    Each entry may point at the same bytes, and Pillow would keep a copy for each.
    """
    at = 0
    while block.startswith(b"Exif\0\0", at):
        at += 6
        if at > 6 * MAX_DIRECTORIES:  # Pillow copies the rest for each
            raise _too_many("EXIF headers", MAX_DIRECTORIES)
    order = {b"II": "<", b"MM": ">"}.get(block[at : at + 2])
    if order is None:
        return
    try:
        (first,) = struct.unpack_from(f"{order}I", block, at + 4)
        (count,) = struct.unpack_from(f"{order}H", block, at + first)
        claimed = 0
        for entry in range(count):
            kind, values = struct.unpack_from(f"{order}HI", block, at + first + 4 + 12 * entry)
            claimed += values * (_TIFF_TYPE_BYTES[kind] if kind < len(_TIFF_TYPE_BYTES) else 0)
            if claimed > len(block) + MAX_PADDING_BYTES:
                raise _too_many("bytes of tags", len(block))
    except struct.error:  # cut short
        return


def find_orientation(info: Mapping[Any, Any]) -> int:
    """Return a picture's orientation by EXIF, else by XMP: 1 to 8, 1 where none is told.

    Pillow's own reader follows every entry, wherever it points to; this looks at one.

    Args:
        info: `Image.info` of Pillow.
    """
    block = info.get("exif")
    if block is None and (text := str(info.get("Raw profile type exif", ""))):
        try:
            block = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            block = None
    if isinstance(block, bytes) and (found := _read_orientation(block.removeprefix(b"Exif\0\0"))):
        return found
    xmp = info.get("XML:com.adobe.xmp") or info.get("xmp") or b""
    told = _XMP_ORIENTATION.search(xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp)
    return int(told[1]) if told else 1


def _read_orientation(block: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 0
    try:
        (first,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, first)
        for at in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", block, at)
            if tag == _ORIENTATION_TAG:
                return value if (kind, values) == (_SHORT, 1) else 0
    except struct.error:  # cut short
        pass
    return 0


def _count_gif_blocks(data: bytes) -> None:
    """Count the blocks in front of the first frame, which is the one that is decoded."""
    most = MAX_PARTS + len(data) // BYTES_PER_PART
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    in_block = False
    for _ in range(most):
        if in_block:
            in_block = data[at] > 0
            at += data[at] + 1
        elif data[at] in b",;":
            return
        else:  # Pillow passes over what is no block
            in_block = data[at] == 0x21
            at += 2 if in_block else 1
    raise _too_many("blocks", most)


def _count_boxes(data: bytes) -> None:
    """Count the boxes of an AVIF file, those inside others included, and look at its EXIF."""
    waiting, count = [(0, len(data))], 0
    while waiting:
        at, end = waiting.pop()
        while at + 8 <= end:
            count += 1
            if count > MAX_PARTS:
                raise _too_many("boxes", MAX_PARTS)
            length, kind = struct.unpack_from(">I4s", data, at)
            if length == 1:
                (length,) = struct.unpack_from(">Q", data, at + 8)
            if (inside := _BOXES_WITHIN.get(kind)) is not None:
                waiting.append((at + 8 + inside, min(end, at + length)))
            at += length if length >= 8 else end
    for order in (b"II*\0", b"MM\0*"):
        at, found = data.find(order), 0
        while at >= 0:
            found += 1
            if found > MAX_DIRECTORIES:
                raise _too_many("EXIF headers", MAX_DIRECTORIES)
            _check_directory(data[at : at + MAX_TABLE_BYTES])
            at = data.find(order, at + 1)
