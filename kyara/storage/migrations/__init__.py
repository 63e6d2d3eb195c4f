"""How the tables of a schema came to be what they are, and how a database is brought up to date.

A *schema* is a set of tables that one part of Kyara owns: `reports`, `review`, `operators`. Schemas may
share a database or have one each (SQLite files do), so each has a version table of its own,
`alembic_version_<schema>`, and a folder of revisions, `migrations/<schema>/`, which Alembic runs.

To add a schema: declare its tables (a `MetaData`), give its `DatabaseKind` a
`Schema("<schema>", metadata)`, call `database.prepare_tables`, and write `<schema>/0001_first.py`. To
change a table: change the model, and write the next revision by hand,
`<schema>/0003_what_it_does.py`, with `revision = "0003"`, `down_revision = "0002"` and `upgrade()`.
`test_migrations.py` fails, and says what is missing, until models and revisions agree on SQLite and on
PostgreSQL; a new schema is added to its list.

Rules of revisions: they import nothing of Kyara, whose models change later; they form one line;
servers that still run the code before must be able to go on, so a new column may be NULL or has a
default in the database, and what nobody uses any more is dropped one release later. There is no way
down: take a backup.

A database is upgraded when newer code opens it for the first time. One process does it, in one
transaction; others wait. If anything fails the database stays as it was. A schema newer than this code
is refused. Databases of the first releases have no version table: they are recognised by their tables
and columns, the `MARKS` of the revisions of that time, which therefore repair what is half there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select, text

from kyara.errors import BadInputError

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory

FOLDER = Path(__file__).resolve().parent
_LOCK_NUMBER = 0x6B79617261  # "kyara"; of PostgreSQL's advisory locks
_turn = threading.Lock()  # Alembic's operations know one connection at a time


@dataclass(frozen=True)
class Schema:
    """Tables that belong together and are migrated together.

    Attributes:
        name: of the folder of revisions, and in the name of the version table.
        tables: as the newest revision leaves them.
        folder: of the revisions.
        carried_over: tables that were made without revisions, and that a revision carries over.
    """

    name: str
    tables: MetaData
    folder: Path = field(default=FOLDER)
    carried_over: frozenset[str] = frozenset()

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions that this code knows, the oldest first."""
        files = (self.folder / self.name).glob("[0-9]*.py")
        return tuple(sorted(file.stem.split("_")[0] for file in files))

    @property
    def version_table(self) -> Table:
        """The table whose one row names the revision that the database is at."""
        name = f"alembic_version_{self.name}"
        return Table(name, MetaData(), Column("version_num", String(32), primary_key=True))


def upgrade_database(engine: Engine, schema: Schema) -> None:
    """Bring a schema's tables up to date, making those that are not there.

    Raises:
        BadInputError: the database is at a revision that this code does not know.
        sqlalchemy.exc.DBAPIError: it cannot be reached, read or written; it stays as it was.
    """
    newest = schema.revisions[-1]
    with engine.connect() as connection:
        if read_revision(connection, schema) == newest:
            return
    with _turn, _hold_alone(engine) as connection:
        found = read_revision(connection, schema)
        if found is not None and found not in schema.revisions:
            raise BadInputError(
                f"The database {engine.url.render_as_string()} was made by a newer Kyara: the revision "
                f"of {schema.name} is {found}, and this Kyara knows them up to {newest}. Install the "
                "newer Kyara, or name another database."
            )
        if found is None and not _has_any_table(connection, schema):
            schema.tables.create_all(connection)
            version = schema.version_table
            version.create(connection)
            connection.execute(version.insert().values(version_num=newest))
        elif found != newest:  # it is where another process was faster
            _run_revisions(connection, schema, found)


def has_tables(engine: Engine, schema: Schema) -> bool:
    """Tell whether a database has the tables of a schema, of whatever revision.

    Raises:
        sqlalchemy.exc.DBAPIError: it cannot be reached or read.
    """
    with engine.connect() as connection:
        return read_revision(connection, schema) is not None


def read_revision(connection: Connection, schema: Schema) -> str | None:
    """Return the revision that the version table names; None where there is no such table or row."""
    table = schema.version_table
    if not inspect(connection).has_table(table.name):
        return None
    return connection.scalar(select(table.c.version_num))


def _has_any_table(connection: Connection, schema: Schema) -> bool:
    known = schema.carried_over.union(schema.tables.tables)
    return not known.isdisjoint(inspect(connection).get_table_names())


@contextmanager
def _hold_alone(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that one process at a time can be in."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.detach()  # its settings go with it
            # Off, or a table that is made anew under the same name would take its children with it.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        yield connection
        if engine.dialect.name == "sqlite":
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if lost:
                raise BadInputError(f"Rows of {engine.url.database} refer to lost rows: {lost[:3]}.")
        connection.commit()


def _run_revisions(connection: Connection, schema: Schema, found: str | None) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(schema.folder), version_locations=[str(schema.folder / schema.name)])
    context = MigrationContext.configure(
        connection, opts={"version_table": schema.version_table.name, "target_metadata": schema.tables}
    )
    if found is None:
        found = _recognise(connection, scripts)
        if found is not None:
            context.stamp(scripts, found)
    waiting = [script for script in _list_scripts(scripts) if found is None or script.revision > found]
    with Operations.context(context):
        for script in waiting:
            script.module.upgrade()
            context.stamp(scripts, script.revision)
    if (
        connection.dialect.name == "sqlite"
        and connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    ):
        raise BadInputError(
            f"The {schema.name} in {connection.engine.url} refer to rows that are not there."
        )


def _recognise(connection: Connection, scripts: ScriptDirectory) -> str | None:
    """Return the revision at which a database without a version table is; None for before the first."""
    inspector = inspect(connection)
    there = {
        table: {column["name"] for column in inspector.get_columns(table)}
        for table in inspector.get_table_names()
    }
    found = None
    for script in _list_scripts(scripts):
        marks = getattr(script.module, "MARKS", {"": {"unknown"}})
        if any(not columns <= there.get(table, set()) for table, columns in marks.items()):
            break
        found = script.revision
    return found


def _list_scripts(scripts: ScriptDirectory) -> list[Script]:
    """Return the revisions, the oldest first."""
    return list(scripts.walk_revisions())[::-1]
