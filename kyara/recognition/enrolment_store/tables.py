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
from kyara.storage.migrations import Schema

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
packs = Table(
    "packs",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("author", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("installed_at", Text, nullable=False),
)
"""Packs that are installed; `sha256` is the file's, `network` the fingerprint of the backbone."""
pack_characters = Table(
    "pack_characters",
    _tables,
    Column("pack", Integer, ForeignKey(packs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("label", Text, ForeignKey(characters.c.label), primary_key=True),
    Column("name", Text, nullable=False),
    Column("work", Text, nullable=False),
    Column("mal_id", Integer),
    Column("anilist_id", Integer),
    Column("was_forgotten", Integer, nullable=False),
)
"""Whom a pack brought, and what it says of them; `was_forgotten`: to be hidden again without it."""
pack_crops = Table(
    "pack_crops",
    _tables,
    Column("crop", Integer, ForeignKey(crops.c.id, ondelete="CASCADE"), primary_key=True),
    Column("pack", Integer, ForeignKey(packs.c.id, ondelete="CASCADE"), nullable=False),
    Index("pack_crops_by_pack", "pack"),
)
"""The crops that a pack brought: their `png` is empty."""
TAUGHT = DatabaseKind("taught characters", "DATABASE_URL or TAUGHT_DATABASE", Schema("taught", _tables))
