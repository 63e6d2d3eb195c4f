"""Reports of the same picture under different labels share its file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
_NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
"""What SQLite's constraint, which has no name, is called while the table is made anew."""


def upgrade() -> None:
    """Let several reports name one file."""
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("reports", naming_convention=_NAMES) as table:
            table.drop_constraint("uq_reports_file", type_="unique")
    else:
        for found in sa.inspect(op.get_bind()).get_unique_constraints("reports"):
            if found["column_names"] == ["file"] and found["name"]:
                op.drop_constraint(found["name"], "reports", type_="unique")
    op.create_index("ix_reports_file", "reports", ["file"])
    op.create_index("ix_reports_pixels_sha256", "reports", ["pixels_sha256"])
