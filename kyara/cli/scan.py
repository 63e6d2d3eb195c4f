"""`scan`: keep a library of the pictures in folders, their faces, and who these are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.engine_options import engine_options
from kyara.cli.identify_output import Failures, echo, tell_model
from kyara.cli.library_options import library_option
from kyara.cli.options import json_option, model_option, path_option, print_json, show_progress
from kyara.storage.parallel import Engine
from kyara.storage.parallel.choosing import EngineName

if TYPE_CHECKING:
    from kyara.dataset.library.scanning import ScanOrder


class _FolderOrBucket(click.Path):
    """A folder that is there, or a URL; which URL is looked at later."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


@click.command()
@click.argument("folders", nargs=-1, type=_FolderOrBucket(), metavar="[FOLDER|s3://BUCKET/PREFIX]...")
@library_option
@click.option("--watch", is_flag=True, help="Go on: scan what changes as soon as it does.")
@click.option("--forget-missing", is_flag=True, help="Forget the pictures whose files are gone.")
@detector_option
@click.option("--level", type=int, help="Strictness of the face detector, from 0 (fewest faces).")
@model_option
@engine_options
@path_option(
    "--work", metavar="FOLDER", help="With --engine ray: a new or empty folder that every node sees."
)
@json_option
def scan(
    folders: tuple[str, ...],
    place: str,
    watch: bool,
    forget_missing: bool,
    detector: str | None,
    level: int | None,
    model: Path | None,
    engine_name: EngineName,
    workers: int | None,
    work: Path | None,
    as_json: bool,
) -> None:
    """Find the faces in all pictures below each FOLDER, name them, and keep that in a library.

    A FOLDER may be in a bucket: s3://BUCKET/PREFIX.

    Without a FOLDER all that were scanned before. Only what is new or changed is looked at; moved files
    are followed by their content. Hidden files, and folders that are links, are passed over. Stopped
    with Ctrl-C, or killed, the same command goes on where it was. What cannot be read is reported on
    stderr and kept; the exit status is 1 then. It is tried again when the file has changed or was
    touched, and by another detector, network or install. A folder that is not there is reported, too,
    and nothing in it becomes missing; `library forget` forgets one.
    """
    from kyara.dataset.library.answering import choose_answerer
    from kyara.dataset.library.contents import drop_nested, list_roots
    from kyara.dataset.library.opening import open_library
    from kyara.dataset.library.scanning import ScanOrder, list_own
    from kyara.dataset.library.sources import read_folder_name
    from kyara.dataset.library.watching import watch_folders

    if engine_name == "ray" and work is None:
        raise click.UsageError("--engine ray needs --work: a folder that every node sees.")
    named = drop_nested([read_folder_name(folder) for folder in folders])
    _check_buckets(named, watch=watch)
    failures = Failures()

    def scan_once(some: list[str]) -> None:
        order = ScanOrder(
            place=place,
            answerer=choose_answerer(model),
            detector=detector,
            level=level,
            workers=Engine(engine_name, workers),
            work=work,
            forget_missing=forget_missing,
        )
        _scan(some, order, failures, as_json=as_json)

    with open_library(place, new=bool(named)) as engine:
        named = named or list_roots(engine)
    _check_buckets(named, watch=watch)
    try:
        if watch:
            watch_folders(named, list_own(place, work), scan_once, _say)
        else:
            scan_once(named)
    except KeyboardInterrupt:
        echo("\nStopped. What is done already is kept; the same command goes on.", err=True)
        raise click.exceptions.Exit(130) from None
    if failures.count:
        raise click.exceptions.Exit(1)


def _check_buckets(folders: list[str], *, watch: bool) -> None:
    """Refuse a watch over buckets, and buckets without the packages for them.

    Raises:
        BadInputError: buckets cannot be watched.
        NotInstalledError: the packages are not there.
    """
    from kyara.dataset.library.sources import is_bucket, refuse_buckets
    from kyara.storage.files.bucket import check_installed

    if watch:
        refuse_buckets(folders, "only folders can be watched. Scan it again when it has changed.")
    if any(map(is_bucket, folders)):
        check_installed()


def _scan(folders: list[str], order: ScanOrder, failures: Failures, *, as_json: bool) -> None:
    from kyara.dataset.library.opening import open_library
    from kyara.dataset.library.scanning import Told, scan_folders

    with open_library(order.place) as engine:
        summary = scan_folders(engine, folders, order, Told(failures.tell, _say, show_progress))
    if as_json:
        print_json({"model": tell_model(order.answerer.bundle), **summary})
    else:
        _print_summary(summary)


def _say(sentence: str) -> None:
    echo(f"kyara: {sentence}", err=True)


def _print_summary(summary: dict[str, Any]) -> None:
    names = ("new", "changed", "moved", "missing", "failed")
    counts = ", ".join(f"{summary[name]} {name}" for name in names)
    echo(f"{summary['pictures']} pictures: {counts}")
    names = ("known", "probably", "unknown")
    counts = ", ".join(f"{summary[name]} {name}" for name in names)
    echo(f"{summary['faces']} faces: {counts}")
    echo(
        f"{summary['looked']} pictures looked at in {summary['seconds']:.1f} s, "
        f"{summary['pictures_per_second']:.1f} a second"
    )
