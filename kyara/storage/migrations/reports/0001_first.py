"""The first release: reports, submissions, and how much room they take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
MARKS = {
    "reports": {"id", "label", "file", "file_bytes", "pixels_sha256", "state", "count", "file_missing"},
    "submissions": {"token", "report_id", "note", "created_at", "withdrawn_at"},
    "storage": {"id", "bytes"},
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "reports",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("file", sa.String(120), nullable=False, unique=True),
        sa.Column("file_bytes", sa.BigInteger, nullable=False),
        sa.Column("pixels_sha256", sa.String(64)),
        sa.Column("predicted", sa.String(200)),
        sa.Column("confidence", sa.Double),
        sa.Column("model_version", sa.String(100)),
        sa.Column("box", sa.JSON),
        sa.Column("note", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("adopted", sa.Boolean, nullable=False),
        sa.Column("file_missing", sa.Boolean, nullable=False),
        sa.UniqueConstraint("label", "pixels_sha256", name="one_report_per_label_and_pixels"),
        if_not_exists=True,
    )
    op.create_index("reports_by_state", "reports", ["state", "created_at"], if_not_exists=True)
    op.create_table(
        "submissions",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("report_id", sa.String(32), sa.ForeignKey("reports.id"), nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        if_not_exists=True,
    )
    op.create_index("ix_submissions_report_id", "submissions", ["report_id"], if_not_exists=True)
    op.create_table(
        "storage",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
