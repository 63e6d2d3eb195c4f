"""`pack`: what was taught, in one file for other installations; and theirs, installed and removed."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.fetching import fetch, is_address
from kyara.cli.known import find_label, load_classifier, place_options
from kyara.cli.options import json_option, path_option, print_json
from kyara.errors import BadInputError, TooLargeError
from kyara.storage.atomic import explain_os_error, open_replacement
from kyara.storage.events import TAUGHT, announce

if TYPE_CHECKING:
    from kyara.recognition.pack_install import Arrival, Choice
    from kyara.recognition.packs import Pack

_CHOICES = ("join", "apart", "skip")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def _source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the file or address of a pack, and how much it is trusted."""
    for option in (
        click.option("--allow-urls", is_flag=True, help="Fetch an address from the web."),
        click.option(
            "--sha256",
            metavar="HEX",
            help="The file's SHA-256, as its author published it.",
        ),
        click.argument("source", metavar="FILE|URL"),
    ):
        command = option(command)
    return command


@click.group()
def pack() -> None:
    """Give what was taught to other installations, in files without pictures."""


@pack.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("labels", nargs=-1, metavar="[LABEL]...")
@click.option("--author", required=True, metavar="TEXT", help="Who makes it.")
@click.option("--licence", required=True, metavar="TEXT", help="On which terms, such as CC0-1.0.")
@click.option("--name", metavar="NAME", help="Of the pack.  [default: the file's, without its ending]")
@path_option(
    "--names",
    metavar="FILE",
    help="Names, works, mal_id and anilist_id of labels, as `train --names` reads them.",
)
@place_options
def create(
    file: Path,
    labels: tuple[str, ...],
    author: str,
    licence: str,
    name: str | None,
    names: Path | None,
    models: Path,
    taught: str | None,
    as_json: bool,
) -> None:
    """Write what was taught of the LABELs, or of everybody, into the new FILE.

    It holds names, works, pages at MyAnimeList and AniList, and embeddings, about 1 kB a face; no
    pictures. It fits the model that serves: make it again after a promotion of another network. From
    pictures: `teach` them first. What packs brought is left out.
    """
    from kyara.recognition.characters import read_names
    from kyara.recognition.pack_file import write_pack
    from kyara.recognition.pack_install import make_pack

    classifier = load_classifier(models, taught)
    wanted = [find_label(classifier, label) for label in labels]
    told = read_names(names) if names else None
    made = make_pack(classifier, name or file.stem, author, licence, wanted, told)
    data = write_pack(made)
    try:
        with open_replacement(file, new=True) as written:
            written.write(data)
    except FileExistsError as error:
        raise BadInputError(f"There is a file {file} already.") from error
    except OSError as error:
        raise explain_os_error(error, str(file), "Nothing was written.") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if as_json:
        print_json({**_describe(made), "sha256": sha256, "bytes": len(data), "file": str(file)})
        return
    click.echo(f"{file}: {_say_size(made)}, {len(data):,} bytes, SHA-256 {sha256}")


@pack.command()
@_source_options
@json_option
def show(source: str, sha256: str | None, allow_urls: bool, as_json: bool) -> None:
    """Show what a pack brings; nothing is installed."""
    found = _read(source, sha256, allow_urls=allow_urls)
    if as_json:
        print_json({**_describe(found), "sha256": found.sha256})
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

    found = _read(source, sha256, allow_urls=allow_urls)
    classifier = load_classifier(models, taught)
    arrivals = preview_pack(found, classifier)
    _print_pack(found, err=True)
    _print_arrivals(arrivals)
    choices = _choose(arrivals, collisions, ask=not yes)
    settled = settle(found, arrivals, choices, list_taken(classifier))
    if not yes:
        _check_terminal()
        click.confirm(f"Install {_say_size(settled)}?", abort=True, err=True)
    install_pack(classifier, settled)
    announce(TAUGHT)
    if as_json:
        print_json({**_describe(settled), "sha256": found.sha256})
        return
    click.echo(f"{settled.name} is installed: {_say_size(settled)}.")


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


def _read(source: str, sha256: str | None, *, allow_urls: bool) -> Pack:
    """Read a pack from a file or an address.

    Raises:
        BadInputError: it cannot be had, is no whole pack, or is not the one that was published.
        TooLargeError: it is larger than packs are.
    """
    from kyara.recognition.pack_file import MAX_PACK_BYTES, read_pack

    if sha256 and not _SHA256.fullmatch(sha256):
        raise click.UsageError(f"--sha256 takes 64 hexadecimal digits; received {ascii(sha256)[:80]}.")
    if is_address(source):
        data = fetch(source, allowed=allow_urls, most_bytes=MAX_PACK_BYTES)
    else:
        try:
            with Path(source).open("rb") as file:
                data = file.read(MAX_PACK_BYTES + 1)
        except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
            reason = getattr(error, "strerror", None) or error
            raise BadInputError(f"Cannot read {ascii(source)[:200]}: {reason}.") from error
        if len(data) > MAX_PACK_BYTES:
            raise TooLargeError(f"A pack has at most {MAX_PACK_BYTES:,} bytes; {source} has more.")
    found = hashlib.sha256(data).hexdigest()
    if sha256 and sha256.lower() != found:
        raise BadInputError(f"It is not the pack that was published: its SHA-256 is {found}.")
    return read_pack(data)


def _describe(one: Pack) -> dict[str, Any]:
    """Return a pack as JSON has it."""
    characters = [
        {
            "label": member.character.label,
            "names": dict(member.character.name),
            "works": dict(member.character.work),
            "mal_id": member.character.mal_id,
            "anilist_id": member.character.anilist_id,
            "faces": len(member.features),
        }
        for member in one.characters
    ]
    said = {"name": one.name, "author": one.author, "licence": one.licence, "network": one.network}
    return {**said, "characters": characters}


def _say_size(one: Pack) -> str:
    return f"{one.faces} face(s) of {len(one.characters)} character(s)"


def _print_pack(one: Pack, *, err: bool = False) -> None:
    click.echo(f"{one.name}: {_say_size(one)}, by {one.author}, {one.licence}", err=err)
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
