"""A library of pictures, their faces, and who these are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "library_roots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.LargeBinary, nullable=False, unique=True),
    )
    op.create_table(
        "library_pictures",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("root", sa.Integer, sa.ForeignKey("library_roots.id"), nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("seen_by", sa.String(120), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missing_since", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text),
        sa.UniqueConstraint("root", "path"),
    )
    op.create_index("ix_library_pictures_size", "library_pictures", ["size"])
    op.create_index("ix_library_pictures_sha256", "library_pictures", ["sha256"])
    op.create_table(
        "library_faces",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "picture",
            sa.Integer,
            sa.ForeignKey("library_pictures.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("x", sa.Integer, nullable=False),
        sa.Column("y", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("label", sa.String(100)),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("answered_by", sa.String(64), nullable=False),
    )
    op.create_index("ix_library_faces_picture", "library_faces", ["picture"])
    op.create_index("ix_library_faces_label", "library_faces", ["label", "confidence"])
    op.create_index("ix_library_faces_answered_by", "library_faces", ["answered_by"])
    op.create_table(
        "library_characters",
        sa.Column("label", sa.String(100), primary_key=True),
        sa.Column("name", sa.JSON, nullable=False),
        sa.Column("work", sa.JSON, nullable=False),
    )
