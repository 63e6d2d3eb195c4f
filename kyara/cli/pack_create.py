"""`pack create`: a pack of what was taught, or an old one made again for the model that serves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.known import find_label, load_classifier, place_options
from kyara.cli.options import path_option, print_json
from kyara.cli.pack_pictures import open_pictures
from kyara.cli.pack_reading import describe_pack, read_source, say_size
from kyara.errors import BadInputError
from kyara.storage.atomic import explain_os_error, open_replacement
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.recognition.characters import Character
    from kyara.recognition.packs import Pack

MOST_NAMED = 10
"""Characters in one sentence."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("labels", nargs=-1, metavar="[LABEL]...")
@click.option("--author", metavar="TEXT", help="Who makes it.  [needed without --from]")
@click.option(
    "--licence", metavar="TEXT", help="On which terms, such as CC0-1.0.  [needed without --from]"
)
@click.option(
    "--name",
    metavar="NAME",
    help="Of the pack.  [default: the file's, without its ending; with --from the old pack's]",
)
@path_option(
    "--names",
    metavar="FILE",
    help="Names, works, mal_id and anilist_id of labels, as `train --names` reads them.",
)
@path_option("--from", "old", metavar="PACK", help="Make this pack again, for the model that serves.")
@path_option(
    "--pictures",
    metavar="FOLDER",
    help="With --from: has a folder of pictures for each character, called by its label or a name.",
)
@click.option("--whole", is_flag=True, help="With --pictures: take each picture as one face crop.")
@detector_option
@place_options
def create(
    file: Path,
    labels: tuple[str, ...],
    author: str | None,
    licence: str | None,
    name: str | None,
    names: Path | None,
    old: Path | None,
    pictures: Path | None,
    whole: bool,
    detector: str | None,
    models: Path,
    taught: str | None,
    as_json: bool,
) -> None:
    """Write what was taught of the LABELs, or of everybody, into the new FILE.

    It holds names, works, pages at MyAnimeList and AniList, and embeddings, about 1 kB a face; no
    pictures. It fits the model that serves. From pictures: `teach` them first. What packs brought is
    left out.

    --from PACK makes a pack again that was made for another network: whom it brings, its name, author
    and licence stay. Faces are those in --pictures, one in each picture as `teach` takes them; of whom
    there are none, those that were taught here. Whoever has none there, either, is left out, and told.
    """
    from kyara.recognition.characters import read_names
    from kyara.recognition.name_search import KnownNames
    from kyara.recognition.pack_again import make_again
    from kyara.recognition.pack_install import make_pack

    if pictures is None and (whole or detector):
        raise click.UsageError("--whole and --detector are for --pictures.")
    if old is None and pictures:
        raise click.UsageError("--pictures is for --from. For a new pack `teach` the pictures first.")
    if old is None and not (author and licence):
        raise click.UsageError("Say --author and --licence.")
    if file.exists():
        raise BadInputError(f"There is a file {file} already.")
    told = read_names(names) if names else None
    if old is None:
        classifier = load_classifier(models, taught)
        wanted = [find_label(classifier, label) for label in labels]
        made = make_pack(classifier, name or file.stem, author or "", licence or "", wanted, told)
        _write(file, made, {}, as_json=as_json)
        return
    said = {"name": name, "author": author, "licence": licence}
    before = replace(
        read_source(str(old), None, allow_urls=False),
        **{what: text for what, text in said.items() if text},
    )
    classifier = load_classifier(models, taught)
    members = [one.character for one in before.characters]
    with open_pictures(pictures, members, classifier, detector, whole=whole) as found:
        wanted = [KnownNames.of(members).resolve(label) or label for label in labels]
        again = make_again(before, classifier, found.find_crops, wanted, told)
    more = {
        "without_pictures": [one.label for one in again.without],
        "unread": [show_path(path) for path in found.unread],
    }
    _write(file, again.pack, more, as_json=as_json)
    _say_without(again.without)
    if found.unread:
        raise click.exceptions.Exit(1)


def _write(file: Path, made: Pack, more: dict[str, Any], *, as_json: bool) -> None:
    """Write a pack into a new file, and tell it."""
    from kyara.recognition.pack_file import write_pack

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
        told = {"sha256": sha256, "bytes": len(data), "file": str(file)}
        print_json({**describe_pack(made), **told, **more})
        return
    click.echo(f"{file}: {say_size(made)}, {len(data):,} bytes, SHA-256 {sha256}")


def _say_without(some: Sequence[Character]) -> None:
    """Tell on stderr who has no picture."""
    if some:
        named = ", ".join(f"{one.label} ({one.name_in('en')})" for one in some[:MOST_NAMED])
        more = f" and {len(some) - MOST_NAMED} more" if len(some) > MOST_NAMED else ""
        click.echo(
            f"kyara: {len(some)} character(s) have no picture, and are left out: {named}{more}.",
            err=True,
        )
