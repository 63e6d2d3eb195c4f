"""Many sources at a time: workers look at them, and their faces come into the inbox in order.

A worker reads the inbox, to go on where an earlier run was, and never writes to it. What comes out is,
to the byte, what `collect_source` leaves after one source and the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kyara.dataset.collect.inbox import PROGRESS_FOLDER, CollectedFace, Inbox, read_note
from kyara.dataset.collect.running import Collected, Step, hash_source, tell_tally, watch_source
from kyara.dataset.collect.settings import Settings
from kyara.errors import KyaraError
from kyara.storage.parallel import Pool, Record, Task, Work, run_work
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import FaceDetector, open_detector, tell_nothing
from kyara.vision.sources import measure_duration

WORK_FOLDER = "work"
"""In the inbox's folder of notes."""


def plan_collecting(inbox: Path, settings: Settings) -> Task:
    """Return the task of collecting into an inbox."""
    options = {"inbox": str(inbox), "settings": asdict(settings)}
    return Task("kyara.dataset.collect.bulk:open_collector", options)


def find_work(inbox: Path) -> Path:
    """Return the work folder of an inbox."""
    return inbox / PROGRESS_FOLDER / WORK_FOLDER


@contextmanager
def open_chosen_detector(
    settings: Settings, tell: Callable[[str], None] = tell_nothing
) -> Iterator[FaceDetector]:
    """Give the detector that the settings name.

    Raises:
        KyaraError: it cannot be installed, or does not work.
    """
    threshold = settings.threshold if settings.detector == "animeface-2009" else None
    with open_detector(settings.detector, threshold=threshold, tell=tell) as detector:
        yield detector


@contextmanager
def open_collector(options: Mapping[str, Any]) -> Iterator[Callable[[str], Iterator[Record]]]:
    """A worker's side: give the function that looks at one source."""
    import cv2

    cv2.setNumThreads(1)  # there is a worker for each processor
    settings, inbox = Settings(**options["settings"]), Path(options["inbox"])
    with ExitStack() as held:
        detect = held.enter_context(open_chosen_detector(settings))

        def look(name: str) -> Iterator[Record]:
            source = Path(name)
            measure_duration(source)
            digest, note = "", {}
            try:
                digest = hash_source(source)
                note = read_note(inbox, digest, settings.key)
                for step in watch_source(source, digest, note, settings, detect):
                    yield from _record_faces(step)
                    note = step.note
            except KyaraError:  # of a damaged source, too: what it gave counts
                yield Record({"source_sha256": digest, "note": note})
                raise
            yield Record({"source_sha256": digest, "note": note})

        yield look


def _record_faces(step: Step) -> Iterator[Record]:
    for face in step.faces:
        entry = asdict(face)
        data = entry.pop("data")
        yield Record({"face": entry}, data)


def collect_many(
    work: Work,
    pool: Pool,
    inbox: Inbox,
    settings: Settings,
    failed: Callable[[str, str], None],
    progress: Callable[[int], None] = lambda items: None,
) -> Iterator[tuple[str, Collected]]:
    """Collect the faces of many sources.

    Yields:
        What each source gave, all runs together, in order; nothing of one that is no video at all.

    Raises:
        KyaraError: it cannot go on; what was collected is kept.
    """
    for number in run_work(work, pool, progress):
        tally: Collected | None = None
        for part in work.read_results(number):
            if isinstance(part, Record):
                if "face" in part.entry:
                    inbox.add([_restore_face(part)])
                else:
                    tally = _keep_note(part.entry, inbox, settings)
                continue
            if part.error:
                failed(part.name, part.error)
            if tally is not None:
                yield part.name, tally
            tally = None


def _restore_face(record: Record) -> CollectedFace:
    entry = dict(record.entry["face"])
    return CollectedFace(**{**entry, "box": Box(**entry["box"]), "data": record.data})


def _keep_note(entry: Mapping[str, Any], inbox: Inbox, settings: Settings) -> Collected:
    """Note how far a source is, unless its twin has brought it further."""
    digest, note = entry["source_sha256"], entry["note"]
    now, known = tell_tally(note), tell_tally(inbox.read_progress(digest, settings.key))
    if (now.done, now.next_frame) <= (known.done, known.next_frame):
        return known
    inbox.write_progress(digest, settings.key, note)
    return now
