"""Migrations: models and revisions agree, one process upgrades alone, a failure changes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from command_line import ROOT
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, inspect, text

from kyara.dataset.library.tables import LIBRARY
from kyara.dataset.review.reports.tables import REPORT_JOURNAL, REPORTS
from kyara.errors import BadInputError
from kyara.recognition.enrolment_store.tables import TAUGHT
from kyara.registry.tables import SERVING
from kyara.storage.database import DatabaseKind, open_database, prepare_tables
from kyara.storage.migrations import FOLDER, Schema, read_revision, upgrade_database
from kyara.web.operator.accounts.tables import OPERATORS

KINDS = [REPORTS, REPORT_JOURNAL, OPERATORS, TAUGHT, SERVING, LIBRARY]

OpenEngine = Callable[[str], Engine]


@pytest.fixture
def open_engine() -> Iterator[OpenEngine]:
    opened: list[Engine] = []

    def open_one(url: str) -> Engine:
        opened.append(open_database(url, REPORTS))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.dispose()


def run_revisions(engine: Engine, schema: Schema) -> None:
    """Make a schema's tables by its revisions, as where a database is found half made."""
    version = schema.version_table
    version.create(engine)
    upgrade_database(engine, replace(schema, tables=version.metadata))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.schema.name)
@pytest.mark.parametrize("make", [run_revisions, upgrade_database], ids=["revisions", "models"])
def test_models_and_revisions_agree(database_url, open_engine: OpenEngine, kind: DatabaseKind, make):
    engine = open_engine(database_url)
    make(engine, kind.schema)
    options = {"version_table": kind.schema.version_table.name, "compare_server_default": True}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, kind.schema.tables) == []
        assert read_revision(connection, kind.schema) == kind.schema.revisions[-1]


def test_revisions_form_one_line_and_are_numbered():
    from alembic.script import ScriptDirectory

    for kind in KINDS:
        folder = FOLDER / kind.schema.name
        scripts = ScriptDirectory(str(FOLDER), version_locations=[str(folder)])
        found = [script.revision for script in scripts.walk_revisions()][::-1]
        assert found == [f"{number:04}" for number in range(1, len(found) + 1)]
        assert tuple(found) == kind.schema.revisions


def test_all_rooms_fit_into_one_database(database_url, open_engine: OpenEngine):
    engine = open_engine(database_url)
    for _ in range(2):
        for kind in KINDS:
            prepare_tables(engine, kind)
    names = [
        name for kind in KINDS for name in (*kind.schema.tables.tables, kind.schema.version_table.name)
    ]
    assert sorted(inspect(engine).get_table_names()) == sorted(names)


FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
MARKS = {"faces": {"id"}}
def upgrade():
    op.create_table("faces", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("faces", sa.Column("name", sa.String(20)))
"""
BROKEN = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("INSERT INTO faces (id, name) VALUES (2, 'half')")
    op.drop_column("faces", "name")
    op.execute("SELECT * FROM nowhere")
"""


def make_schema(folder: Path, *revisions: str) -> Schema:
    """Return a schema of invented tables, whose models are as its newest revision leaves them."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "cast").mkdir(parents=True)
    for number, source in enumerate(revisions, start=1):
        (folder / "cast" / f"{number:04}_step.py").write_text(source)
    tables = MetaData()
    columns = [Column("id", Integer, primary_key=True)]
    columns += [Column("name", String(20))] if len(revisions) > 1 else []
    Table("faces", tables, *columns)
    return Schema("cast", tables, folder)


def test_an_older_schema_is_upgraded_and_keeps_its_rows(database_url, open_engine, tmp_path):
    engine = open_engine(database_url)
    upgrade_database(engine, make_schema(tmp_path / "rooms", FIRST))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO faces VALUES (1)"))
    upgrade_database(engine, make_schema(tmp_path / "rooms", FIRST, SECOND))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, name FROM faces")).all() == [(1, None)]


def test_a_newer_schema_is_refused_in_one_sentence(database_url, open_engine, tmp_path):
    engine = open_engine(database_url)
    upgrade_database(engine, make_schema(tmp_path / "rooms", FIRST, SECOND))
    with pytest.raises(BadInputError, match="newer Kyara: the revision of cast is 0002") as told:
        upgrade_database(engine, make_schema(tmp_path / "rooms", FIRST))
    assert (engine.url.password or "no password") not in str(told.value)


def test_a_migration_that_fails_leaves_the_database_as_it_was(database_url, open_engine, tmp_path):
    engine = open_engine(database_url)
    upgrade_database(engine, make_schema(tmp_path / "rooms", FIRST))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO faces VALUES (1)"))
    schema = make_schema(tmp_path / "rooms", FIRST, SECOND, BROKEN)
    kind = DatabaseKind("cast", "CAST_URL", schema)
    with pytest.raises(BadInputError, match=r"The database of cast .*nowhere.*check CAST_URL"):
        prepare_tables(engine, kind)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM faces")).all() == [(1,)]
        assert read_revision(connection, schema) == "0001"
    upgrade_database(engine, make_schema(tmp_path / "rooms", FIRST, SECOND))


START = """
import sys
from pathlib import Path
from sqlalchemy import MetaData
from kyara.storage.database import open_database
from kyara.storage.migrations import Schema, upgrade_database
from kyara.dataset.library.tables import LIBRARY
from kyara.dataset.review.reports.tables import REPORTS

engine = open_database(sys.argv[1], REPORTS)
print("ready", flush=True)
sys.stdin.readline()
for schema in (Schema("cast", MetaData(), Path(sys.argv[2])), REPORTS.schema):
    upgrade_database(engine, schema)
engine.dispose()
"""


def test_processes_that_start_at_once_upgrade_once(database_url, open_engine, tmp_path):
    upgrade_database(open_engine(database_url), make_schema(tmp_path / "rooms", FIRST))
    make_schema(tmp_path / "rooms", FIRST, SECOND)  # a second time it would say that the column is there
    command = [sys.executable, "-c", START, database_url, str(tmp_path / "rooms")]
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint
    columns = inspect(open_engine(database_url)).get_columns("faces")
    assert [column["name"] for column in columns] == ["id", "name"]
