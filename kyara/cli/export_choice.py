"""Which faces of a library `export` takes: the options for it, and what comes of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.identify_output import echo
from kyara.cli.library_options import find_label, library_option
from kyara.cli.options import json_option, language_option, print_json, stack
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.dataset.library.reading import LibraryPicture

choice_options: Any = stack(
    library_option,
    click.option("--character", metavar="NAME", help="Only faces of this one; a name or a label."),
    click.option("--work", metavar="TITLE", help="Only faces of works with this in their title."),
    click.option("--min-confidence", type=click.FloatRange(0, 1), default=0.0, help="Least confidence."),
    click.option(
        "--status",
        type=click.Choice(["known", "probably"]),
        default="known",
        help="probably: faces with probable names, too.",
    ),
    language_option,
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    json_option,
)
"""The options that every format has."""


@dataclass(frozen=True)
class Chosen:
    """What goes out.

    Attributes:
        pictures: sorted by path, with the chosen faces alone.
        missing: pictures that would, and are not where the library has them.
    """

    pictures: list[LibraryPicture]
    missing: list[Path]

    @classmethod
    def read(
        cls,
        *,
        place: str,
        character: str | None,
        work: str | None,
        min_confidence: float,
        status: Any,
    ) -> Chosen:
        """Read a library.

        Raises:
            NotFoundError: nobody is called so, or several are.
            KyaraError: the library is not there, or cannot be read.
        """
        from kyara.dataset.library.export.choosing import Choice
        from kyara.dataset.library.reading import Library
        from kyara.dataset.library.sources import is_bucket

        with Library.open(place) as opened:
            label = None if character is None else find_label(opened, character)
            found = opened.read_pictures(character=label, work=work, min_confidence=min_confidence)
            chosen = Choice(label, work, min_confidence, status).choose(found)
            pictures = sorted(chosen, key=lambda picture: picture.path)
        there = [
            picture
            for picture in pictures
            if is_bucket(picture.path) or os.path.isfile(picture.path)  # of objects the scan is believed
        ]
        kept = {picture.path for picture in there}
        return cls(there, [picture.path for picture in pictures if picture.path not in kept])

    def finish(self, told: str, document: dict[str, Any], *, as_json: bool) -> None:
        """Print what was done, and what is missing on stderr; end with status 1 if anything is."""
        faces = [face.label for picture in self.pictures for face in picture.faces]
        if as_json:
            sums = {"pictures": len(self.pictures), "faces": len(faces), "characters": len(set(faces))}
            missing = [show_path(path) for path in self.missing]
            print_json({**sums, **document, "missing": missing})
        elif self.pictures:
            told_faces = f"{len(faces)} faces of {len(set(faces))} characters"
            echo(f"{told_faces} in {len(self.pictures)} pictures; {told}")
        else:
            echo("No picture has such a face.")
        if self.missing:
            echo(
                f"kyara: {len(self.missing)} pictures are not where the library has them, "
                f"{show_path(self.missing[0])} for one; `kyara scan` finds what has moved.",
                err=True,
            )
            raise click.exceptions.Exit(1)


def tell_undone(
    name: str, undone: int, pictures: int, kept: list[str], *, dry_run: bool, as_json: bool
) -> None:
    """Say what was taken back of a journal; end with status 1 if anything stays.

    Args:
        name: of the format.
        undone: pictures that were taken back.
        pictures: those that the journal tells of.
        kept: a sentence for whatever stays.
        dry_run: nothing was done.
        as_json: print a document.
    """
    if as_json:
        print_json({"format": name, "dry_run": dry_run, "undone": undone, "kept": kept})
    else:
        echo(f"{undone} of {pictures} pictures were taken back.")
    for sentence in kept:
        echo(f"kyara: {sentence}", err=True)
    if kept:
        raise click.exceptions.Exit(1)
