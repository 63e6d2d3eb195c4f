"""XMP inside a TIFF: read and written by exiv2, and compared with what was there."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from kyara.dataset.library.export.edits import Edit, NoRoomError, find_edit
from kyara.dataset.library.export.xmp_packet import load_exiv2

_XMP, _PACKET = 700, "Exif.Image.XMLPacket"
_MOVED = frozenset({273, 324, 330, 34665, 34853, 40965})
"""Tags that say where something is: strips, tiles, and directories of further tags."""
_WITHIN = (34665, 34853)
"""Directories of Exif and of its GPS."""


def read_tiff_packet(data: bytes) -> bytes | None:
    """Return the XMP of a TIFF; None if there is none.

    Raises:
        NoRoomError: exiv2 cannot read it.
    """
    exiv2, tags = load_exiv2(), _open(data).exifData()
    place = tags.findKey(exiv2.ExifKey(_PACKET))  # what exiv2 calls the packet, it has written anew
    return None if place == tags.end() else bytes(place.value().data())


def edit_tiff(data: bytes, packet: bytes) -> list[Edit]:
    """Return the edits that make a packet the XMP of a TIFF.

    Raises:
        NoRoomError: exiv2 cannot write it, or something else would change.
    """
    image, exiv2 = _open(data), load_exiv2()
    try:
        image.setXmpPacket(packet.decode())
        image.writeXmpFromPacket(True)
        image.writeMetadata()
    except exiv2.Exiv2Error as error:
        raise NoRoomError(f"it cannot be written ({error.args[-1]})") from error
    new = bytes(image.io().mmap())
    if not _is_same(data, new):
        raise NoRoomError("something else in it would change")
    return [find_edit(data, new)]


def _open(data: bytes) -> Any:
    exiv2 = load_exiv2()
    try:
        image = exiv2.ImageFactory.open(data)
        image.readMetadata()
    except exiv2.Exiv2Error as error:
        raise NoRoomError(f"it cannot be read ({error.args[-1]})") from error
    return image


def _is_same(old: bytes, new: bytes) -> bool:
    """Tell whether two TIFFs have the same pages and the same tags but for XMP."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd tags, and of many pixels
        try:
            return all(pages[0] == pages[1] for pages in zip(_read(old), _read(new), strict=True))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return False


def _read(data: bytes) -> Iterator[tuple[bytes, str]]:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            exif = image.getexif()
            tables = [exif, *(exif.get_ifd(one) for one in _WITHIN)]
            tags = [
                {tag: value for tag, value in table.items() if tag not in _MOVED and tag != _XMP}
                for table in tables
            ]
            yield np.asarray(image).tobytes(), repr([sorted(table.items()) for table in tags])
