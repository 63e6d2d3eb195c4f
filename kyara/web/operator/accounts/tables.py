"""The shape of the operators' database, and where it is by default."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kyara.storage.database import DatabaseKind, UtcDateTime
from kyara.storage.migrations import Schema
from kyara.storage.settings import PlaceSettings

DATABASE_FILE = "operators.db"
SECRET_FILE = "secret_key"
MAX_NAME_CHARACTERS = 40


def find_instance() -> Path:
    """Return the folder of what belongs to this installation; `KYARA_INSTANCE_FOLDER` names another."""
    return PlaceSettings.read().instance_folder


class Base(DeclarativeBase):
    """Parent of the operators' tables."""


OPERATORS = DatabaseKind(
    "operators",
    "OPERATOR_DATABASE_URL or DATABASE_URL, and INSTANCE_FOLDER",
    Schema("operators", Base.metadata),
)


class OperatorRow(Base):
    """One account."""

    __tablename__ = "operators"

    name: Mapped[str] = mapped_column(String(MAX_NAME_CHARACTERS), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """One session: a browser that is logged in. The token itself is only in its cookie."""

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator: Mapped[str] = mapped_column(ForeignKey(OperatorRow.name), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FailureRow(Base):
    """Wrong passwords of one subject (an account, an address, a known browser), kept over restarts."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(String(120), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    blocked_until: Mapped[datetime] = mapped_column(UtcDateTime)
