"""The journal of reviews, as the second release had it for reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
MARKS = {
    "review_steps": {"id", "operator", "action", "request", "at", "undoes", "undone_at"},
    "reviews": {"id", "step", "report_id", "before", "after"},
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "review_steps",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("operator", sa.String(40), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undoes", sa.String(64)),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        if_not_exists=True,
    )
    op.create_index("ix_review_steps_operator", "review_steps", ["operator"], if_not_exists=True)
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("step", sa.String(64), sa.ForeignKey("review_steps.id"), nullable=False),
        sa.Column("report_id", sa.String(32), nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_reviews_step", "reviews", ["step"], if_not_exists=True)
    op.create_index("ix_reviews_report_id", "reviews", ["report_id"], if_not_exists=True)
