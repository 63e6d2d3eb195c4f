"""The shape of the database of taught characters, the same in SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from kyara.storage.database import DatabaseKind
from kyara.storage.migrations import Room

_tables = MetaData()
characters = Table(
    "characters",
    _tables,
    Column("label", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("work", Text, nullable=False),
    Column("forgotten", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Index("characters_by_change", "changed"),
)
"""Rows are never deleted. `name` and `work` are JSON, language → text; each change has a number."""
crops = Table(
    "crops",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("label", Text, ForeignKey(characters.c.label), nullable=False),
    Column("png", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    UniqueConstraint("label", "sha256"),
    sqlite_autoincrement=True,  # the id of a forgotten crop is never another's
)
features = Table(
    "features",
    _tables,
    Column("crop", Integer, ForeignKey(crops.c.id, ondelete="CASCADE"), primary_key=True),
    Column("backbone", Text, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
TAUGHT = DatabaseKind("taught characters", "DATABASE_URL or TAUGHT_DATABASE", Room("taught", _tables))
