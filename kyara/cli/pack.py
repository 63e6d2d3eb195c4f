"""`pack`: what was taught, in one file for other installations; and theirs, installed and removed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.known import load_classifier, place_options
from kyara.cli.options import json_option, print_json, stack
from kyara.cli.pack_create import create
from kyara.cli.pack_reading import describe_pack, read_source, say_size
from kyara.errors import BadInputError
from kyara.storage.events import TAUGHT, announce

if TYPE_CHECKING:
    from kyara.recognition.pack_install import Arrival, Choice
    from kyara.recognition.packs import Pack

_CHOICES = ("join", "apart", "skip")


_source_options: Any = stack(
    click.argument("source", metavar="FILE|URL"),
    click.option("--sha256", metavar="HEX", help="The file's SHA-256, as its author published it."),
    click.option("--allow-urls", is_flag=True, help="Fetch an address from the web."),
)
"""The file or address of a pack, and how much it is trusted."""


@click.group()
def pack() -> None:
    """Give what was taught to other installations, in files without pictures."""


@pack.command()
@_source_options
@json_option
def show(source: str, sha256: str | None, allow_urls: bool, as_json: bool) -> None:
    """Show what a pack brings; nothing is installed."""
    found = read_source(source, sha256, allow_urls=allow_urls)
    if as_json:
        print_json({**describe_pack(found), "sha256": found.sha256})
        return
    _print_pack(found)
    for one in found.characters:
        who = one.character
        names = ", ".join(dict.fromkeys(who.name.values())) or who.name_in("en")
        work = f" — {who.work_in('en')}" if who.work else ""
        pages = "".join(f", {page}" for page in (who.page_url, who.anilist_url) if page)
        click.echo(f"{who.label}: {names}{work}, {len(one.features)} face(s){pages}")


@pack.command()
@_source_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--collisions",
    type=click.Choice(_CHOICES),
    help="What becomes of characters that may be somebody who is known here: they are the same (join), "
    "others (apart), or left out (skip).  [default: ask; with --yes refuse]",
)
@place_options
def install(
    source: str,
    sha256: str | None,
    allow_urls: bool,
    yes: bool,
    collisions: str | None,
    models: Path,
    taught: str | None,
    as_json: bool,
) -> None:
    """Install a pack: its characters are answered from then on, by a running site too.

    What it brings and whom it collides with is shown first. A character with the label of one who is
    known here is the same; its faces are added. `remove` takes exactly what it brought away again.
    """
    from kyara.recognition.pack_install import install_pack, list_taken, preview_pack, settle

    found = read_source(source, sha256, allow_urls=allow_urls)
    classifier = load_classifier(models, taught)
    arrivals = preview_pack(found, classifier)
    _print_pack(found, err=True)
    _print_arrivals(arrivals)
    choices = _choose(arrivals, collisions, ask=not yes)
    settled = settle(found, arrivals, choices, list_taken(classifier))
    if not yes:
        _check_terminal()
        click.confirm(f"Install {say_size(settled)}?", abort=True, err=True)
    install_pack(classifier, settled)
    announce(TAUGHT)
    if as_json:
        print_json({**describe_pack(settled), "sha256": found.sha256})
        return
    click.echo(f"{settled.name} is installed: {say_size(settled)}.")


@pack.command("list")
@place_options
def list_installed(models: Path, taught: str | None, as_json: bool) -> None:
    """List the packs that are installed."""
    from kyara.recognition.pack_install import describe_packs

    found = describe_packs(load_classifier(models, taught))
    if as_json:
        print_json({"packs": found})
        return
    for one in found:
        asleep = "" if one["fits"] else "; made for another network, not answered"
        click.echo(
            f"{one['name']}: {one['faces']} face(s) of {one['characters']} character(s), by "
            f"{one['author']}, {one['licence']}, since {one['installed_at']}{asleep}"
        )
    if not found:
        click.echo("No pack is installed.")


@pack.command()
@click.argument("name")
@place_options
def remove(name: str, models: Path, taught: str | None, as_json: bool) -> None:
    """Take away what the pack NAME brought, and nothing that was taught by others."""
    from kyara.recognition.pack_install import remove_pack

    characters, faces = remove_pack(load_classifier(models, taught), name)
    announce(TAUGHT)
    if as_json:
        print_json({"name": name, "characters": characters, "faces": faces})
        return
    click.echo(f"{name} is removed: {faces} face(s) of {characters} character(s).")


def _print_pack(one: Pack, *, err: bool = False) -> None:
    click.echo(f"{one.name}: {say_size(one)}, by {one.author}, {one.licence}", err=err)
    click.echo(f"network {one.network}, SHA-256 {one.sha256}", err=err)


def _print_arrivals(arrivals: Sequence[Arrival]) -> None:
    """Tell on stderr who is new, who gets more faces, and who collides."""
    from kyara.recognition.pack_install import count_arrivals, say_collision

    counts = count_arrivals(arrivals)
    hidden = counts["hidden"]
    back = f", {hidden} of whom were forgotten here and come back" if hidden else ""
    click.echo(
        f"new: {counts['new']}; more faces of somebody known: {counts['joining']}{back}", err=True
    )
    for one in arrivals:
        if one.collides:
            click.echo(f"collides: {say_collision(one)}", err=True)


def _choose(arrivals: Sequence[Arrival], collisions: str | None, *, ask: bool) -> dict[str, Choice]:
    """Return what becomes of each character that collides: as was said, or as is answered."""
    from kyara.recognition.pack_install import Choice, say_collision

    colliding = [one for one in arrivals if one.collides]
    if collisions:
        return {one.brought.character.label: Choice(collisions) for one in colliding}
    if not (ask and sys.stdin.isatty()):
        return {}
    kinds = click.Choice(_CHOICES)
    return {
        one.brought.character.label: Choice(
            click.prompt(say_collision(one), type=kinds, default="skip", err=True)
        )
        for one in colliding
    }


def _check_terminal() -> None:
    """Refuse to ask where nobody can answer.

    Raises:
        BadInputError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise BadInputError("There is no terminal to ask at: look at what is shown, and add --yes.")


pack.add_command(create)
