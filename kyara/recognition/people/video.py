"""A video → tracks, each with the answers of the whole track."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from kyara.errors import BrokenVideoError
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.classifier import Classifier
from kyara.recognition.pictures import find_faces
from kyara.vision.bars import find_common_picture, join_picture
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import open_detector
from kyara.vision.images import crop_pixels
from kyara.vision.tracking import Detection, Track, Tracker
from kyara.vision.video import Sampling, VideoInfo, describe_video, read_frames, sample_frames

LEAST_DETECTIONS = 2
"""A track of fewer is the detector's mistake more often than a face."""
_GLANCE_PX = (64, 36)
_LEAST_CHANGE = 3.0
"""Where no field of the glance changes by more, of 255, a frame is the last one again: drawn films hold
one drawing for several frames."""
CUT_SCORE = 0.3
"""Of FFmpeg: a frame with a higher scene score is looked at, too, so that no box outlives a cut."""
BAR_FRAMES = 16
"""So many of the video are looked at for black bars before it is watched: nearly always enough."""


@dataclass(frozen=True)
class Person:
    """A track and who it is.

    Attributes:
        track: of the face.
        answers: of the mean of its features.
        end_s: until when it is shown: the frame after the last one with it.
    """

    track: Track
    answers: FaceAnswers
    end_s: float

    @property
    def start_s(self) -> float:
        return self.track.start_s

    @property
    def name(self) -> str:
        """The label that is shown; empty: unknown."""
        return _get_name(self.answers)


@dataclass(frozen=True)
class VideoFaces:
    """Who is in a video.

    Attributes:
        source: the file.
        info: what it says of itself.
        times_s: of the frames that were looked at.
        alone: the names of each of these frames as they would be shown without tracks.
        people: one a track, by start.
        duration_s: of what could be read.
        problem: what is wrong with the file, or empty.
    """

    source: Path
    info: VideoInfo
    times_s: tuple[float, ...]
    alone: tuple[Counter[str], ...]
    people: tuple[Person, ...]
    duration_s: float
    problem: str = ""

    def count_changes(self) -> tuple[int, int]:
        """Return how often a name that is shown changes: with tracks, and each frame taken alone."""
        tracked = [
            Counter(person.name for person in self.people if person.start_s <= time < person.end_s)
            for time in self.times_s
        ]
        return _count_changes(tracked), _count_changes(self.alone)


def watch_video(
    source: Path,
    classifier: Classifier,
    *,
    every_s: float = 0.2,
    detector: str | None = None,
    level: int | None = None,
    top_k: int = 5,
    progress: Callable[[float], None] = lambda time_s: None,
) -> VideoFaces:
    """Find the faces of a video and say who they are.

    Args:
        source: a video or an animation.
        classifier: says who it is.
        every_s: seconds between the frames that are looked at.
        detector: name of what finds the faces.
        level: strictness of the detector.
        top_k: answers a track.
        progress: called with the time up to which the video is done.

    Raises:
        KyaraError: the file cannot be read. One that is cut short is watched as far as it goes.
    """
    info = describe_video(source)
    part = _find_part(source, info)
    scene_score = CUT_SCORE * part.width * part.height / (info.width * info.height)  # bars never change
    classifier = classifier.frozen()
    find_window = classifier.bundle.preprocessing.find_window
    tracker, times, alone = Tracker(), [], []
    found, features = [], np.zeros((0, 1), np.float32)
    seen, problem = None, ""
    try:
        with open_detector(detector) as finder:
            for frame in read_frames(source, Sampling(every_s=every_s, scene_score=scene_score)):
                is_usual = frame.pixels.shape[:2] == (info.height, info.width)
                wider = join_picture(part, frame.pixels) if is_usual else part
                if wider != part:
                    part, seen = wider, None
                within = crop_pixels(frame.pixels, part) if is_usual else frame.pixels
                glance = cv2.resize(within, _GLANCE_PX, interpolation=cv2.INTER_AREA)
                if seen is None or float(cv2.absdiff(seen, glance).max()) > _LEAST_CHANGE:
                    seen = glance
                    inside = part if is_usual else None
                    faces = find_faces(frame.pixels, finder, find_window, level, inside, plays=True)
                    features = classifier.look(faces.crops)
                    names = _name_alone(classifier, features) if faces.boxes else []
                    found = list(zip(faces.boxes, names, strict=True))
                tracker.add([Detection(frame.time_s, box, name) for box, name in found], features)
                times.append(frame.time_s)
                alone.append(Counter(name for _, name in found))
                progress(frame.time_s)
    except BrokenVideoError as error:
        if not times:
            raise
        problem = str(error)
    last = times[-1] + every_s
    duration = min(info.duration_s or last, last) if problem else (info.duration_s or last)
    people = _name_tracks(tracker.tracks, classifier, [*times, duration], top_k)
    return VideoFaces(source, info, tuple(times), tuple(alone), tuple(people), duration, problem)


def _find_part(source: Path, info: VideoInfo) -> Box:
    """Return the part of a video within black bars."""

    def read() -> Iterator[np.ndarray]:
        with suppress(BrokenVideoError):  # told when it is watched
            for frame in sample_frames(source, BAR_FRAMES):
                yield frame.pixels

    return find_common_picture(read(), info.width, info.height)


def _name_alone(classifier: Classifier, features: np.ndarray) -> list[str]:
    return [_get_name(face) for face in classifier.answer(features, top_k=1)]


def _get_name(face: FaceAnswers) -> str:
    return face.answers[0].label if face.verdict == "known" else ""


def _name_tracks(
    tracks: Sequence[Track],
    classifier: Classifier,
    times: Sequence[float],
    top_k: int,
) -> list[Person]:
    least = min(LEAST_DETECTIONS, len(times) - 1)
    kept = [track for track in tracks if len(track.detections) >= least]
    if not kept:
        return []
    answers = classifier.answer(np.stack([track.mean for track in kept]), top_k=top_k)
    people = [
        Person(track, face, times[min(bisect_right(times, track.end_s), len(times) - 1)])
        for track, face in zip(kept, answers, strict=True)
    ]
    return sorted(people, key=lambda person: (person.start_s, person.track.detections[0].box.x))


def _count_changes(shown: Sequence[Counter[str]]) -> int:
    """Count names that come, go or become another between one frame and the next."""
    return sum(
        max((after - before).total(), (before - after).total()) for before, after in pairwise(shown)
    )
