"""`identify` of many pictures or videos, by workers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kyara.cli.identify_output import Failures, Form, echo, print_document, tell_model
from kyara.cli.options import show_bar
from kyara.recognition.classifier import Classifier
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.recognition.answers import FaceAnswers
    from kyara.storage.parallel import Engine, Task, Work
    from kyara.vision.boxes import Box

Faces = list[tuple["Box", "FaceAnswers"]]


@dataclass(frozen=True)
class Place:
    """Who does the work, and where.

    Attributes:
        engine: the workers.
        folder: the work folder; None: one that is gone afterwards.
    """

    engine: Engine
    folder: Path | None


def look_at_pictures(
    sources: list[Path],
    classifier: Classifier,
    place: Place,
    failures: Failures,
    *,
    whole: bool,
    detector: str | None,
    level: int | None,
    top_k: int,
) -> Iterator[tuple[Path, tuple[int, int], Faces]]:
    """Say who is in many pictures: workers find the faces and their features, this process the answers.

    Args:
        sources: the pictures.
        classifier: says who it is.
        place: who does the work.
        failures: what cannot be read.
        whole: each picture is one crop.
        detector: name of what finds the faces.
        level: strictness of the detector.
        top_k: answers a face.

    Yields:
        Each picture, in order: its file, its width and height, its faces.
    """
    from kyara.recognition.embeddings import plan_extraction, read_features, read_pictures, split_names

    view = classifier.frozen()
    task = plan_extraction(view.bundle, whole=whole, level=level, detector=detector, each_view=True)
    views = len(view.bundle.preprocessing.views)
    with _do(task, split_names(map(str, sources)), place) as work:
        for number in range(work.shards):
            for name, record, error in read_pictures(work, number):
                if record is None:
                    failures.tell(name, error)
                    continue
                boxes, each = read_features(record, views)
                answers = view.answer(view.settle(each), top_k=top_k) if boxes else []
                size = record.entry["width"], record.entry["height"]
                yield Path(name), size, list(zip(boxes, answers, strict=True))


def identify_videos(
    sources: list[Path],
    model: Path | None,
    place: Place,
    failures: Failures,
    form: Form,
    *,
    every_s: float,
    detector: str | None,
    level: int | None,
    top_k: int,
    language: str,
) -> None:
    """Say who appears when in many videos, and print it."""
    from kyara.cli.identify_worker import plan_watching
    from kyara.recognition.bundle import load_bundle
    from kyara.recognition.people.formats import format_csv, format_text
    from kyara.registry import find_serving

    bundle = load_bundle(model or find_serving())
    task = plan_watching(
        model,
        bundle.version,
        every_s=every_s,
        detector=detector,
        level=level,
        top_k=top_k,
        language=language,
    )
    videos = _watch_videos(sources, task, place, failures)
    if form == "json":
        print_document(tell_model(bundle), {"videos": videos})
    else:
        for number, video in enumerate(videos):
            table = format_csv(video)  # one head for all
            rows = table if number == 0 else table.split("\n", 1)[1]
            echo(rows if form == "csv" else format_text(video) + "\n", nl=False)


def _watch_videos(
    sources: list[Path], task: Task, place: Place, failures: Failures
) -> Iterator[dict[str, Any]]:
    """Give what the JSON document has of each video, in order."""
    from kyara.storage.parallel import Record

    with _do(task, ([str(source)] for source in sources), place) as work:
        for number in range(work.shards):
            for part in work.read_results(number):
                if isinstance(part, Record):
                    video = part.entry["video"]
                    yield {**video, "source": show_path(video["source"])}
                    if part.entry["problem"]:
                        failures.tell(part.entry["video"]["source"], part.entry["problem"])
                elif part.error:
                    failures.tell(part.name, part.error)


@contextmanager
def _do(task: Task, shards: Iterator[list[str]], place: Place) -> Iterator[Work]:
    """Have all shards done; the work folder goes when its results have been read."""
    from kyara.storage.parallel import Work, open_pool, run_work

    with tempfile.TemporaryDirectory(prefix="kyara-identify-") as own:
        with Work.hold(place.folder or Path(own) / "work", task, shards) as work:
            with (
                open_pool(place.engine, task) as pool,
                show_bar(work.items, "Identifying") as bar,
            ):
                for _ in run_work(work, pool, bar.update):
                    pass
            yield work
        work.remove()
