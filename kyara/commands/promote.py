"""`promote`: make a candidate the model that serves."""

from __future__ import annotations

from pathlib import Path

import click

from kyara.registry import MODEL_FOLDER, promote_bundle


@click.command()
@click.argument("name")
@click.option("--models", type=click.Path(path_type=Path), default=MODEL_FOLDER, show_default="model/")
def promote(name: str, models: Path) -> None:
    """Make the bundle NAME serve, once it has been loaded and verified."""
    bundle = promote_bundle(name, models)
    click.echo(f"{bundle.name} (version {bundle.version}) serves; restart the site to load it.")
