"""`export sort`: a folder for each character."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.export_choice import Chosen, choice_options, tell_undone
from kyara.cli.identify_output import echo
from kyara.cli.options import path_option, show_bar
from kyara.errors import UnavailableError
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.dataset.library.export.sorting import How, Placing


@click.command()
@choice_options
@path_option("--out", metavar="FOLDER", help="Parent of the characters' folders.")
@click.option(
    "--by",
    "how",
    type=click.Choice(["link", "copy", "move"]),
    default="link",
    help="Symbolic links, copies, or the pictures themselves.",
)
@path_option("--undo", metavar="JOURNAL", help="Take back what this journal tells, and nothing else.")
def sort(
    out: Path | None,
    how: How,
    undo: Path | None,
    language: str,
    dry_run: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """Sort pictures into a folder for each character.

    Into OUT/Hatsune Miku (Vocaloid)/, for example; names are good on Windows, too. A picture of two
    characters is linked or copied into both folders, and moved into that of the surest, with its
    sidecars (picture.jpg.xmp, picture.jpg.txt, picture.txt). Nothing is written over: where a name is
    taken, a number is added. What is done is written to OUT/kyara-sort-TIME.jsonl before it is done.
    """
    if undo is not None:
        _undo(undo, dry_run=dry_run, as_json=as_json)
        return
    if out is None:
        raise click.UsageError("Say with --out where the folders go.")
    from kyara.dataset.library.export.sorting import leave_out_links
    from kyara.dataset.library.sources import refuse_buckets

    out = out.resolve()
    chosen = Chosen.read(**choice)
    refuse_buckets(
        [picture.path for picture in chosen.pictures], "only pictures in folders can be sorted."
    )
    pictures, links = leave_out_links(chosen.pictures, out, how)
    for link in links:
        echo(f"kyara: {show_path(link)} is a link; it is not moved.", err=True)
    chosen = replace(chosen, pictures=pictures)
    placings = _plan(chosen, out, how, language)
    new = [placing for placing in placings if not placing.is_there]
    journal = _carry_out(new, how, out) if new and not dry_run else None
    if dry_run and not as_json:
        for one in [one for placing in new for one in (placing, *placing.sidecars)]:
            echo(f"{how}: {show_path(one.source)} -> {show_path(one.target)}")
    told = f"{len(new)} {'to ' if dry_run else ''}{how}, {len(placings) - len(new)} there already."
    sidecars = [sidecar for placing in new for sidecar in placing.sidecars]
    if sidecars:
        told += f" {len(sidecars)} sidecar(s) {'go' if dry_run else 'went'} along."
    if journal:
        told += f" To take it back: kyara export sort --undo {show_path(journal)}"
    document = {
        "format": "sort",
        "dry_run": dry_run,
        "by": how,
        "new": len(new),
        "same": len(placings) - len(new),
        "journal": show_path(journal) if journal else None,
        "placed": [_describe(one) for one in new],
        "sidecars": [_describe(one) for one in sidecars],
    }
    chosen.finish(told, document, as_json=as_json)
    if links:
        raise click.exceptions.Exit(1)


def _plan(chosen: Chosen, out: Path, how: How, language: str) -> list[Placing]:
    """Say where the pictures go.

    Raises:
        UnavailableError: something that is there cannot be read.
    """
    from kyara.dataset.library.export.sorting import plan_sorting

    try:
        with show_bar(len(chosen.pictures), "Looking") as bar:
            return list(plan_sorting(chosen.pictures, out, how, language, bar.update))
    except OSError as error:
        where = show_path(Path(error.filename or out))
        raise UnavailableError(
            f"{where} cannot be read ({error.strerror}). Nothing was done."
        ) from error


def _carry_out(placings: list[Placing], how: How, out: Path) -> Path:
    """Do what is planned; return the journal."""
    from kyara.dataset.library.export.journal import JOURNAL_PREFIX, SortJournal
    from kyara.dataset.library.export.journal_file import name_journal
    from kyara.dataset.library.export.sorting import carry_out

    with (
        SortJournal.begin(out / name_journal(JOURNAL_PREFIX)) as journal,
        show_bar(len(placings), "Sorting") as bar,
    ):
        carry_out(placings, how, journal, bar.update)
    return journal.path


def _undo(path: Path, *, dry_run: bool, as_json: bool) -> None:
    """Take a journal back; end with status 1 if anything stays."""
    from kyara.dataset.library.export.journal import NO_PICTURES, read_journal, undo_sorting

    acts = read_journal(path)
    pictures = [act for act in acts if act.kind not in NO_PICTURES]
    kept: list[str] = []
    if dry_run:
        undone = 0
        if not as_json:
            for act in (act for act in reversed(acts) if act.kind != "folder"):
                echo(f"take back: {act.kind} {show_path(act.source)} -> {show_path(act.target)}")
    else:
        with show_bar(len(acts), "Taking back") as bar:
            undone = undo_sorting(path, kept.append, bar.update)
    tell_undone("sort", undone, len(pictures), kept, dry_run=dry_run, as_json=as_json)


def _describe(placing: Placing) -> dict[str, str]:
    return {"from": show_path(placing.source), "to": show_path(placing.target)}
