"""The first release with operators: accounts, sessions, wrong passwords."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
MARKS = {
    "operators": {"name", "password_hash", "created_at", "changed_at", "last_login_at"},
    "sessions": {"token_sha256", "operator", "created_at"},
    "login_failures": {"subject", "failures", "last_at", "blocked_until"},
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "operators",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("password_hash", sa.String(300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True)),
        if_not_exists=True,
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(64), primary_key=True),
        sa.Column("operator", sa.String(40), sa.ForeignKey("operators.name"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_sessions_operator", "sessions", ["operator"], if_not_exists=True)
    op.create_table(
        "login_failures",
        sa.Column("subject", sa.String(120), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
