"""`identify` of a video or an animation: who appears when?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli import identify_output
from kyara.cli.identify_output import (
    Failures,
    echo,
    print_document,
    say_who,
    tell_model,
)
from kyara.cli.options import print_json, show_bar
from kyara.errors import KyaraError
from kyara.recognition.classifier import Classifier
from kyara.storage.atomic import check_writable, explain_os_error, replace_file
from kyara.storage.paths import show_path
from kyara.vision.animations import ANIMATED_SUFFIXES, is_animation
from kyara.vision.video import VIDEO_SUFFIXES, describe_video, read_frames

if TYPE_CHECKING:
    from kyara.cli.identify_output import Form
    from kyara.cli.identify_sources import Source
    from kyara.recognition.people.video import Person, VideoFaces


def is_video(path: Path) -> bool:
    """Return whether a file is taken for a video: by its name, or by having several frames."""
    suffix = path.suffix.lower()
    if suffix in ANIMATED_SUFFIXES:
        return is_animation(path)
    if suffix not in VIDEO_SUFFIXES or path.is_dir():
        return False
    if suffix != ".gif":
        return True
    try:
        return len(list(islice(read_frames(path), 2))) == 2
    except KyaraError:
        return False  # what is wrong with it is said where it is read as a picture


def watch_in_turn(
    sources: Iterable[Source],
    classifier: Classifier,
    failures: Failures,
    *,
    every_s: float,
    detector: str | None,
    level: int | None,
    top_k: int,
    language: str,
) -> Iterator[dict[str, Any]]:
    """Give what the JSON document has of each video, one after the other in this process."""
    from kyara.recognition.people.formats import describe_video_people
    from kyara.recognition.people.video import watch_video

    for source in sources:
        try:
            watched = watch_video(
                source.path, classifier, every_s=every_s, detector=detector, level=level, top_k=top_k
            )
        except KyaraError as error:
            failures.tell(source.name, str(error))
            continue
        if watched.problem:
            failures.tell(source.name, watched.problem)
        video = describe_video_people(watched, classifier, language)
        yield {**video, "source": show_path(source.name)}


def print_both(
    images: Iterable[dict[str, Any]],
    videos: Iterable[dict[str, Any]],
    model: Mapping[str, str],
    form: Form,
) -> None:
    """Print pictures and then videos, as the JSON document has them."""
    from kyara.recognition.people.formats import format_text

    if form == "json":
        print_document(model, {"images": images, "videos": videos})
    elif form == "csv":
        of_pictures = (row for image in images for row in identify_output.list_rows(image))
        of_videos = (row for video in videos for row in list_rows(video))
        identify_output.write_table(identify_output.BOTH_COLUMNS, chain(of_pictures, of_videos))
    else:
        identify_output.print_images(images, model, form)
        for video in videos:
            echo(format_text(video))


def list_rows(video: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give one row a track of a video, as the JSON document has it, with its best answer."""
    for track in video["tracks"]:
        best = {"rank": 1, **track["answers"][0]} if track["answers"] else {}
        head = {name: track[name] for name in ("track", "start_s", "end_s", "verdict")}
        yield {"source": video["source"], **head, **best}


def identify_video(
    source: Source,
    classifier: Classifier,
    failures: Failures,
    *,
    every_s: float,
    detector: str | None,
    level: int | None,
    top_k: int,
    language: str,
    annotate: Path | None,
    webvtt: Path | None,
    form: Form,
) -> None:
    """Say who appears when in a video; draw it and write subtitles if asked."""
    from kyara.recognition.people.annotating import write_annotated
    from kyara.recognition.people.formats import (
        describe_video_people,
        format_csv,
        format_text,
        format_webvtt,
    )
    from kyara.recognition.people.video import watch_video

    started = time.monotonic()
    with _show_bar(describe_video(source.path).duration_s, "Identifying") as progress:
        watched = watch_video(
            source.path,
            classifier,
            every_s=every_s,
            detector=detector,
            level=level,
            top_k=top_k,
            progress=progress,
        )
    if annotate is not None:

        def name(person: Person) -> str:
            return say_who(person.answers, language)

        with _show_bar(watched.duration_s, "Drawing") as progress:
            write_annotated(watched, annotate, name, language, progress)
    video = describe_video_people(watched, classifier, language)
    video["source"] = show_path(source.name)
    if webvtt is not None:
        _write(webvtt, format_webvtt(video))
    if form == "json":
        print_json({"model": tell_model(classifier.bundle), "video": video})
    else:
        echo(format_csv(video) if form == "csv" else format_text(video) + "\n", nl=False)
    _tell_speed(watched, time.monotonic() - started)
    if watched.problem:
        failures.tell(source.name, watched.problem)


def check_video_target(annotate: Path | None, webvtt: Path | None) -> None:
    """Refuse files that cannot be written, before the work.

    Raises:
        KyaraError: one of them cannot.
    """
    from kyara.recognition.people.annotating import check_target

    if annotate is not None:
        check_target(annotate)
    for target in (annotate, webvtt):
        if target is not None:
            check_writable(target.parent)


@contextmanager
def _show_bar(duration_s: float | None, label: str) -> Iterator[Callable[[float], None]]:
    length = max(1, round((duration_s or 1.0) * 10))
    with show_bar(length, label) as bar:
        yield lambda time_s: bar.update(min(length, round(time_s * 10)) - bar.pos)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise explain_os_error(error, str(path), "Nothing else is lost.") from error


def _tell_speed(watched: VideoFaces, took_s: float) -> None:
    tracked, alone = watched.count_changes()
    length = max(watched.duration_s, 0.001)
    click.echo(
        f"{length:.1f} s of video in {took_s:.1f} s: {length / took_s:.2f} times as fast as it plays. "
        f"Names change {tracked / length:.2f} times a second ({alone / length:.2f} without tracks).",
        err=True,
    )
