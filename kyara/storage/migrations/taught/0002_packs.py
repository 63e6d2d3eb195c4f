"""Packs: characters that were taught elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of packs."""
    op.create_table(
        "packs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("licence", sa.Text, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("installed_at", sa.Text, nullable=False),
    )
    op.create_table(
        "pack_characters",
        sa.Column("pack", sa.Integer, sa.ForeignKey("packs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("label", sa.Text, sa.ForeignKey("characters.label"), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("work", sa.Text, nullable=False),
        sa.Column("mal_id", sa.Integer),
        sa.Column("anilist_id", sa.Integer),
        sa.Column("was_forgotten", sa.Integer, nullable=False),
    )
    op.create_table(
        "pack_crops",
        sa.Column("crop", sa.Integer, sa.ForeignKey("crops.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("pack", sa.Integer, sa.ForeignKey("packs.id", ondelete="CASCADE"), nullable=False),
    )
    op.create_index("pack_crops_by_pack", "pack_crops", ["pack"])
