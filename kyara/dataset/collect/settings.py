"""What a collector is asked to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from kyara.vision.video import Sampling

MARGINS = {"cascade": 0.0}
"""By detector: boxes of the cascade take in hair and shoulders."""
TIGHT_MARGIN = 0.3
"""Of every other detector, whose boxes end at chin and brow."""


@dataclass(frozen=True)
class Settings:
    """All that decides what is collected of a source.

    Attributes:
        every_s: seconds between the frames that are looked at; not used where `scene_score` is set.
        scene_score: look at the first frame of each scene instead; 0 to 1.
        longest_px: frames with a longer side are made smaller first; None leaves them as they are.
        detector: which one finds the faces.
        level: strictness of the network or the cascade; 0, the strictest: a face that a frame misses
        is in the next. threshold: least likelihood of a face by animeface-2009, 0 to 1.
        margin: share of a face's box that is added on each side.
        smallest_px: a box with a shorter side, before the margin, is left out; in pixels of the frame.
        near_bits: faces of neighbouring frames whose hashes differ in at most so many of 255 bits are
            one; 0 keeps all.
        left_right_full: keep the left half, the right half and the whole of each frame, too.
    """

    every_s: float = 1.0
    scene_score: float | None = None
    longest_px: int | None = None
    detector: str = "cascade"
    level: int = 0
    threshold: float = 0.7
    margin: float = 0.0
    smallest_px: int = 48
    near_bits: int = 56
    left_right_full: bool = False

    @property
    def sampling(self) -> Sampling:
        every = self.every_s if self.scene_score is None else None
        return Sampling(every, self.scene_score, self.longest_px)

    @property
    def key(self) -> str:
        """A short name of these settings: another one where anything differs."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]
