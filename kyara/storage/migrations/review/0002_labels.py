"""One journal for reports and collected faces; what an older `labels.db` holds is carried over."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_TIME = sa.DateTime(timezone=True)
_steps = sa.table(
    "review_steps",
    *(sa.column(name) for name in ("id", "operator", "action", "request", "undoes")),
    sa.column("at", _TIME),
    sa.column("undone_at", _TIME),
)
_reviews = sa.table(
    "reviews",
    *(sa.column(name) for name in ("id", "step", "report_id")),
    sa.column("before", sa.JSON),
    sa.column("after", sa.JSON),
)
_ACTIONS = """SELECT actions.*, taken.id AS taken, undo.at AS undone_at,
    (SELECT after FROM decisions WHERE action = actions.number LIMIT 1) AS label FROM actions
    LEFT JOIN actions AS taken ON taken.number = actions.undoes
    LEFT JOIN actions AS undo ON undo.undoes = actions.number ORDER BY actions.number"""
_DECISIONS = """SELECT decisions.number, actions.id AS step, face, before, after FROM decisions
    JOIN actions ON actions.number = decisions.action ORDER BY decisions.number"""


def upgrade() -> None:
    """Let items be faces too, add the characters that operators made, and carry `labels.db` over."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("ALTER TABLE reviews DROP CONSTRAINT IF EXISTS reviews_report_id_fkey")
    with op.batch_alter_table("reviews") as batch:
        batch.alter_column("report_id", type_=sa.String(200))
    characters = op.create_table(
        "new_characters",
        sa.Column("label", sa.String(100), primary_key=True),
        sa.Column("name", sa.JSON, nullable=False),
        sa.Column("work", sa.JSON, nullable=False),
        sa.Column("operator", sa.String(40), nullable=False),
        sa.Column("at", _TIME, nullable=False),
    )
    if not sa.inspect(connection).has_table("actions"):
        return
    for row in connection.execute(sa.text("SELECT * FROM characters")).mappings().all():
        texts = {name: json.loads(row[name]) for name in ("name", "work")}
        connection.execute(characters.insert().values({**row, **texts, "at": _read(row["at"])}))
    for row in connection.execute(sa.text(_ACTIONS)).mappings().all():
        kind = "undo" if row["taken"] else _describe(row["label"])["action"]
        values = {name: row[name] for name in ("id", "operator", "request")}
        times = {name: _read(row[name]) for name in ("at", "undone_at")}
        connection.execute(
            _steps.insert().values({**values, **times, "action": kind, "undoes": row["taken"]})
        )
    for row in connection.execute(sa.text(_DECISIONS)).mappings().all():
        verdicts = {name: _describe(row[name])["verdict"] for name in ("before", "after")}
        keys = {"id": row["number"], "step": row["step"], "report_id": row["face"]}
        connection.execute(_reviews.insert().values({**keys, **verdicts}))
    for name in ("decisions", "actions", "characters"):
        op.drop_table(name)
    op.execute("PRAGMA user_version = 2")  # an older Kyara says that it cannot read this file


def _describe(label: str | None) -> dict:
    """Return how a face with a label stands, and the decision that made it so."""
    if label is None:
        return {"action": "reopen", "verdict": {"state": "pending", "label": None}}
    if label == "not_a_face":
        return {"action": "not_a_face", "verdict": {"state": "rejected", "label": label}}
    return {"action": "correct", "verdict": {"state": "accepted", "label": label}}


def _read(time: str | None) -> datetime | None:
    return datetime.fromisoformat(time) if time else None
