"""`export`: who is in a library's pictures, written to where people keep things."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.export_choice import Chosen, choice_options
from kyara.cli.export_originals import originals_asked, originals_options, write_originals
from kyara.cli.export_sort import sort
from kyara.cli.identify_output import echo
from kyara.cli.options import path_option, show_bar, stack
from kyara.errors import BadInputError
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.dataset.library.export.writing import MakeFiles, NewFile

HELP = {
    "xmp": """Write XMP sidecars (picture.jpg.xmp), as digiKam and Immich read them.

    Face regions with names; keywords for names, works, and names below their works. What other programs
    have written into a sidecar stays in it. With --into-originals all that goes into the pictures
    themselves (JPEG, PNG, WebP, TIFF; others get sidecars); their pixels and all else in them stay as
    they are, and a journal takes it back with --undo.""",
    "hydrus": """Write hydrus sidecars (picture.jpg.txt).

    A tag in each line: character:hatsune miku, series:vocaloid. With --client-api they go straight into
    a hydrus that runs, to the files with the pictures' SHA-256.""",
    "danbooru": """Write tag files for training (picture.txt).

    Tags with commas between: hatsune_miku_(vocaloid).""",
    "metadata.jsonl": """Write metadata.jsonl: an ImageFolder of Hugging Face datasets.

    With boxes and names; it goes into the folder of the pictures, unless --out names another file.""",
    "coco": """Write one COCO file.

    A category is a character; boxes are in pixels of the upright picture.""",
    "yolo": """Write boxes as YOLO has them.

    OUT/labels/ with a file for each picture, OUT/classes.txt and OUT/data.yaml; put the pictures into
    OUT/images/, or a link to their folder.""",
    "csv": """Write a table with a row for each face.

    A name that a spreadsheet would run as a formula gets an apostrophe in front.""",
}
"""Format of files -> what its command says of itself."""
_OUT = {
    "metadata.jsonl": "The file to write.  [default: metadata.jsonl in the root]",
    "coco": "The file to write: instances.json, say.",
    "yolo": "The folder to write.",
    "csv": "The file to write: faces.csv, say.",
}
_BESIDE = "Folder for the files, in folders as the pictures'.  [default: beside each picture]"
_NEEDS_OUT = ("coco", "yolo", "csv")
_SAY_OUT = "nothing is written there. Say with --out where on this machine the files go."
_MERGED = ("xmp",)
"""What is in a file stays in it, so none is ever replaced."""

_SERVICE = "my tags"
_CLIENT_API = {
    "client_api": click.option(
        "--client-api", metavar="URL", help="Send the tags to this hydrus instead; no files are written."
    ),
    "access_key_file": path_option(
        "--access-key-file", metavar="FILE", help="The file with the access key for --client-api."
    ),
    "service": click.option(
        "--service",
        metavar="NAME",
        help=f"Tag service for --client-api.  [default: {_SERVICE}]",
    ),
}


@click.group()
def export() -> None:
    """Write who is in the pictures of a library to where people keep things.

    The pictures themselves are never changed, but by `xmp --into-originals`, and `sort --by move` alone
    moves any. A file that is there with another content is refused before the first is written.
    """


