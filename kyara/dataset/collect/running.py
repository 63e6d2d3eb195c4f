"""One source, from where an earlier run left it to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kyara.dataset.collect.finding import find_faces
from kyara.dataset.collect.inbox import CollectedFace, Inbox, name_collected
from kyara.dataset.collect.settings import Settings
from kyara.errors import BadInputError
from kyara.recognition.bundle import hash_file
from kyara.vision.boxes import scale_box
from kyara.vision.detectors.base import FaceDetector
from kyara.vision.frames import Frame
from kyara.vision.images import crop_pixels, encode_png
from kyara.vision.phash import Memory, Seen
from kyara.vision.sources import read_source

Progress = Callable[[float], None]
"""Called with the time in seconds up to which a source is done."""


@dataclass(frozen=True)
class Collected:
    """What a source gave, all runs together.

    Attributes:
        frames: that were looked at.
        with_faces: frames in which there was a face, be it a near-duplicate.
        found: faces in them.
        kept: faces, and parts of frames, that are no near-duplicates.
        next_frame: the first frame that was not looked at.
        done: whether the source was read to its end.
    """

    frames: int = 0
    with_faces: int = 0
    found: int = 0
    kept: int = 0
    next_frame: int = 0
    done: bool = False


@dataclass(frozen=True)
class Step:
    """A frame that was looked at, or the end.

    Attributes:
        faces: to keep of it.
        tally: from the first frame to this one.
        note: what the inbox keeps, to go on from here.
        time_s: when the frame is shown.
    """

    faces: list[CollectedFace]
    tally: Collected
    note: dict[str, Any]
    time_s: float


def watch_source(
    source: Path, digest: str, note: Mapping[str, Any], settings: Settings, detector: FaceDetector
) -> Iterator[Step]:
    """Look at the frames of one source, or at the rest of them; nothing is written.

    Args:
        source: a video, an animation or a picture.
        digest: SHA-256 of its content.
        note: what the inbox keeps of it.
        settings: what is wanted.
        detector: finds bare faces.

    Yields:
        A step for each frame, and one for the end. None where the note says that the source is done.

    Raises:
        KyaraError: the source cannot be read, or is damaged.
    """
    tally, memory = _resume(note, settings)
    if tally.done:
        return
    for frame in read_source(source, settings.sampling, tally.next_frame):
        faces, tally = _look_at(frame, tally, memory, settings, detector, str(source), digest)
        yield Step(faces, tally, _note(source, tally, memory), frame.time_s)
    tally = replace(tally, done=True)
    yield Step([], tally, _note(source, tally, memory), 0.0)


def collect_source(
    source: Path,
    inbox: Inbox,
    settings: Settings,
    detector: FaceDetector,
    progress: Progress = lambda time_s: None,
) -> Collected:
    """Collect the faces of one source, or the rest of them.

    Raises:
        KyaraError: the source cannot be read, or is damaged; what it gave until then is kept.
    """
    digest = hash_source(source)
    note = inbox.read_progress(digest, settings.key)
    tally = tell_tally(note)
    for step in watch_source(source, digest, note, settings, detector):
        tally = step.tally
        inbox.add(step.faces)
        inbox.write_progress(digest, settings.key, step.note)
        if not tally.done:
            progress(step.time_s)
    return tally


def hash_source(source: Path) -> str:
    """Return the SHA-256 of a source.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        return hash_file(source)
    except OSError as error:
        raise BadInputError(f"Cannot read {source}: {error.strerror or error}.") from error


def tell_tally(note: Mapping[str, Any]) -> Collected:
    """Return what a note of the inbox tells of a source; all zero if it cannot be read."""
    return _resume(note, Settings())[0]


def read_tally(source: Path, inbox: Inbox, settings: Settings) -> Collected:
    """Return what a source has given so far, all runs together."""
    try:
        return tell_tally(inbox.read_progress(hash_file(source), settings.key))
    except OSError:
        return Collected()


def _look_at(
    frame: Frame,
    tally: Collected,
    memory: Memory,
    settings: Settings,
    detector: FaceDetector,
    source: str,
    digest: str,
) -> tuple[list[CollectedFace], Collected]:
    found = find_faces(frame.pixels, settings, detector)
    kept = []
    for one in found:
        pixels = crop_pixels(frame.pixels, one.box)
        if not memory.is_new(pixels, one.detector, tally.frames):
            continue
        box = scale_box(one.box, frame.scale)
        name = name_collected(digest, frame.number, box)
        data = encode_png(pixels)
        kept.append(
            CollectedFace(
                name, data, source, digest, frame.time_s, frame.number, box, one.detector, one.score
            )
        )
    faces = sum(one.score is not None for one in found)
    return kept, Collected(
        frames=tally.frames + 1,
        with_faces=tally.with_faces + (faces > 0),
        found=tally.found + faces,
        kept=tally.kept + len(kept),
        next_frame=frame.number + 1,
    )


def _note(source: Path, tally: Collected, memory: Memory) -> dict[str, Any]:
    seen = [] if tally.done else [face.to_json() for face in memory.seen]
    return {"source": source.name, "tally": asdict(tally), "seen": seen}


def _resume(note: Any, settings: Settings) -> tuple[Collected, Memory]:
    """Return where an earlier run was; the start, where its note cannot be read."""
    try:
        tally = Collected(**note["tally"])
        seen = [Seen.from_json(data) for data in note["seen"]]
    except (KeyError, TypeError, ValueError):
        return Collected(), Memory(settings.near_bits)
    return tally, Memory(settings.near_bits, seen)
