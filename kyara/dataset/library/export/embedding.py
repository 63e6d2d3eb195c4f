"""XMP inside a picture: where it lies in JPEG, PNG, WebP and TIFF, and how it gets there.

In: a picture file's bytes. Out: edits of those bytes; all else in the file stays as it is, to the byte.
exiv2 would write all of a file's metadata anew, and loses some texts of PNG on the way, so it writes
TIFF alone, where nothing but offsets can be moved by hand; what it has written is compared.

Source: Adobe, "XMP specification", part 3: storage in files; "WebP Container Specification".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kyara.dataset.library.export.edits import Edit, NoRoomError
from kyara.dataset.library.export.tiff import edit_tiff, read_tiff_packet

_JPEG, _PNG, _TIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*")
_JPEG_XMP, _JPEG_EXIF = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0"
_MAX_SEGMENT = 0xFFFF - 2
_PNG_XMP = b"XML:com.adobe.xmp\0"
_MAX_PACKET_BYTES = 100_000_000
_WEBP_HAS_XMP, _WEBP_HAS_ALPHA = 0x04, 0x10


@dataclass(frozen=True)
class Holder:
    """A picture that XMP can be written into.

    Attributes:
        packet: the XMP in it; None if there is none.
        put: a packet of XMP → the edits that make it the picture's. Raises `NoRoomError`.
    """

    packet: bytes | None
    put: Callable[[bytes], list[Edit]]


@dataclass(frozen=True)
class _Piece:
    """A segment or chunk of a file: `data[start:end]`, whose content begins at `body`."""

    kind: bytes
    start: int
    body: int
    end: int


def open_holder(data: bytes) -> Holder:
    """Return where a picture has its XMP.

    Args:
        data: the file's bytes.

    Raises:
        NoRoomError: such a file holds none, or it cannot be told where.
    """
    try:
        if data.startswith(_JPEG):
            return _open_jpeg(data)
        if data.startswith(_PNG):
            return _open_png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _open_webp(data)
    except (struct.error, IndexError, ValueError, zlib.error) as error:
        raise NoRoomError("it is damaged") from error
    if data.startswith(_TIFF):
        packet = read_tiff_packet(data)
        return Holder(packet, lambda new: edit_tiff(data, new))
    raise NoRoomError("files of its kind hold no XMP")


def _find_one(pieces: Sequence[_Piece]) -> _Piece | None:
    """Return the piece that has the XMP.

    Raises:
        NoRoomError: there are several: nobody can tell which one counts.
    """
    if len(pieces) > 1:
        raise NoRoomError("it has XMP more than once")
    return pieces[0] if pieces else None


def _replace(data: bytes, old: _Piece | None, at: int, new: bytes) -> list[Edit]:
    """Return the edits that take a piece away and put another one in."""
    edits = [Edit(at, b"", new)]
    if old is not None:
        edits = [Edit(old.start, data[old.start : old.end], new)]
    return edits


def _open_jpeg(data: bytes) -> Holder:
    segments = list(_walk_jpeg(data))
    own = _find_one([one for one in segments if data.startswith(_JPEG_XMP, one.body)])
    if own is not None and any(
        data.startswith(b"MPF\0", one.body) and one.start < own.start for one in segments
    ):
        raise NoRoomError("it has further pictures behind it that would no longer be found")
    first = [one for one in segments if one.kind == b"\xe0" or data.startswith(_JPEG_EXIF, one.body)]
    at = max((one.end for one in first), default=2)

    def put(packet: bytes) -> list[Edit]:
        body = _JPEG_XMP + packet
        if len(body) > _MAX_SEGMENT:
            raise NoRoomError(f"a JPEG holds {_MAX_SEGMENT:,} bytes of XMP, and this is more")
        return _replace(data, own, at, b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)

    return Holder(None if own is None else data[own.body + len(_JPEG_XMP) : own.end], put)


def _walk_jpeg(data: bytes) -> Iterator[_Piece]:
    """Give the segments before the first scan."""
    at = 2
    while True:
        start = at
        if data[at] != 0xFF:
            raise ValueError("no marker where one has to be")
        while data[at] == 0xFF:  # any number of them may stand before a marker
            at += 1
        kind = data[at : at + 1]
        if kind in (b"\xda", b"\xd9"):
            return
        (size,) = struct.unpack_from(">H", data, at + 1)
        if size < 2 or at + 1 + size > len(data):
            raise ValueError("a segment that does not end")
        yield _Piece(kind, start, at + 3, at + 1 + size)
        at += 1 + size


def _open_png(data: bytes) -> Holder:
    chunks = list(_walk_png(data))
    texts = [one for one in chunks if one.kind == b"iTXt"]
    own = _find_one([one for one in texts if data.startswith(_PNG_XMP, one.body)])
    at = next(one.end for one in chunks if one.kind == b"IHDR")

    def put(packet: bytes) -> list[Edit]:
        chunk = b"iTXt" + _PNG_XMP + b"\0\0\0\0" + packet
        framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return _replace(data, own, at, framed)

    return Holder(None if own is None else _read_png_text(data[own.body : own.end - 4]), put)


def _walk_png(data: bytes) -> Iterator[_Piece]:
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise ValueError("a chunk that does not end")
        yield _Piece(kind, at, at + 8, end)
        at = end


def _read_png_text(content: bytes) -> bytes:
    is_compressed = content[len(_PNG_XMP)]
    text = content[len(_PNG_XMP) + 2 :].split(b"\0", 2)[2]  # behind a language and a translated keyword
    if not is_compressed:
        return text
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(text, _MAX_PACKET_BYTES)
    if not unpacker.eof:
        raise ValueError("a text that does not end")
    return unpacked


def _open_webp(data: bytes) -> Holder:
    (size,) = struct.unpack_from("<I", data, 4)
    end = 8 + size
    if size % 2 or end > len(data):
        raise ValueError("a file that does not end")
    chunks = list(_walk_webp(data, end))
    first = chunks[0]
    own = _find_one([one for one in chunks if one.kind == b"XMP "])

    def put(packet: bytes) -> list[Edit]:
        chunk = b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
        edits = [*_extend_webp(data, first), *_replace(data, own, end, chunk)]
        grown = size + sum(len(edit.inserted) - len(edit.removed) for edit in edits)
        return [Edit(4, data[4:8], struct.pack("<I", grown)), *edits]

    packet = None
    if own is not None:
        (length,) = struct.unpack_from("<I", data, own.start + 4)
        packet = data[own.body : own.body + length]
    return Holder(packet, put)


def _walk_webp(data: bytes, end: int) -> Iterator[_Piece]:
    at = 12
    while at < end:
        kind, size = struct.unpack_from("<4sI", data, at)
        after = at + 8 + size + size % 2
        if after > end:
            raise ValueError("a chunk that does not end")
        yield _Piece(kind, at, at + 8, after)
        at = after


def _extend_webp(data: bytes, first: _Piece) -> list[Edit]:
    """Return the edits after which the file's head says that there is XMP."""
    body = first.body
    if first.kind == b"VP8X":
        flags = data[body]
        return [Edit(body, data[body : body + 1], bytes([flags | _WEBP_HAS_XMP]))]
    flags = _WEBP_HAS_XMP
    if first.kind == b"VP8L" and data[body] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, body + 1)
        width, height = bits & 0x3FFF, bits >> 14 & 0x3FFF  # less one, as the head has it, too
        flags |= _WEBP_HAS_ALPHA if bits >> 28 & 1 else 0
    elif first.kind == b"VP8 " and data[body + 3 : body + 6] == b"\x9d\x01\x2a":
        width, height = ((side & 0x3FFF) - 1 for side in struct.unpack_from("<HH", data, body + 6))
    else:
        raise ValueError("no picture where one has to be")
    sides = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return [Edit(first.start, b"", b"VP8X" + struct.pack("<IB3x", 10, flags) + sides)]
