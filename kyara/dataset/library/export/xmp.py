"""XMP sidecars `picture.jpg.xmp`: face regions with names, and keywords, for digiKam and Immich.

What another program has written into a sidecar stays. What we write is marked in a namespace of our own,
so that the next export replaces it and nothing else.

Sources: Metadata Working Group, "Guidelines for handling image metadata 2.0", section 5.9 (regions);
Adobe, "XMP specification", part 2 (dc, lr); digiKam, `digiKam:TagsList`, where "/" parts the levels.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO

from PIL import Image

from kyara.dataset.library.export.choosing import list_names, name_face
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import NewFile, read_file
from kyara.dataset.library.export.xmp_packet import Area, Packet, Region
from kyara.dataset.library.reading import LibraryPicture
from kyara.dataset.library.sources import find_source, is_bucket
from kyara.errors import BadInputError, UnavailableError
from kyara.storage.paths import show_path
from kyara.vision.structure import find_orientation

SUBJECTS = "Xmp.dc.subject"
HIERARCHY = "Xmp.lr.hierarchicalSubject"
TAGS = "Xmp.digiKam.TagsList"
OURS = {SUBJECTS: "Xmp.kyara.Subjects", HIERARCHY: "Xmp.kyara.Hierarchy", TAGS: "Xmp.kyara.Tags"}
"""List of keywords -> the list of those in it that we have written."""
SAME_FACE = 0.5
"""Least intersection over union at which somebody else's region is of the same face."""
_TURN_BACK: dict[int, Callable[[float, float], tuple[float, float]]] = {
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (y, 1 - x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (1 - y, x),
}
"""Exif orientation -> a point of the upright picture, as shares of its sides, in the stored one."""


def make_xmp(pictures: Sequence[LibraryPicture], target: Target) -> Iterator[NewFile]:
    """Give a sidecar for each picture; what is in one that is there stays in it.

    Raises:
        BadInputError: one that is there cannot be read, or not be written again.
        KyaraError: a file cannot be read.
    """
    for picture in pictures:
        path = target.place_beside(picture, f"{picture.path.name}.xmp")
        old = read_file(path)
        turned = read_orientation(picture.path)
        try:
            content = describe_picture(picture, turned, target.language, old)
        except BadInputError as error:
            raise BadInputError(
                f"{path} is there, and {error}. Move it away, then export again."
            ) from error
        yield NewFile(path, content, keeps=True)


def describe_picture(picture: LibraryPicture, turned: int, language: str, old: bytes | None) -> bytes:
    """Return a picture's sidecar.

    Args:
        picture: whose faces all have names.
        turned: its Exif orientation, 1 to 8.
        language: of names and works.
        old: the sidecar that is there; None if there is none.

    Raises:
        BadInputError: the sidecar that is there cannot be read, or not be written again.
    """
    packet = Packet(old)
    fill_packet(packet, picture, turned, language)
    return packet.encode()


def fill_packet(packet: Packet, picture: LibraryPicture, turned: int, language: str) -> None:
    """Put who is in a picture into its XMP, in place of what we have put there before.

    Args:
        packet: what the XMP says.
        picture: whose faces all have names.
        turned: its Exif orientation, 1 to 8.
        language: of names and works.
    """
    theirs = [region for region in packet.regions if not region.is_ours]
    faces = [
        (face, name_face(face, language), find_area(face.box, picture.width, picture.height, turned))
        for face in picture.faces
    ]
    corrected = [region for region in theirs if region.is_corrected]
    believed = tuple(
        face
        for face, name, area in faces
        if all(region.name == name for region in corrected if _is_same_face(area, region))
    )
    names = list_names(replace(picture, faces=believed), language)
    _merge(packet, SUBJECTS, [text for name, work in names for text in (name, work) if text])
    _merge(packet, HIERARCHY, [_join("|", name, work) for name, work in names])
    _merge(packet, TAGS, [_join("/", name, work) for name, work in names], ordered=True)
    named = [region for region in theirs if region.name]
    ours = [
        (name, face.label or "", area)
        for face, name, area in faces
        if not any(_is_same_face(area, region) for region in named)
    ]
    sides = picture.width, picture.height
    packet.write_regions(theirs, ours, *(sides if turned < 5 else sides[::-1]))


def read_orientation(path: Path) -> int:
    """Return how a picture is stored: its Exif orientation, 1 to 8; 1 where none is told.

    Raises:
        UnavailableError: it lies in a bucket, and cannot be read.
    """
    return _read_far_orientation(str(path)) if is_bucket(path) else _read_orientation(path)


@cache  # a file is made twice, and an object need not be fetched twice
def _read_far_orientation(path: str) -> int:
    try:
        data = find_source(path).read(path)[1]
    except OSError as error:
        raise UnavailableError(
            f"{show_path(path)} cannot be read ({error.strerror}). Nothing was written."
        ) from error
    return _read_orientation(io.BytesIO(data))


def _read_orientation(file: Path | IO[bytes]) -> int:
    with warnings.catch_warnings(), suppress(OSError, ValueError, SyntaxError):
        warnings.simplefilter("ignore")  # it is not unpacked, however many pixels it has
        with suppress(Image.DecompressionBombError), Image.open(file) as image:
            return find_orientation(image.info)
    return 1


def find_area(box: tuple[int, int, int, int], width: int, height: int, turned: int) -> Area:
    """Return where a box of an upright picture lies in the stored one, as MWG regions have it.

    Args:
        box: x, y, width and height in pixels of the upright picture.
        width: of the upright picture, in pixels.
        height: likewise.
        turned: Exif orientation, 1 to 8.
    """
    x, y, wide, high = box
    centre = (x + wide / 2) / width, (y + high / 2) / height
    share_x, share_y = wide / width, high / height
    if turned in _TURN_BACK:
        centre = _TURN_BACK[turned](*centre)
    return (*centre, share_x, share_y) if turned < 5 else (*centre, share_y, share_x)


def measure_overlap(a: Area, b: Area) -> float:
    """Return intersection over union, 0 to 1."""
    shared = 1.0
    for axis in (0, 1):
        start = max(a[axis] - a[axis + 2] / 2, b[axis] - b[axis + 2] / 2)
        end = min(a[axis] + a[axis + 2] / 2, b[axis] + b[axis + 2] / 2)
        shared *= max(0.0, end - start)
    union = a[2] * a[3] + b[2] * b[3] - shared
    return shared / union if union > 0 else 0.0


def _is_same_face(area: Area, region: Region) -> bool:
    return region.area is not None and measure_overlap(area, region.area) >= SAME_FACE


def _merge(packet: Packet, key: str, wanted: Sequence[str], *, ordered: bool = False) -> None:
    """Put keywords into a list, in place of those that we have put there before."""
    before = set(packet.read_texts(OURS[key]))
    theirs = [text for text in packet.read_texts(key) if text not in before]
    added = [text for text in dict.fromkeys(wanted) if text not in theirs]
    packet.write_texts(key, [*theirs, *added], ordered=ordered)
    packet.write_texts(OURS[key], added)


def _join(sign: str, name: str, work: str) -> str:
    """Join the levels of a keyword: `Vocaloid|Hatsune Miku`.

    digiKam reads a backslash as the "/" of a name; where a name has a "|", nothing can be said, so it
    becomes "/".
    """
    other = "\\" if sign == "/" else "/"
    return sign.join(text.replace(sign, other) for text in (work, name) if text)
