"""XMP into the pictures themselves: what of a picture's file changes, and where a sidecar has to do.

Nothing else in the file changes (`embedding.py`), and how it was is in a journal first (`rewriting.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kyara.dataset.library.export.edits import Edit, NoRoomError, apply_edits, find_edit
from kyara.dataset.library.export.embedding import open_holder
from kyara.dataset.library.export.sidecars import list_names_beside
from kyara.dataset.library.export.writing import read_file
from kyara.dataset.library.export.xmp import (
    SUBJECTS,
    describe_picture,
    fill_packet,
    read_orientation,
)
from kyara.dataset.library.export.xmp_packet import Packet, read_iptc_keywords
from kyara.dataset.library.reading import LibraryPicture
from kyara.errors import BadInputError, ConflictError


@dataclass(frozen=True)
class Rewrite:
    """A file, and what is to become of it.

    Attributes:
        path: of the file.
        picture: the picture that the file is; None if it is a sidecar.
        old: its content; None if there is none.
        edits: of its content; empty: it stays as it is.
        why: why a sidecar has to do; empty of a picture.
    """

    path: Path
    picture: LibraryPicture | None
    old: bytes | None
    edits: tuple[Edit, ...]
    why: str = ""

    @property
    def state(self) -> str:
        """`new`, `changed` or the `same`."""
        if not self.edits:
            return "same"
        return "new" if self.old is None else "changed"

    @property
    def new(self) -> bytes:
        """The content that the file gets."""
        return apply_edits(self.old or b"", self.edits)


def plan_rewrite(picture: LibraryPicture, language: str) -> Rewrite:
    """Say what is to become of a picture's file, or of its sidecar where the file holds no XMP.

    Args:
        picture: whose faces all have names.
        language: of names and works.

    Raises:
        ConflictError: the file is a link, or another than the library knows.
        BadInputError: XMP that is there cannot be read, or not be written again.
        KyaraError: a file cannot be read.
    """
    path = picture.path
    if path.is_symlink():
        raise ConflictError("it is a link; scan and export the folder where the picture lies")
    data = read_file(path)
    if data is None or hashlib.sha256(data).hexdigest() != picture.sha256:
        raise ConflictError("it has changed since the scan; `kyara scan`, then export again")
    turned = read_orientation(path)
    try:
        edits = _edit_picture(data, picture, turned, language)
    except NoRoomError as error:
        return _plan_sidecar(picture, turned, language, str(error))
    return Rewrite(path, picture, data, tuple(edits))


def _edit_picture(data: bytes, picture: LibraryPicture, turned: int, language: str) -> list[Edit]:
    holder = open_holder(data)
    packet = Packet(holder.packet, is_embedded=True)
    if not packet.read_texts(SUBJECTS) and (keywords := read_iptc_keywords(data)):
        # who finds keywords in XMP does not look for those of IPTC any more
        packet.write_texts(SUBJECTS, keywords)
    fill_packet(packet, picture, turned, language)
    new = packet.encode(embedded=True)
    return [] if new == holder.packet else holder.put(new)


def _plan_sidecar(picture: LibraryPicture, turned: int, language: str, why: str) -> Rewrite:
    path = list_names_beside(picture.path)[0]
    old = read_file(path)
    try:
        new = describe_picture(picture, turned, language, old)
    except BadInputError as error:
        raise BadInputError(f"its sidecar {path.name} is there, and {error}") from error
    edits = () if new == old else (find_edit(old or b"", new),)
    return Rewrite(path, None, old, edits, why)
