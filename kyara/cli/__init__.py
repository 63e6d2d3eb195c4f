"""The command line: one module per command. Exit status 0, 1 (bad input) or 2 (usage)."""

from __future__ import annotations

import io
import sys
from importlib import import_module

import click

import kyara
from kyara.errors import KyaraError
from kyara.storage.extras import explain_missing

_COMMANDS = (
    *("characters", "collect", "dataset", "doctor", "evaluate", "explain", "export", "features"),
    *("forget", "groups", "identify", "label", "library", "mcp", "operator", "pack", "promote"),
    *("reports", "retrain", "rollback", "scan", "search", "serve", "teach", "train"),
)
_MODULES = {"forget": "teach", "rollback": "promote"}
"""Of commands that share a module; the others have one of their own name."""


class _Group(click.Group):
    """Loads a command when it is asked for: what the others import takes longer than most commands.

    A KyaraError, or a missing package of an extra, becomes one line and the exit status 1.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"{__name__}.{_MODULES.get(cmd_name, cmd_name)}")
        return getattr(module, cmd_name)

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
