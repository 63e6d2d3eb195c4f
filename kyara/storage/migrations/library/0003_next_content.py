"""The content that Kyara itself is about to give a picture's file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; no file is about to change."""
    op.add_column("library_pictures", sa.Column("next_sha256", sa.String(64)))
