"""The second release: what was decided, senders, settings. Its journal is the room `review`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
MARKS = {
    "reports": {"reviewed_label", "reviewed_by", "reviewed_at", "revision"},
    "submissions": {"sender"},
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
