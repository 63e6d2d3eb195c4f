"""The shape of the registry in a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kyara.storage.database import DatabaseKind, UtcDateTime
from kyara.storage.migrations import Schema


class Base(DeclarativeBase):
    """Parent of the registry's tables."""


SERVING = DatabaseKind("promotions", "DATABASE_URL", Schema("serving", Base.metadata))


class ServingRow(Base):
    """One row: how many steps there were. Who changes it holds the registry until the commit."""

    __tablename__ = "serving"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    steps: Mapped[int] = mapped_column(default=0)


class PromotionRow(Base):
    """One step, never changed: a promotion, or a rollback that takes the newest one back."""

    __tablename__ = "promotions"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3 …"""
    step: Mapped[str] = mapped_column(String(16))
    """`promote` or `rollback`."""
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the bundle's manifest, which holds those of its other files."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What else the history says: the operator, a reason, what was undone."""
