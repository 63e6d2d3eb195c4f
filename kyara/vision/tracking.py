"""Faces of one frame after the other → tracks: the same face through time, missed detections bridged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kyara.vision.boxes import Box, measure_overlap

BRIDGE_S = 1.0
"""How long a face may be missed and still be the same track."""
LEAST_OVERLAP = 0.3
LEAST_COSINE = 0.4
"""Of two faces whose boxes overlap: below this it is somebody else (a cut from one face to another)."""
SAME_PLACE = 0.7
LEAST_COSINE_THERE = 0.2
"""The same where boxes overlap by more than `SAME_PLACE`: a face that closed its eyes to laugh had 0.3
to itself, and most faces of two characters in one clip had 0.1.
"""
SURE_COSINE = 0.8
"""Of two faces in different places: from this on it is the same one (a fast movement)."""
FARTHEST = 1.5
"""How far such a movement goes at most, in widths of the face."""


@dataclass(frozen=True)
class Detection:
    """A face in a frame.

    Attributes:
        time_s: of the frame.
        box: in its pixels.
        name: what the face alone was taken for; empty: unknown.
    """

    time_s: float
    box: Box
    name: str = ""


@dataclass
class Track:
    """The same face through time.

    Attributes:
        detections: in order of time, at least one.
        last: features of the last one, of unit length.
        total: sum of the features of all.
    """

    detections: list[Detection]
    last: np.ndarray
    total: np.ndarray
    _times: list[float] = field(default_factory=list, repr=False)

    @property
    def start_s(self) -> float:
        return self.detections[0].time_s

    @property
    def end_s(self) -> float:
        return self.detections[-1].time_s

    @property
    def mean(self) -> np.ndarray:
        """The mean of its features, `float32 (features,)`."""
        return self.total / len(self.detections)

    def find_box(self, time_s: float) -> Box:
        """Return where the face is, between two detections by linear interpolation."""
        if len(self._times) != len(self.detections):
            self._times = [detection.time_s for detection in self.detections]
        after = bisect_right(self._times, time_s)
        if after == 0 or after == len(self._times):
            return self.detections[min(after, len(self._times) - 1)].box
        one, other = self.detections[after - 1], self.detections[after]
        share = (time_s - one.time_s) / (other.time_s - one.time_s)
        a, b = one.box, other.box
        sides = ((a.x, b.x), (a.y, b.y), (a.width, b.width), (a.height, b.height))
        return Box(*(round(first + share * (second - first)) for first, second in sides))


class Tracker:
    """Tracks of a video that is read frame by frame."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []

    def add(self, detections: Sequence[Detection], features: np.ndarray) -> None:
        """Take in the faces of the next frame.

        Args:
            detections: of that frame.
            features: `float32 (N, features)`, of the same faces.
        """
        if not detections:
            return
        now = detections[0].time_s
        units = scale_to_unit(features)
        live = [track for track in self.tracks if now - track.end_s <= BRIDGE_S]
        pairs = sorted(
            (-score, t, s)
            for t, track in enumerate(live)
            for s in range(len(detections))
            if (score := _compare(track, detections[s].box, units[s])) > 0
        )
        taken: dict[int, Track] = {}
        free = set(range(len(live)))
        for _, t, s in pairs:
            if t in free and s not in taken:
                free.remove(t)
                taken[s] = live[t]
        for s, detection in enumerate(detections):
            if s in taken:
                taken[s].detections.append(detection)
                taken[s].last = units[s]
                taken[s].total = taken[s].total + features[s]
            else:
                self.tracks.append(Track([detection], units[s], features[s].astype(np.float32)))


def _compare(track: Track, box: Box, unit: np.ndarray) -> float:
    """Return how much a face goes with a track; 0 if it does not."""
    last = track.detections[-1].box
    overlap = measure_overlap(last, box)
    cosine = float(track.last @ unit)
    far = max(
        abs(last.x + last.width / 2 - box.x - box.width / 2),
        abs(last.y + last.height / 2 - box.y - box.height / 2),
    )
    near = far <= FARTHEST * max(last.width, box.width)
    least = LEAST_COSINE_THERE if overlap >= SAME_PLACE else LEAST_COSINE
    if (overlap >= LEAST_OVERLAP and cosine >= least) or (near and cosine >= SURE_COSINE):
        return overlap + max(cosine, 0.01)
    return 0.0


def scale_to_unit(features: np.ndarray) -> np.ndarray:
    """Scale each row of `float (N, features)` to unit length."""
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
