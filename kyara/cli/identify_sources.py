"""What `identify` is asked about: files, folders, `-` (standard input) and addresses → files to look at.

What comes from elsewhere is kept in a temporary folder, under an ending that tells what it is.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from kyara.cli.fetching import MAX_FETCHED_BYTES, fetch, is_address
from kyara.cli.identify_output import Failures
from kyara.cli.identify_video import is_video
from kyara.errors import BadInputError, KyaraError, TooLargeError
from kyara.storage.paths import show_path
from kyara.vision.picture_files import is_picture_file
from kyara.vision.video import VIDEO_SUFFIXES

STANDARD_INPUT = "-"
NOT_READ = frozenset(
    ".jxl .jp2 .j2k .svg .psd .xcf .ico .tga .ppm .pgm .pnm .dds .exr .dng .cr2 .nef .arw".split()
)
"""Files of pictures that nothing here reads."""
MAX_NAME_CHARACTERS = 60
_NAMED = 3
"""So many of the files that are left out are named."""
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"RIFF....WEBP", ".webp"),
    (b"RIFF....AVI ", ".avi"),
    (b"....ftypavi", ".avif"),
    (b"....ftyp(?:hei|hev|mif1|msf1)", ".heic"),
    (b"....ftyp", ".mp4"),
    (b"\x1aE\xdf\xa3", ".mkv"),
    (b"BM", ".bmp"),
    (rb"II\*\0|MM\0\*", ".tif"),
    (b"OggS", ".ogv"),
    (b"FLV", ".flv"),
)
"""How files begin, and their ending."""


@dataclass(frozen=True)
class Source:
    """One file to look at.

    Attributes:
        path: where it is.
        name: what it is called in what is printed.
    """

    path: Path
    name: str


@dataclass
class Sources:
    """Everything that is looked at.

    Attributes:
        pictures: in the order in which they were named.
        videos: likewise, animations included.
        is_kept: each is a file that is there afterwards, too.
    """

    pictures: list[Source] = field(default_factory=list)
    videos: list[Source] = field(default_factory=list)
    is_kept: bool = True

    def add(self, source: Source, *, whole: bool) -> None:
        """Add a file, as a picture or as a video."""
        moves = not whole and is_video(source.path)
        (self.videos if moves else self.pictures).append(source)


@contextmanager
def open_sources(
    named: Iterable[str], failures: Failures, *, whole: bool, allow_urls: bool
) -> Iterator[Sources]:
    """Find what is named; what comes from elsewhere is gone at the end.

    Args:
        named: files, folders, `-`, addresses.
        failures: what cannot be had.
        whole: videos are taken for pictures, which they are not.
        allow_urls: addresses are fetched.

    Raises:
        BadInputError: a folder has no pictures.
    """
    sources = Sources()
    with tempfile.TemporaryDirectory(prefix="kyara-identify-") as folder:
        for number, name in enumerate(named):
            if name != STANDARD_INPUT and not is_address(name):
                path = Path(name)
                if path.is_dir():  # of an animation in it the first frame counts
                    sources.pictures += [Source(one, str(one)) for one in _list_pictures(path)]
                else:
                    sources.add(Source(path, str(path)), whole=whole)
                continue
            sources.is_kept = False
            try:
                data = _read_elsewhere(name, allow_urls=allow_urls)
            except KyaraError as error:
                failures.tell(name, str(error))
                continue
            path = Path(folder) / str(number) / f"{_name_file(name)}{guess_suffix(data)}"
            path.parent.mkdir()
            path.write_bytes(data)
            sources.add(Source(path, name), whole=whole)
        yield sources


def _name_file(name: str) -> str:
    """Return what the file of a source from elsewhere is called: people read sentences about it."""
    if name == STANDARD_INPUT:
        return "standard input"
    return PurePosixPath(unquote(urlsplit(name).path)).stem[:MAX_NAME_CHARACTERS] or "picture"


def guess_suffix(data: bytes) -> str:
    """Return the ending of a file's name, by how its content begins; empty if nothing is known of it."""
    found = (suffix for begins, suffix in _BEGINNINGS if re.match(begins, data, re.DOTALL))
    return next(found, "")


def _read_elsewhere(name: str, *, allow_urls: bool) -> bytes:
    if name == STANDARD_INPUT:
        data = sys.stdin.buffer.read(MAX_FETCHED_BYTES + 1)
        if len(data) > MAX_FETCHED_BYTES:
            raise TooLargeError(f"Standard input has more than {MAX_FETCHED_BYTES:,} bytes.")
        if not data:
            raise BadInputError("Standard input is empty (0 bytes).")
        return data
    return fetch(name, allowed=allow_urls)


def _list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder; what it leaves out is told.

    Raises:
        BadInputError: there are none.
    """
    files = sorted(folder.rglob("*"))
    pictures = [path for path in files if is_picture_file(path)]
    left_out = (VIDEO_SUFFIXES | NOT_READ) - {".gif"}
    others = [
        path.name
        for path in files
        if path.suffix.lower() in left_out and not path.name.startswith("._") and path.is_file()
    ]
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        sentence = "Of a folder only pictures are read; name a video itself."
        names = ", ".join(map(show_path, others[:_NAMED]))
        Failures.warn(str(folder), f"{names}{more} left out. {sentence}")
    if not pictures:
        raise BadInputError(f"The folder {show_path(folder)} has no pictures.")
    return pictures
