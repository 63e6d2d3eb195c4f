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
    unique = sa.inspect(op.get_bind()).get_unique_constraints("reports")
    names = [found["name"] for found in unique if found["column_names"] == ["file"]]
    if op.get_bind().dialect.name == "sqlite":
        # made anew without it, also where it was declared in a way that is not read back
        with op.batch_alter_table("reports", naming_convention=_NAMES, recreate="always") as table:
            if names:
                table.drop_constraint("uq_reports_file", type_="unique")
    else:
        for name in filter(None, names):
            op.drop_constraint(name, "reports", type_="unique")
    op.create_index("ix_reports_file", "reports", ["file"])
    op.create_index("ix_reports_pixels_sha256", "reports", ["pixels_sha256"])
