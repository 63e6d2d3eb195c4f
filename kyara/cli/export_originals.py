"""`export xmp --into-originals`: XMP into the pictures themselves, and `--undo`, which takes it back."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.export_choice import Chosen, tell_undone
from kyara.cli.identify_output import echo
from kyara.cli.options import path_option, show_bar, stack
from kyara.errors import BadInputError, ConflictError, NotFoundError, UnavailableError
from kyara.storage.atomic import check_writable
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from kyara.dataset.library.export.journal_file import JournalFile
    from kyara.dataset.library.reading import LibraryPicture

originals_options: Any = stack(
    click.option(
        "--into-originals",
        is_flag=True,
        help="Write into the pictures themselves instead; a journal takes it back.",
    ),
    path_option(
        "--journal",
        metavar="FOLDER",
        help="With --into-originals: where the journal goes.  [default: the deepest folder with all]",
    ),
    path_option(
        "--undo",
        metavar="JOURNAL",
        help="Take back what this journal of --into-originals tells, and nothing else.",
    ),
)


def originals_asked(choice: dict[str, Any]) -> bool:
    """Tell whether one of these options was given; `--journal` alone is a mistake."""
    if choice.get("into_originals") or choice.get("undo"):
        return True
    if choice.get("journal"):
        raise click.UsageError("--journal is for --into-originals.")
    for name in ("into_originals", "journal", "undo"):
        choice.pop(name, None)
    return False


def write_originals(
    choice: dict[str, Any], elsewhere: Path | None, language: str, *, dry_run: bool, as_json: bool
) -> None:
    """Do what the options say.

    Args:
        choice: which faces, and the options of this module.
        elsewhere: of `--out` or `--root`, which have no meaning here.
        language: of names and works.
        dry_run: say it alone.
        as_json: print a document.
    """
    is_asked, folder, undo = (choice.pop(name) for name in ("into_originals", "journal", "undo"))
    if elsewhere or (undo and (is_asked or folder)):
        raise click.UsageError(
            "--into-originals goes with no --out or --root, and --undo with no other option."
        )
    if undo:
        _undo(undo, choice["place"], dry_run=dry_run, as_json=as_json)
        return
    from kyara.dataset.library.sources import refuse_buckets

    chosen = Chosen.read(**choice)
    refuse_buckets(
        [picture.path for picture in chosen.pictures],
        "nothing is written there; `export xmp --out FOLDER` writes sidecars.",
    )
    run = _Run(language, dry_run)
    if chosen.pictures:
        run.write(chosen.pictures, choice["place"], folder)
    run.finish(chosen, as_json=as_json)


@dataclass(frozen=True)
class _Told:
    """What was done with a file: its state, and why it is a sidecar; empty of a picture."""

    state: str
    path: Path
    why: str


class _Run:
    """One export into the pictures."""

    def __init__(self, language: str, dry_run: bool) -> None:
        self._language, self._dry_run = language, dry_run
        self._told: list[_Told] = []
        self._failed: list[tuple[Path, str]] = []
        self._journal: JournalFile | None = None

    def write(self, pictures: list[LibraryPicture], place: str, folder: Path | None) -> None:
        """Write into pictures, one after the other; what cannot be done with one is kept for the end."""
        from kyara.dataset.library.export.originals import plan_rewrite
        from kyara.dataset.library.export.rewriting import carry_out
        from kyara.dataset.library.export.target import find_root
        from kyara.dataset.library.opening import open_library
        from kyara.dataset.library.scanning import hold_library

        folder = folder or find_root(pictures)
        if not self._dry_run:
            check_writable(folder)
        with (
            open_library(place) as engine,
            hold_library(engine, place),
            ExitStack() as stack,
            show_bar(len(pictures), "Writing") as bar,
        ):
            for picture in pictures:
                try:
                    rewrite = plan_rewrite(picture, self._language)
                    if rewrite.edits and not self._dry_run:
                        carry_out(rewrite, self._open_journal(folder, stack), engine)
                except (BadInputError, ConflictError, UnavailableError) as error:
                    self._failed.append((picture.path, str(error)))
                else:
                    self._told.append(_Told(rewrite.state, rewrite.path, rewrite.why))
                bar.update(1)

    def _open_journal(self, folder: Path, stack: ExitStack) -> JournalFile:
        from kyara.dataset.library.export.journal_file import JournalFile, name_journal
        from kyara.dataset.library.export.rewriting import JOURNAL_PREFIX

        if self._journal is None:
            path = folder.resolve() / name_journal(JOURNAL_PREFIX)
            self._journal = stack.enter_context(JournalFile.begin(path))
        return self._journal

    def finish(self, chosen: Chosen, *, as_json: bool) -> None:
        """Print what was done; end with status 1 if something could not be."""
        states = Counter(one.state for one in self._told)
        changes = [one for one in self._told if one.state != "same"]
        if self._dry_run and not as_json:
            for one in changes:
                echo(f"{one.state}: {show_path(one.path)}")
        counts = {state: states[state] for state in ("new", "changed", "same")}
        journal = show_path(self._journal.path) if self._journal else None
        for path, why in self._failed:
            echo(f"kyara: {show_path(path)} is left as it is: {why}", err=True)
        self._say_sidecars()
        document = {
            "format": "xmp",
            "into_originals": True,
            "dry_run": self._dry_run,
            **counts,
            "sidecars": sum(bool(one.why) for one in self._told),
            "files": [{"state": one.state, "file": show_path(one.path)} for one in changes],
            "failed": [{"file": show_path(path), "why": why} for path, why in self._failed],
            "journal": journal,
        }
        told = f"files: {', '.join(f'{count} {state}' for state, count in counts.items())}."
        if journal:
            told += f" To take it back: kyara export xmp --undo {journal}"
        chosen.finish(told, document, as_json=as_json)
        if self._failed:
            raise click.exceptions.Exit(1)

    def _say_sidecars(self) -> None:
        sidecars = [one for one in self._told if one.why]
        if sidecars:
            first = sidecars[0]
            picture = show_path(first.path.with_suffix(""))
            echo(
                f"kyara: {len(sidecars)} picture(s) get a sidecar instead, for which {picture} is one "
                f"example: {first.why}.",
                err=True,
            )


def _undo(path: Path, place: str, *, dry_run: bool, as_json: bool) -> None:
    """Take a journal back; end with status 1 if anything stays."""
    from kyara.dataset.library.export.rewriting import read_rewrites, undo_rewriting

    lines = read_rewrites(path)
    pictures = sum(line.is_picture for line in lines)
    kept: list[str] = []
    undone = 0
    if dry_run and not as_json:
        for line in reversed(lines):
            echo(f"take back: {show_path(line.file)}")
    elif not dry_run:
        with ExitStack() as stack, show_bar(len(lines), "Taking back") as bar:
            engine = _open_if_there(place, stack)
            undone = undo_rewriting(path, engine, kept.append, bar.update)
    tell_undone("xmp", undone, pictures, kept, dry_run=dry_run, as_json=as_json)


def _open_if_there(place: str, stack: ExitStack) -> Engine | None:
    """Return the library's database, with scans kept away; None where there is none any more."""
    from kyara.dataset.library.opening import open_library
    from kyara.dataset.library.scanning import hold_library

    try:
        engine = stack.enter_context(open_library(place))
    except NotFoundError as error:
        echo(f"kyara: {error} The pictures are taken back; no library is told.", err=True)
        return None
    stack.enter_context(hold_library(engine, place))
    return engine
