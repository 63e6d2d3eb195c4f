"""Boxes: rectangles of a picture, and their arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in integer source-image pixels; the origin is the picture's top left."""

    x: int
    y: int
    width: int
    height: int

    def to_json(self) -> dict[str, int]:
        """Return `{"x", "y", "width", "height"}`."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height}


@dataclass(frozen=True)
class Window:
    """The part of a picture that a model sees of a face.

    Attributes:
        box: upright in the picture; of a turned face it may reach over the edge.
        roll_deg: the face leans so far clockwise, and the window is turned with it about its middle.
    """

    box: Box
    roll_deg: float = 0.0


@dataclass(frozen=True)
class FoundFace:
    """A face that a detector found.

    Attributes:
        box: in source pixels, inside the picture.
        score: how sure the detector is: of the cascade, how many windows agree; else 0 to 1.
        eyes: x and y of both eyes in source pixels, the one further left in an upright face first; None
            where the detector does not tell.
        roll_deg: how far it leans clockwise, -180 to 180: what the picture was turned by to find it, and
            what its eyes add to that.
    """

    box: Box
    score: float
    eyes: tuple[float, float, float, float] | None = None
    roll_deg: float = 0.0


def measure_overlap(a: Box, b: Box) -> float:
    """Return intersection over union, 0 to 1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.width * a.height + b.width * b.height - shared)


def widen_box(box: Box, margin: float, width: int, height: int) -> Box:
    """Add a share of a box's size on each side, and cut it to the picture."""
    more_x, more_y = round(box.width * margin), round(box.height * margin)
    left, top = max(0, box.x - more_x), max(0, box.y - more_y)
    right = min(width, box.x + box.width + more_x)
    bottom = min(height, box.y + box.height + more_y)
    return Box(left, top, right - left, bottom - top)


def grow_box(box: Box, times: float, width: int, height: int) -> Box:
    """Make a box so many times as wide and high about the same middle, and cut it to the picture."""
    across, down = box.width * times / 2, box.height * times / 2
    middle_x, middle_y = box.x + box.width / 2, box.y + box.height / 2
    left = min(max(math.floor(middle_x - across + 0.5), 0), width - 1)
    top = min(max(math.floor(middle_y - down + 0.5), 0), height - 1)
    right = min(max(math.floor(middle_x + across + 0.5), left + 1), width)
    bottom = min(max(math.floor(middle_y + down + 0.5), top + 1), height)
    return Box(left, top, right - left, bottom - top)


def spread_box(box: Box, times: float) -> Box:
    """Make a box so many times as wide and high about the same middle, over the picture's edge too."""
    width, height = (max(1, math.floor(side * times + 0.5)) for side in (box.width, box.height))
    x, y = box.x + box.width / 2 - width / 2, box.y + box.height / 2 - height / 2
    return Box(math.floor(x + 0.5), math.floor(y + 0.5), width, height)


def turn_box(box: Box, height: int) -> Box:
    """Return where a box lies after its picture, so many pixels high, was turned a quarter clockwise."""
    return Box(height - box.y - box.height, box.x, box.height, box.width)


def scale_box(box: Box, scale: float) -> Box:
    """Bring a box from a frame that was made smaller to the frame as the video has it."""
    if scale == 1:
        return box
    left, top = round(box.x / scale), round(box.y / scale)
    right, bottom = round((box.x + box.width) / scale), round((box.y + box.height) / scale)
    return Box(left, top, right - left, bottom - top)
