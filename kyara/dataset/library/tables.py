"""The tables of a library.

A file's name is bytes: not every name is UTF-8, and a database's texts must be. Bytes sort as the walk
through the folders goes (see `walking.py`).
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

EMBEDDING = np.dtype("<f2")
"""Of a face's embedding, as its row has it."""
OPERATOR = "operator"
"""In `answered_by`: a person has said who it is, and no model says otherwise."""
NO_FACE = "not_a_face"
"""Status of a face of which a person has said that it is none."""


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
    next_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the content that an export is about to give the file, which is the same picture then."""
    error: Mapped[str | None] = mapped_column(Text)


class GroupRow(LibraryBase):
    """Faces that look like one character, and who it is if a person has said so.

    Groups that were put together point to the one that stands for all of them: its label counts. So no
    decision moves a face, but for a split, and each can be taken back whatever was scanned since.
    """

    __tablename__ = "library_groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None] = mapped_column(String(MAX_LABEL_CHARACTERS))
    """`NOT_A_FACE` of `recognition.characters`, a character's, or NULL: nobody has said."""
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("library_groups.id"))
    """The group that it is part of."""
    taught: Mapped[list[str] | None] = mapped_column(JSON)
    """Ids of the references that were made of its faces."""


class GroupStepRow(LibraryBase):
    """A decision about groups; what it changed is kept as before and after."""

    __tablename__ = "library_group_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(16))
    operator: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    changes: Mapped[list[Any]] = mapped_column(JSON)
    """`[group, before, after]` each; both are `{"label", "merged_into"}`."""
    undone: Mapped[bool] = mapped_column(Boolean)


class FaceRow(LibraryBase):
    """A face of a picture, and who it is."""

    __tablename__ = "library_faces"
    __table_args__ = (
        Index("ix_library_faces_picture", "picture"),
        Index("ix_library_faces_label", "label", "confidence"),
        Index("ix_library_faces_answered_by", "answered_by"),
        Index("ix_library_faces_group", "face_group"),
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
    """`known`, `probably`, `unknown` or `NO_FACE`."""
    answered_by: Mapped[str] = mapped_column(String(64))
    """The model that said so, and what it had been taught; or `OPERATOR`."""
    face_group: Mapped[int | None]
    """Id of the group that it was put into; NULL: it looks like no other, or was not grouped yet."""


class CharacterRow(LibraryBase):
    """Somebody who is in the library: what people read, by language."""

    __tablename__ = "library_characters"

    label: Mapped[str] = mapped_column(String(MAX_LABEL_CHARACTERS), primary_key=True)
    name: Mapped[dict[str, Any]] = mapped_column(JSON)
    work: Mapped[dict[str, Any]] = mapped_column(JSON)


LIBRARY = DatabaseKind("library", "--library", Schema("library", LibraryBase.metadata))
