"""Faces of neighbouring frames that look the same: the first is kept, the others are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kyara.likeness import COLOUR_SIDE, HASH_BITS, hash_picture, have_same_colours, sample_colours

NEIGHBOURS = 10
"""Frames that were looked at, back from now, in which a look-alike must have been seen."""


@dataclass(frozen=True)
class Seen:
    """A face that was kept.

    Attributes:
        kind: its detector: halves and whole frames are compared among themselves.
        bits: its perceptual hash, `uint64 (4,)`.
        colours: `int16 (4, 4, 2)`.
        last: when it, or one that looks like it, was last seen: count of frames that were looked at.
    """

    kind: str
    bits: np.ndarray
    colours: np.ndarray
    last: int

    def to_json(self) -> list[Any]:
        """Return what the inbox keeps."""
        return [self.kind, self.bits.tobytes().hex(), self.colours.ravel().tolist(), self.last]

    @classmethod
    def from_json(cls, data: list[Any]) -> Seen:
        """Return what `to_json` was called on."""
        kind, bits, colours, last = data
        hashed = np.frombuffer(bytes.fromhex(bits), np.uint64)
        if hashed.shape != (HASH_BITS // 64,):
            raise ValueError(f"A hash has {HASH_BITS} bits.")
        shape = (COLOUR_SIDE, COLOUR_SIDE, 2)
        return cls(str(kind), hashed, np.array(colours, np.int16).reshape(shape), int(last))


class Memory:
    """The faces of the last frames of one source."""

    def __init__(self, near_bits: int, seen: list[Seen] | None = None) -> None:
        """Start, or go on with what `seen` was.

        Args:
            near_bits: most bits in which look-alikes differ; 0 or less: nothing looks alike.
            seen: of an earlier run.
        """
        self.near_bits = near_bits
        self.seen = seen or []

    def is_new(self, pixels: np.ndarray, kind: str, now: int) -> bool:
        """Return whether no face of the last frames looks like this one, and remember it.

        Args:
            pixels: of the face, `uint8 (H, W, 3)`.
            kind: of the face.
            now: count of frames that were looked at.
        """
        if self.near_bits <= 0:
            return True
        self.seen = [face for face in self.seen if now - face.last <= NEIGHBOURS]
        bits, _ = hash_picture(pixels)
        colours = sample_colours(pixels)
        best, least = None, self.near_bits + 1
        for place, face in enumerate(self.seen):
            apart = int(np.bitwise_count(face.bits ^ bits).sum())
            if face.kind == kind and apart < least and have_same_colours(face.colours, colours):
                best, least = place, apart
        if best is None:
            self.seen.append(Seen(kind, bits, colours, now))
            return True
        self.seen[best] = replace(self.seen[best], last=now)
        return False
