"""Groups of unknown faces, and what was decided about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of groups; faces have none yet."""
    op.create_table(
        "library_groups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("label", sa.String(100)),
        sa.Column("merged_into", sa.Integer, sa.ForeignKey("library_groups.id")),
        sa.Column("taught", sa.JSON),
    )
    op.create_table(
        "library_group_steps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("operator", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("undone", sa.Boolean, nullable=False),
    )
    op.add_column("library_faces", sa.Column("face_group", sa.Integer))
    op.create_index("ix_library_faces_group", "library_faces", ["face_group"])
