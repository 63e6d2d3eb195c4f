"""Perceptual hashes: whether two pictures show the same drawing, and whether a video just showed it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

SAMPLED_PX = 64
HASH_SIDE = 16
HASH_BITS = HASH_SIDE * HASH_SIDE
"""The first of them, the mean brightness, is always 0."""
LEAST_DETAIL = 18.0
"""Below this upper quartile of the hashed frequencies' magnitudes a picture is a plain surface: its hash
is noise. In 2,880 crops of a cartoon 25 lay below, each an empty piece of background; in 12,031 drawn
faces none.
"""
COLOUR_SIDE = 4
MOST_COLOUR_CHANGE = 16.0
"""Of 255. Of 716 pairs of one drawing 98% lay below 8, and the greatest at 15.7."""


def hash_picture(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a hash that stays nearly the same when a picture is scaled, recompressed or retouched.

    It is the sign of each of the 16×16 lowest frequencies of the grey picture. Mirroring the
    picture flips the signs of every second column: see `duplicates.MIRROR`.

    Args:
        pixels: `uint8 (H, W, 3)`.

    Returns:
        `uint64 (4,)`, and the upper quartile of those frequencies' magnitudes, 0 for an even surface.
        (Of a symmetric drawing half of them are 0: the median would call it plain.)

    Source:
        The DCT hash of C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
        Functions, 2010, https://www.phash.org/docs/pubs/thesis_zauner.pdf, with 0 for the median: the
        median of the frequencies is nearly 0, and this way a mirror image needs no second hash.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SAMPLED_PX, SAMPLED_PX), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:HASH_SIDE, :HASH_SIDE].ravel()
    low[0] = 0.0  # brightness says nothing
    return np.packbits(low > 0).view(np.uint64), float(np.quantile(np.abs(low[1:]), 0.75))


def sample_colours(pixels: np.ndarray) -> np.ndarray:
    """Return the mean colours of 4×4 fields, without their brightness.

    Args:
        pixels: `uint8 (H, W, 3)`.

    Returns:
        `int16 (4, 4, 2)`: Cr and Cb, 0 to 255.
    """
    small = cv2.resize(pixels, (SAMPLED_PX, SAMPLED_PX), interpolation=cv2.INTER_AREA)
    fields = cv2.resize(small, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(fields, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(np.int16)


def have_same_colours(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two pictures have the same colours in the same places.

    Args:
        first: `int16 (4, 4, 2)` as `sample_colours` returns it.
        second: likewise.
    """
    return float(np.abs(first - second).mean()) <= MOST_COLOUR_CHANGE


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
        return [self.kind, self.bits.tobytes().hex(), self.colours.ravel().tolist(), self.last]

    @classmethod
    def from_json(cls, data: list[Any]) -> Seen:
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