def _make_command(name: str) -> click.Command:
    """Make the command of a format of files."""

    def command(
        out: Path | None,
        root: Path | None,
        language: str,
        dry_run: bool,
        as_json: bool,
        overwrite: bool = False,
        **choice: Any,
    ) -> None:
        if originals_asked(choice):
            write_originals(choice, out or root, language, dry_run=dry_run, as_json=as_json)
            return
        client_api, key_file, service = (choice.pop(name, None) for name in _CLIENT_API)
        if client_api and (out or root or overwrite):
            raise click.UsageError("--client-api writes no files: no --out, --root or --overwrite.")
        if not client_api and (key_file or service):
            raise click.UsageError("--access-key-file and --service are for --client-api.")
        chosen = Chosen.read(**choice)
        if client_api:
            _send(chosen, client_api, key_file, service or _SERVICE, language, dry_run, as_json)
            return
        files = _list_files(name, chosen, out, root, language)
        told = _write(files, len(chosen.pictures), overwrite=overwrite, dry_run=dry_run)
        states = Counter(state for state, _ in told)
        changes = [{"state": state, "file": file} for state, file in told if state != "same"]
        if dry_run and not as_json:
            for change in changes:
                echo(f"{change['state']}: {change['file']}")
        counts = {state: states[state] for state in ("new", "changed", "same")}
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        document = {"format": name, "dry_run": dry_run, **counts, "files": changes}
        chosen.finish(f"files: {said}.", document, as_json=as_json)

    options = [
        path_option("--out", metavar="PATH", help=_OUT.get(name, _BESIDE), required=name in _NEEDS_OUT),
        path_option(
            "--root",
            metavar="FOLDER",
            help="Folder that the names of pictures are relative to.  [default: the deepest with all]",
        ),
    ]
    if name not in _MERGED:
        options.append(
            click.option("--overwrite", is_flag=True, help="Replace files with another content.")
        )
    if name == "xmp":
        options.append(originals_options)
    if name == "hydrus":
        options += _CLIENT_API.values()
    return click.command(name, help=HELP[name])(stack(choice_options, *options)(command))


def _send(
    chosen: Chosen,
    url: str,
    key_file: Path | None,
    service: str,
    language: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send tags to hydrus instead of writing files."""
    from kyara.dataset.library.export.hydrus import list_tags
    from kyara.dataset.library.export.hydrus_api import HydrusClient

    if key_file is None:
        raise click.UsageError("--client-api needs --access-key-file.")
    try:
        client = HydrusClient(url, key_file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The access key in {key_file} cannot be read ({error}).") from error
    found = client.find_service(service)
    tags = [
        {"file": show_path(one.path), "sha256": one.sha256, "tags": list_tags(one, language)}
        for one in chosen.pictures
    ]
    if not dry_run:
        with show_bar(len(chosen.pictures), "Sending") as bar:
            client.add_tags(chosen.pictures, found, language, bar.update)
    elif not as_json:
        for one in tags:
            echo(f"send: {one['file']}: {', '.join(one['tags'])}")
    document = {
        "format": "hydrus",
        "dry_run": dry_run,
        "sent": 0 if dry_run else len(tags),
        "tags": tags,
    }
    said = f"tags of {len(tags)} pictures {'would be' if dry_run else 'were'} sent."
    chosen.finish(said, document, as_json=as_json)


def _list_files(
    name: str, chosen: Chosen, out: Path | None, root: Path | None, language: str
) -> MakeFiles:
    """Return what gives the files of a format."""
    from kyara.dataset.library.export.formats import FORMATS
    from kyara.dataset.library.export.target import Target, find_root
    from kyara.dataset.library.sources import is_bucket, make_path, refuse_buckets

    pictures = chosen.pictures
    if not pictures:
        return list
    if out is None:
        refuse_buckets([picture.path for picture in pictures], _SAY_OUT)
    root = make_path(root) if root else find_root(pictures)
    target = Target(root if is_bucket(root) else root.resolve(), out, language)
    return lambda: FORMATS[name](pictures, target)


def _write(files: MakeFiles, pictures: int, *, overwrite: bool, dry_run: bool) -> list[tuple[str, str]]:
    """Look at all files, then write them; return the state of each and its name."""
    from kyara.dataset.library.export.writing import check_files, write_files

    told: list[tuple[str, str]] = []
    with show_bar(pictures, "Looking") as bar:

        def note(file: NewFile, state: str) -> None:
            told.append((state, show_path(file.path)))
            bar.update(1)

        check_files(files, overwrite=overwrite, progress=note)
    if not dry_run:
        with show_bar(len(told), "Writing") as bar:
            write_files(files, overwrite=overwrite, progress=bar.update)
    return told


for _name in HELP:
    export.add_command(_make_command(_name))
export.add_command(sort)
