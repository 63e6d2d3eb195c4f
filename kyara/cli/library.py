"""`library`: what is in a library."""

from __future__ import annotations

import os

import click

from kyara.cli.identify_output import echo
from kyara.cli.library_options import library_option
from kyara.cli.options import json_option, language_option, print_json
from kyara.recognition.characters import choose_text
from kyara.storage.paths import show_path


@click.group()
def library() -> None:
    """See what is in a library of pictures; `scan` makes one, `search` looks into it."""


@library.command()
@library_option
@click.option("--limit", type=click.IntRange(1), default=50, help="Most characters that are listed.")
@language_option
@json_option
def show(place: str, limit: int, language: str, as_json: bool) -> None:
    """Count the pictures and faces of a library, and list who is in it, the most frequent first."""
    from kyara.dataset.library.contents import count_library, list_roots
    from kyara.dataset.library.reading import Library

    with Library.open(place) as opened:
        counts = count_library(opened.engine)
        folders = [show_path(path) for path in list_roots(opened.engine)]
        frequent = opened.count_characters(limit)
        characters = opened.read_characters()  # afterwards: a scan may add some meanwhile
    entries = [
        {
            "label": label,
            "name": choose_text(characters[label].name, language) or None,
            "work": choose_text(characters[label].work, language) or None,
            "pictures": pictures,
        }
        for label, pictures in frequent
    ]
    if as_json:
        print_json({"folders": folders, **counts, "characters": entries})
        return
    for folder in folders:
        echo(folder)
    echo(
        f"{counts['pictures']} pictures, {counts['missing']} missing, {counts['unreadable']} unreadable"
    )
    echo(
        f"{counts['faces']} faces: {counts['known']} known, {counts['probably']} probably, "
        f"{counts['unknown']} unknown"
    )
    for entry in entries:
        work = f" — {entry['work']}" if entry["work"] else ""
        echo(f"{entry['pictures']:6}  {entry['name'] or entry['label']}{work} ({entry['label']})")


@library.command()
@click.argument("folder", type=click.Path())
@library_option
@json_option
def forget(folder: str, place: str, as_json: bool) -> None:
    """Forget a FOLDER that was scanned, and all its pictures; it need not be there any more.

    Folders inside it that were scanned go, too. Nothing in any folder is changed.
    """
    from kyara.dataset.library.contents import forget_root
    from kyara.dataset.library.opening import open_library
    from kyara.dataset.library.scanning import hold_library
    from kyara.dataset.library.sources import is_bucket, read_folder_name

    with open_library(place) as engine, hold_library(engine, place):
        also = [] if is_bucket(folder) else [os.path.abspath(folder)]
        forgotten = forget_root(engine, *also, read_folder_name(folder))
    if as_json:
        print_json({"forgotten": forgotten})
    else:
        echo(f"{forgotten} pictures were forgotten.")
