"""`identify` of a video or an animation: who appears when?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kyara.errors import KyaraError
from kyara.recognition.classifier import Classifier
from kyara.storage.atomic import explain_os_error, replace_file
from kyara.vision.video import VIDEO_SUFFIXES, read_frames

if TYPE_CHECKING:
    from kyara.recognition.people.watching import Person, Watched


def is_video(path: Path) -> bool:
    """Return whether a file is taken for a video: by its name, and a GIF by having several frames."""
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES or path.is_dir():
        return False
    if suffix != ".gif":
        return True
    try:
        return len(list(islice(read_frames(path), 2))) == 2
    except KyaraError:
        return False  # what is wrong with it is said where it is read as a picture


def identify_video(
    source: Path,
    classifier: Classifier,
    *,
    every_s: float,
    detector: str | None,
    level: int | None,
    top_k: int,
    language: str,
    annotate: Path | None,
    webvtt: Path | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Say who appears when in a video; draw it and write subtitles if asked."""
    from kyara.recognition.people.annotating import check_target, write_annotated
    from kyara.recognition.people.formats import (
        describe_video_people,
        format_csv,
        format_text,
        format_webvtt,
    )
    from kyara.recognition.people.watching import watch_video

    if annotate is not None:
        check_target(annotate)
    started = time.monotonic()
    with _show_bar(source, "Identifying") as progress:
        watched = watch_video(
            source,
            classifier,
            every_s=every_s,
            detector=detector,
            level=level,
            top_k=top_k,
            progress=progress,
        )
    if annotate is not None:

        def name(person: Person) -> str:
            best = person.answers.answers[0]
            return f"{best.character.name_in(language)} {best.confidence:.0%}"

        with _show_bar(source, "Drawing") as progress:
            write_annotated(watched, annotate, name, language, progress)
    video = describe_video_people(watched, classifier, language)
    if webvtt is not None:
        _write(webvtt, format_webvtt(video))
    if as_json:
        model = {"name": classifier.bundle.name, "version": classifier.bundle.version}
        click.echo(json.dumps({"model": model, "video": video}, ensure_ascii=False, indent=1))
    else:
        click.echo(format_csv(video) if as_csv else format_text(video) + "\n", nl=False)
    _tell_speed(watched, time.monotonic() - started)
    if watched.problem:
        click.echo(f"kyara: {source}: {watched.problem}", err=True)
        raise click.exceptions.Exit(1)


@contextmanager
def _show_bar(source: Path, label: str) -> Iterator[Callable[[float], None]]:
    from kyara.vision.video import describe_video

    length = max(1, round((describe_video(source).duration_s or 1.0) * 10))
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda time_s: bar.update(min(length, round(time_s * 10)) - bar.pos)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise explain_os_error(error, str(path), "Nothing else is lost.") from error


def _tell_speed(watched: Watched, took_s: float) -> None:
    tracked, alone = watched.count_changes()
    length = max(watched.duration_s, 0.001)
    click.echo(
        f"{length:.1f} s of video in {took_s:.1f} s: {length / took_s:.2f} times as fast as it plays. "
        f"Names change {tracked / length:.2f} times a second ({alone / length:.2f} without tracks).",
        err=True,
    )
