"""The second release: review with history and undo, senders, settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
MARKS = {
    "reports": {"reviewed_label", "reviewed_by", "reviewed_at", "revision"},
    "submissions": {"sender"},
    "review_steps": {"id", "operator", "action", "request", "at", "undoes", "undone_at"},
    "reviews": {"id", "step", "report_id", "before", "after"},
    "settings": {"name", "value"},
}


def upgrade() -> None:
    """Add what is not there: the second release itself may have been cut off while it added."""
    _add_columns(
        "reports",
        sa.Column("reviewed_label", sa.String(200)),
        sa.Column("reviewed_by", sa.String(40)),
        sa.Column("reviewed_at", sa.DateTime(timezone=True)),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    )
    _add_columns("submissions", sa.Column("sender", sa.String(32)))
    op.create_index("ix_submissions_sender", "submissions", ["sender"], if_not_exists=True)
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
        sa.Column("report_id", sa.String(32), sa.ForeignKey("reports.id"), nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_reviews_step", "reviews", ["step"], if_not_exists=True)
    op.create_index("ix_reviews_report_id", "reviews", ["report_id"], if_not_exists=True)
    op.create_table(
        "settings",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        if_not_exists=True,
    )


def _add_columns(table: str, *columns: sa.Column) -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in there:
            op.add_column(table, column)
