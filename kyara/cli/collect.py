"""`collect`: faces out of videos, animations and pictures, into the inbox of a dataset."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.engine_options import engine_options
from kyara.cli.options import json_option, near_bits_option, print_json, show_bar
from kyara.errors import KyaraError
from kyara.vision.detectors.base import choose_detector

if TYPE_CHECKING:
    from kyara.dataset.collect import Collected, Inbox, Settings
    from kyara.storage.parallel import Engine
    from kyara.storage.parallel.choosing import EngineName

_path = click.Path(path_type=Path)


@click.command()
@click.argument("sources", nargs=-1, required=True, type=_path, metavar="VIDEO|FOLDER|GLOB …")
@click.option("--out", required=True, type=_path, metavar="DATASET/inbox", help="Where the faces go.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.01),
    help="Look at one frame every so many seconds.  [default: 1]",
)
@click.option(
    "--scenes",
    "scene_score",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SCORE",
    help="Look at the first frame of each scene instead: FFmpeg's scene score is higher; 0.3, say.",
)
@click.option(
    "--longest",
    "longest_px",
    type=click.IntRange(64),
    help="Make frames smaller until their longer side has so many pixels.",
)
@detector_option
@click.option(
    "--level",
    default=0,
    type=int,
    help="Strictness of the network or the cascade, from 0 (fewest faces, fewest false ones).",
)
@click.option(
    "--threshold",
    default=0.7,
    type=click.FloatRange(0, 1),
    help="Least likelihood of a face, of animeface-2009.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 2),
    help="Share of a face's box to add on each side.  [default: cascade: 0; the others: 0.3]",
)
@click.option(
    "--smallest",
    "smallest_px",
    default=48,
    type=click.IntRange(1),
    help="Leave out faces with a shorter side, in pixels.",
)
@near_bits_option(
    "Neighbouring faces whose hashes differ in at most so many of 255 bits are one; 0 keeps all.",
)
@click.option(
    "--left-right-full",
    is_flag=True,
    help="Keep the left half, the right half and the whole of each frame, too.",
)
@engine_options
@json_option
def collect(
    sources: tuple[Path, ...],
    out: Path,
    every_s: float | None,
    scene_score: float | None,
    margin: float | None,
    engine_name: EngineName,
    workers: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Collect the faces of videos, animations (GIF) and pictures for labelling.

    A folder gives all that it has, and so does a quoted pattern such as "season1/*.mkv". A source that
    cannot be read is reported on stderr and the rest goes on; the exit status is 1 then. Stopped with
    Ctrl-C, or killed, the same command goes on where it was.
    """
    from kyara.dataset.collect import Inbox, Settings, list_sources
    from kyara.dataset.collect.settings import MARGINS, TIGHT_MARGIN
    from kyara.storage.parallel import Engine
    from kyara.vision.sources import split_sources

    if every_s is not None and scene_score is not None:
        raise click.UsageError("Give --every or --scenes, not both.")
    detector = options["detector"] = choose_detector(options["detector"])
    settings = Settings(
        every_s=every_s or 1.0,
        scene_score=scene_score,
        margin=MARGINS.get(detector, TIGHT_MARGIN) if margin is None else margin,
        **options,
    )
    files = list_sources(sources)
    try:
        engine = Engine(engine_name, workers)
        alone = engine.is_alone(sum(1 for _ in split_sources(files)))
        with Inbox.hold(out) as inbox:
            if alone:
                tallies, failed = _collect_in_turn(files, inbox, settings)
            else:
                tallies, failed = _collect_many(files, inbox, settings, engine)
    except KeyboardInterrupt:
        click.echo("\nStopped; what was collected is kept, and the same command goes on.", err=True)
        raise click.exceptions.Exit(130) from None
    _print(tallies, failed, out, as_json)
    if failed:
        raise click.exceptions.Exit(1)


def _collect_many(
    files: list[Path], inbox: Inbox, settings: Settings, engine: Engine
) -> tuple[dict[Path, Collected], dict[Path, str]]:
    """Collect from many files at a time; return the same."""
    from kyara.dataset.collect.bulk import collect_many, find_work, open_chosen_detector, plan_collecting
    from kyara.storage.parallel import Work, open_pool
    from kyara.vision.sources import split_sources

    failed: dict[Path, str] = {}

    def fail(name: str, error: str) -> None:
        failed[Path(name)] = error
        click.echo(f"kyara: {name}: {error}", err=True)

    task = plan_collecting(inbox.folder, settings)
    with open_chosen_detector(settings, lambda text: click.echo(text, err=True)):
        pass  # it works, before many are started
    with (
        Work.hold(find_work(inbox.folder), task, split_sources(files)) as work,
        open_pool(engine, task) as pool,
        show_bar(work.items, "Collecting") as bar,
    ):
        given = collect_many(work, pool, inbox, settings, fail, bar.update)
        tallies = {Path(name): tally for name, tally in given}
    work.remove()
    return tallies, failed


def _collect_in_turn(
    files: list[Path], inbox: Inbox, settings: Settings
) -> tuple[dict[Path, Collected], dict[Path, str]]:
    """Collect from one file after the other; return what each gave, and what is wrong with some."""
    from kyara.dataset.collect import collect_source
    from kyara.dataset.collect.bulk import open_chosen_detector
    from kyara.dataset.collect.running import read_tally
    from kyara.vision.sources import measure_duration

    lengths, failed = {}, {}
    for file in files:
        try:
            lengths[file] = measure_duration(file)
        except KyaraError as error:
            failed[file] = str(error)
            click.echo(f"kyara: {file}: {error}", err=True)
    tallies: dict[Path, Collected] = {}
    total = max(1, round(sum(lengths.values()) * 10))
    with (
        open_chosen_detector(settings, lambda text: click.echo(text, err=True)) as detector,
        show_bar(total, "Collecting") as bar,
    ):
        passed = 0.0
        for file, length in lengths.items():

            def show(time_s: float, start: float = passed, length: float = length) -> None:
                bar.update(round((start + min(time_s, length)) * 10) - bar.pos)

            try:
                tallies[file] = collect_source(file, inbox, settings, detector, show)
            except KyaraError as error:
                failed[file] = str(error)
                tallies[file] = read_tally(file, inbox, settings)
                click.echo(f"kyara: {file}: {error}", err=True)
            passed += length
            show(0.0, passed)
    return tallies, failed


def _print(tallies: dict[Path, Collected], failed: dict[Path, str], out: Path, as_json: bool) -> None:
    names = ("frames", "with_faces", "found", "kept")
    sums = {name: sum(getattr(tally, name) for tally in tallies.values()) for name in names}
    if as_json:
        given = [
            {"source": str(file), **{name: asdict(tally)[name] for name in (*names, "done")}}
            for file, tally in tallies.items()
        ]
        errors = [{"source": str(file), "error": error} for file, error in failed.items()]
        document = {"inbox": str(out), **sums, "sources": given, "errors": errors}
        print_json(document)
        return
    for file, tally in tallies.items():
        click.echo(f"{file}: {_tell(cast(dict[str, int], asdict(tally)))}")
    if len(tallies) > 1:
        click.echo(f"Together: {_tell(sums)}")
    click.echo(out)


def _tell(sums: dict[str, int]) -> str:
    return (
        f"faces in {sums['with_faces']} of {sums['frames']} frames, {sums['found']} in all; "
        f"{sums['kept']} kept"
    )
