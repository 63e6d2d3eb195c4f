"""`identify`: who is in these pictures, or in this video?"""

from __future__ import annotations

from pathlib import Path

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.engine_options import engine_options
from kyara.cli.identify_many import Place, identify_videos
from kyara.cli.identify_output import Failures, Form, begin_csv, print_images, tell_model
from kyara.cli.identify_pictures import Looking
from kyara.cli.identify_sources import Sources, open_sources
from kyara.cli.identify_video import check_video_target, identify_video, print_both, watch_in_turn
from kyara.cli.options import json_option, language_option, model_option
from kyara.registry.serving import ServingClassifier
from kyara.storage.atomic import check_writable
from kyara.storage.parallel import Engine
from kyara.storage.parallel.choosing import EngineName


@click.command()
@click.argument("images", nargs=-1, required=True)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print one CSV row an answer.")
@click.option("--bom", is_flag=True, help="Begin the CSV with a byte order mark, for Excel.")
@click.option(
    "--annotate",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Draw boxes and names: a folder for pictures (PNG); OUT.mp4 or OUT.webm for a video.",
)
@click.option(
    "--allow-urls",
    is_flag=True,
    help="Fetch IMAGES that are http or https addresses: up to 256 MiB and a minute each.",
)
@click.option("--whole", is_flag=True, help="Take each picture as one face crop.")
@click.option("--top-k", default=5, type=click.IntRange(1, 50), help="Answers a face.")
@detector_option
@click.option("--level", type=int, help="Strictness of the face detector, from 0 (fewest faces).")
@click.option(
    "--every",
    "every_s",
    default=0.2,
    type=click.FloatRange(0.02),
    help="Of a video: seconds between the frames that are looked at.",
)
@click.option(
    "--webvtt",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.vtt",
    help="Of a video: write who appears when as subtitles.",
)
@model_option
@language_option
@engine_options
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep here what is done, so that the same command goes on after a kill; gone at the end.",
)
def identify(
    images: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
    bom: bool,
    annotate: Path | None,
    allow_urls: bool,
    whole: bool,
    top_k: int,
    detector: str | None,
    level: int | None,
    every_s: float,
    webvtt: Path | None,
    model: Path | None,
    language: str,
    engine_name: EngineName,
    workers: int | None,
    work: Path | None,
) -> None:
    """Say who is in each of IMAGES: picture files, or folders of them; or who appears when in videos.

    An animation (GIF, WebP, APNG, AVIF) that is named itself is a video; in a folder its first frame
    counts. A dash reads one picture, animation or video from standard input.

    What cannot be read is reported on stderr and the rest goes on; the exit status is 1 then.
    """
    if as_json and as_csv:
        raise click.UsageError("Give --json or --csv, not both.")
    if bom and not as_csv:
        raise click.UsageError("--bom is for --csv.")
    if engine_name == "ray" and work is None:
        raise click.UsageError("--engine ray needs --work: a folder that every node sees.")
    form: Form = "json" if as_json else "csv" if as_csv else "text"
    place = Place(Engine(engine_name, workers), work)
    failures = Failures()
    finding = {"detector": detector, "level": level, "top_k": top_k}
    with open_sources(images, failures, whole=whole, allow_urls=allow_urls) as sources:
        _check_targets(sources, annotate, webvtt, work)
        begin_csv(bom=bom)
        watching = {"every_s": every_s, "language": language, **finding}
        if len(sources.videos) == 1 and not sources.pictures and engine_name == "local":
            drawn = {"annotate": annotate, "webvtt": webvtt, "form": form}
            identify_video(sources.videos[0], ServingClassifier(model), failures, **watching, **drawn)
        elif sources.videos and not sources.pictures and sources.is_kept:
            paths = [source.path for source in sources.videos]
            identify_videos(paths, model, place, failures, form, **watching)
        else:
            classifier = ServingClassifier(model)
            looking = Looking(classifier, failures, whole=whole, language=language, **finding)
            found = looking.describe(sources, place, annotate)
            said = tell_model(classifier.bundle)
            if sources.videos:
                videos = watch_in_turn(sources.videos, classifier, failures, **watching)
                print_both(found, videos, said, form)
            else:
                print_images(found, said, form)
    if failures.count:
        raise click.exceptions.Exit(1)


def _check_targets(
    sources: Sources, annotate: Path | None, webvtt: Path | None, work: Path | None
) -> None:
    """Refuse options that do not fit what is looked at, and places that cannot be written, at once.

    Raises:
        UsageError: an option does not fit.
        KyaraError: a place cannot be written.
    """
    if work is not None and not sources.is_kept:
        raise click.UsageError("--work is for files: what it keeps is found again by their names.")
    if sources.videos:
        if sources.pictures and (annotate is not None or webvtt is not None):
            raise click.UsageError("With --annotate or --webvtt give pictures, or one video.")
        if len(sources.videos) > 1 and (annotate is not None or webvtt is not None):
            raise click.UsageError("Give one video at a time with --annotate or --webvtt.")
        check_video_target(annotate, webvtt)
        return
    if webvtt is not None:
        raise click.UsageError("--webvtt is for a video.")
    if annotate is not None:
        if annotate.is_file():
            raise click.UsageError(f"--annotate takes a folder for pictures; {annotate} is a file.")
        check_writable(annotate)
