"""`mcp`: the model as tools for a language model."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.options import model_option


@click.command()
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    metavar="FOLDER",
    help="Pictures in it, and in folders in it, may be read; may be repeated. Without it no file may.",
)
@detector_option
@model_option
def mcp(roots: tuple[Path, ...], detector: str | None, model: Path | None) -> None:
    """Serve the model to a language model: the Model Context Protocol, on standard input and output.

    The tools are identify_picture, find_character and list_characters. A picture is a file under a
    --root, or comes as base64; links that lead out of a root are not followed, no address is fetched,
    no picture or answer is written. The database of taught characters is brought up to date where an
    older release made it, and keeps what this model sees in their pictures. A file that is no picture is
    refused, and nothing of it is told.
    """
    from kyara.cli.mcp_server import make_server
    from kyara.cli.mcp_tools import Tools
    from kyara.registry.serving import ServingClassifier

    with Tools(ServingClassifier(model), roots, detector) as tools:
        if sys.stdin.isatty():
            click.echo("A program that speaks MCP is to start this; Ctrl-C ends it.", err=True)
        make_server(tools).run("stdio")
