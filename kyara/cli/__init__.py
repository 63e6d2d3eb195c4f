"""The command line: one module per command. Exit status 0, 1 (bad input) or 2 (usage)."""

from __future__ import annotations

import io
import sys

import click

import kyara
from kyara.cli.characters import characters
from kyara.cli.collect import collect
from kyara.cli.dataset import dataset
from kyara.cli.doctor import doctor
from kyara.cli.evaluate import evaluate
from kyara.cli.explain import explain
from kyara.cli.export import export
from kyara.cli.features import features
from kyara.cli.groups import groups
from kyara.cli.identify import identify
from kyara.cli.label import label
from kyara.cli.library import library
from kyara.cli.mcp import mcp
from kyara.cli.operator import operator
from kyara.cli.pack import pack
from kyara.cli.promote import promote, rollback
from kyara.cli.reports import reports
from kyara.cli.retrain import retrain
from kyara.cli.scan import scan
from kyara.cli.search import search
from kyara.cli.serve import serve
from kyara.cli.teach import forget, teach
from kyara.cli.train import train
from kyara.errors import KyaraError
from kyara.storage.extras import explain_missing


class _Group(click.Group):
    """Turns a KyaraError, or a missing package of an extra, into one line and the exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # of a terminal that cannot show a name
        try:
            return super().invoke(ctx)
        except KyaraError as error:
            click.echo(f"kyara: {error}", err=True)
        except ModuleNotFoundError as error:
            if not (missing := explain_missing(error)):
                raise
            click.echo(f"kyara: {missing}", err=True)
        ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(kyara.__version__, prog_name="kyara")
def main() -> None:
    """Who is this anime character?"""


for command in (
    serve,
    identify,
    explain,
    characters,
    teach,
    forget,
    pack,
    collect,
    features,
    scan,
    search,
    library,
    groups,
    export,
    label,
    reports,
    dataset,
    train,
    evaluate,
    retrain,
    promote,
    rollback,
    operator,
    mcp,
    doctor,
):
    main.add_command(command)
