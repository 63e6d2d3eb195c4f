"""Options that several commands have, progress on stderr and JSON on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kyara.storage.paths import MODEL_FOLDER
from kyara.vision.languages import LANGUAGES


def stack(*options: Any) -> Any:
    """Return what gives a command several options; in its help they stand in this order."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def path_option(*names: str, metavar: str, help: str, **more: Any) -> Any:
    """Give a command an option that takes a path."""
    return click.option(*names, type=click.Path(path_type=Path), metavar=metavar, help=help, **more)


def models_option(help: str, **more: Any) -> Any:
    """Give a command `--models`."""
    default = {"default": MODEL_FOLDER, "show_default": "model/"}
    return path_option("--models", metavar="FOLDER", help=help, **default, **more)


def near_bits_option(help: str) -> Any:
    """Give a command `--near-bits`."""
    return click.option("--near-bits", default=56, type=click.IntRange(0, 100), help=help)


CACHE_FLAGS = ("--cache", "--bottlenecks", "cache")
cache_option: Any = path_option(
    *CACHE_FLAGS, metavar="FOLDER", help="Cache of embeddings.", default=Path("runs/bottlenecks")
)
json_option: Any = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
language_option: Any = click.option(
    "--language", type=click.Choice(list(LANGUAGES)), default="en", help="Language of the names."
)
model_option: Any = click.option(
    "--model", type=click.Path(path_type=Path), help="A bundle's folder; by default what serves."
)


def show_bar(length: int, label: str) -> Any:
    """Return a progress bar on stderr."""
    return click.progressbar(length=length, label=label, file=sys.stderr)


@contextmanager
def show_progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr; give what is called with how much more is done."""
    with show_bar(length, label) as bar:
        yield bar.update


def is_plain() -> bool:
    """Tell whether what is printed does not go out as Unicode; JSON has another way to write it."""
    return not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=is_plain(), indent=1))
