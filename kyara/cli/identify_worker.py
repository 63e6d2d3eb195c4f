"""Many videos at a time: a worker's side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kyara.errors import BundleError
from kyara.recognition.people.formats import describe_video_people
from kyara.recognition.people.video import watch_video
from kyara.registry.serving import ServingClassifier
from kyara.storage.parallel import Record, Task


def plan_watching(
    model: Path | None,
    version: str,
    *,
    every_s: float,
    detector: str | None,
    level: int | None,
    top_k: int,
    language: str,
) -> Task:
    """Return the task of saying who appears when.

    Args:
        model: the bundle's folder; None: what serves, and what was taught.
        version: of the bundle.
        every_s: seconds between the frames that are looked at.
        detector: name of what finds the faces.
        level: strictness of the detector.
        top_k: answers a track.
        language: of the names.
    """
    options = {
        "model": None if model is None else str(model),
        "version": version,
        "language": language,
        "watching": {"every_s": every_s, "detector": detector, "level": level, "top_k": top_k},
    }
    return Task("kyara.cli.identify_worker:open_watcher", options)


@contextmanager
def open_watcher(options: Mapping[str, Any]) -> Iterator[Callable[[str], Iterator[Record]]]:
    """A worker's side: give the function that watches one video.

    Its record has `video`, as the JSON document has it, and `problem`, where it is cut short.

    Raises:
        BundleError: the model is not there, or not the one that was meant.
    """
    import cv2

    cv2.setNumThreads(1)  # there is a worker for each processor
    model = options["model"]
    classifier = ServingClassifier(None if model is None else Path(model), threads=1)
    if classifier.bundle.version != options["version"]:
        raise BundleError(
            f"Another model serves now: it was {options['version']}, and is {classifier.bundle.version} "
            "now. Start again."
        )

    def watch(name: str) -> Iterator[Record]:
        watched = watch_video(Path(name), classifier, **options["watching"])
        video = describe_video_people(watched, classifier, options["language"])
        yield Record({"video": video, "problem": watched.problem})

    yield watch
