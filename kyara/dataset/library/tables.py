"""The tables of a library.

A file's name is bytes: not every name is UTF-8, and a database's texts must be. Bytes sort as the walk
through the folders goes (see `walking.py`).
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kyara.recognition.characters import MAX_LABEL_CHARACTERS
from kyara.storage.database import DatabaseKind, UtcDateTime
from kyara.storage.migrations import Schema


class PathBytes(TypeDecorator[str]):
    """A path as Python has it, kept as the bytes that the file system has."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Convert to bytes on the way in."""
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Convert to text on the way out."""
        return None if value is None else os.fsdecode(value)


class LibraryBase(DeclarativeBase):
    """Parent of the library's tables."""


class RootRow(LibraryBase):
    """A folder that was scanned, by its absolute path without links."""

    __tablename__ = "library_roots"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathBytes, unique=True)


class PictureRow(LibraryBase):
    """A picture file, as it was when it was looked at."""

    __tablename__ = "library_pictures"
    __table_args__ = (
        UniqueConstraint("root", "path"),
        Index("ix_library_pictures_size", "size"),
        Index("ix_library_pictures_sha256", "sha256"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    root: Mapped[int] = mapped_column(ForeignKey(RootRow.id))
    path: Mapped[str] = mapped_column(PathBytes)
    """Relative to the root."""
    size: Mapped[int] = mapped_column(BigInteger)
    """In bytes; -1 where the file could not be opened, so that the next scan tries again."""
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the file; empty where it could not be read."""
    width: Mapped[int]
    """Upright, in pixels; 0 where the picture could not be read. So is the height."""
    height: Mapped[int]
    seen_by: Mapped[str] = mapped_column(String(120))
    """What found the faces and made the embeddings: detector and network."""
    scanned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)


class FaceRow(LibraryBase):
    """A face of a picture, and who it is."""

    __tablename__ = "library_faces"
    __table_args__ = (
        Index("ix_library_faces_picture", "picture"),
        Index("ix_library_faces_label", "label", "confidence"),
        Index("ix_library_faces_answered_by", "answered_by"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    picture: Mapped[int] = mapped_column(ForeignKey(PictureRow.id, ondelete="CASCADE"))
    x: Mapped[int]
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    score: Mapped[float] = mapped_column(Double)
    """How sure the detector is; see `kyara.vision.boxes.FoundFace`."""
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    """`float16 (features,)`, little-endian."""
    network: Mapped[str] = mapped_column(String(64))
    """Fingerprint of what made the embedding."""
    label: Mapped[str | None] = mapped_column(String(MAX_LABEL_CHARACTERS))
    """Who it is; NULL where the status is `unknown`."""
    confidence: Mapped[float] = mapped_column(Double)
    """Of the likeliest character, 0 to 1; of an unknown face that of a guess."""
    status: Mapped[str] = mapped_column(String(16))
    """`known`, `probably` or `unknown`."""
    answered_by: Mapped[str] = mapped_column(String(64))
    """The model that said so, and what it had been taught."""


class CharacterRow(LibraryBase):
    """Somebody who is in the library: what people read, by language."""

    __tablename__ = "library_characters"

    label: Mapped[str] = mapped_column(String(MAX_LABEL_CHARACTERS), primary_key=True)
    name: Mapped[dict[str, Any]] = mapped_column(JSON)
    work: Mapped[dict[str, Any]] = mapped_column(JSON)


LIBRARY = DatabaseKind("library", "--library", Schema("library", LibraryBase.metadata))
