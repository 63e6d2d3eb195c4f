"""The first release in which characters were taught."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
MARKS = {
    "characters": {"label", "name", "work", "forgotten", "changed"},
    "crops": {"id", "label", "png", "sha256", "created_at"},
    "features": {"crop", "backbone", "vector"},
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "characters",
        sa.Column("label", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("work", sa.Text, nullable=False),
        sa.Column("forgotten", sa.Integer, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        if_not_exists=True,
    )
    op.create_index("characters_by_change", "characters", ["changed"], if_not_exists=True)
    op.create_table(
        "crops",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("label", sa.Text, sa.ForeignKey("characters.label"), nullable=False),
        sa.Column("png", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.UniqueConstraint("label", "sha256"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "features",
        sa.Column("crop", sa.Integer, sa.ForeignKey("crops.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("backbone", sa.Text, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
