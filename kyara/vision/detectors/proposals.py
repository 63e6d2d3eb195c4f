"""The geometry of face proposals, apart from OpenCV.

A picture is looked at in several *views*: scaled, padded on every side, and turned about its
middle. Windows found in a view are mapped back to *candidates* in source pixels, candidates of
all views are merged, and what is left becomes boxes. `static/js/faces/detection.js` is the same, step by
step, and both sides read `static/detector.json`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from kyara.storage.paths import ROOT
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.detectors.base import sort_faces

SETTINGS_PATH = ROOT / "static" / "detector.json"


@dataclass(frozen=True)
class Level:
    """One step of the control between fewer and more faces.

    Attributes:
        longest_sides_px: sizes in which the picture is looked at.
        min_window_px: smallest window, in pixels of the view.
        neighbours: the cascade's own grouping keeps groups of more windows than this.
        votes: fewest windows, of all views together, that make a box.
    """

    longest_sides_px: tuple[int, ...]
    min_window_px: int
    neighbours: int
    votes: int


@dataclass(frozen=True)
class DetectorSettings:
    """What `static/detector.json` holds.

    Attributes:
        padding_share: width of the padding as a share of the scaled picture's width and height.
        padding_value: grey of the padding, 0 to 255.
        equalise: whether the histogram of the padded picture is equalised.
        angles_deg: turns of the picture, counter-clockwise.
        scale_factor: step between the cascade's window sizes.
        min_box_px: smallest side of a box, in source pixels.
        box_scale: side of a box relative to the tight face: the cascade takes in hair.
        merge_overlap: intersection over union above which two candidates are one face.
        merge_inside: intersection over the smaller area above which two candidates are one face.
        max_boxes: most boxes of one picture.
        default_level: index into `levels`.
        levels: from fewer faces to more.
    """

    padding_share: float
    padding_value: int
    equalise: bool
    angles_deg: tuple[float, ...]
    scale_factor: float
    min_box_px: int
    box_scale: float
    merge_overlap: float
    merge_inside: float
    max_boxes: int
    default_level: int
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class View:
    """How a picture is scaled, padded and turned before the cascade sees it; lengths in view pixels."""

    scale: float
    width: int
    height: int
    pad_x: int
    pad_y: int
    turned_width: int
    turned_height: int
    cos: float
    sin: float


@dataclass(frozen=True)
class Candidate:
    """A square that may hold a face, by its middle, in source pixels.

    Attributes:
        x: middle, from the left.
        y: middle, from the top.
        size: side of the square.
        votes: how many windows agree.
        rank: position of its view in the plan.
    """

    x: float
    y: float
    size: float
    votes: int
    rank: int


@cache
def load_settings() -> DetectorSettings:
    """Read `static/detector.json`, once."""
    data = json.loads(SETTINGS_PATH.read_text(encoding="utf-8"))
    data.pop("live")  # of the page alone
    padding, merge = data.pop("padding"), data.pop("merge")
    levels = tuple(
        Level(**level | {"longest_sides_px": tuple(level["longest_sides_px"])})
        for level in data.pop("levels")
    )
    return DetectorSettings(
        padding_share=padding["share"],
        padding_value=padding["value"],
        merge_overlap=merge["overlap"],
        merge_inside=merge["inside"],
        angles_deg=tuple(data.pop("angles_deg")),
        levels=levels,
        **data,
    )


def plan_views(width: int, height: int, settings: DetectorSettings, level: Level) -> list[View]:
    """List every view of one level: all sizes, and in each size all angles."""
    return [
        plan_view(width, height, side, settings.padding_share, angle)
        for side in level.longest_sides_px
        for angle in settings.angles_deg
    ]


def plan_view(
    source_width: int, source_height: int, longest_side: int, padding_share: float, angle: float
) -> View:
    """Work out one view.

    Args:
        source_width: of the picture, in its own pixels.
        source_height: of the picture, in its own pixels.
        longest_side: of the scaled picture, in view pixels.
        padding_share: of the scaled width (left and right) and height (top and bottom).
        angle: in degrees, counter-clockwise.
    """
    scale = longest_side / max(source_width, source_height)
    width, height = max(1, _round(source_width * scale)), max(1, _round(source_height * scale))
    pad_x, pad_y = _round(width * padding_share), _round(height * padding_share)
    cos, sin = _steady(math.cos(angle * math.pi / 180)), _steady(math.sin(angle * math.pi / 180))
    full_width, full_height = width + 2 * pad_x, height + 2 * pad_y
    return View(
        scale=scale,
        width=width,
        height=height,
        pad_x=pad_x,
        pad_y=pad_y,
        turned_width=_round(full_width * abs(cos) + full_height * abs(sin)),
        turned_height=_round(full_width * abs(sin) + full_height * abs(cos)),
        cos=cos,
        sin=sin,
    )


def turning_matrix(view: View) -> np.ndarray:
    """Return the `float64 (2, 3)` matrix that turns the padded picture about its middle.

    It is meant for warpAffine and maps the centres of pixels, hence the halves.
    """
    from_x, from_y = (view.width + 2 * view.pad_x - 1) / 2, (view.height + 2 * view.pad_y - 1) / 2
    to_x, to_y = (view.turned_width - 1) / 2, (view.turned_height - 1) / 2
    cos, sin = view.cos, view.sin
    return np.array(
        [
            [cos, sin, to_x - cos * from_x - sin * from_y],
            [-sin, cos, to_y + sin * from_x - cos * from_y],
        ]
    )


def map_back(window: tuple[float, float, float], view: View, votes: int, rank: int) -> Candidate:
    """Bring a window `(left, top, size)` of a view back into the source picture."""
    left, top, size = window
    x, y = left + size / 2 - view.turned_width / 2, top + size / 2 - view.turned_height / 2
    return Candidate(
        x=(view.cos * x - view.sin * y + view.width / 2) / view.scale,
        y=(view.sin * x + view.cos * y + view.height / 2) / view.scale,
        size=size / view.scale,
        votes=votes,
        rank=rank,
    )


def merge_candidates(candidates: list[Candidate], settings: DetectorSettings) -> list[Candidate]:
    """Leave one candidate per face.

    The candidate with the most votes leads; every other that overlaps the leader by more than
    `merge_overlap` (intersection over union) or `merge_inside` (intersection over the smaller
    area) gives its votes to the leader. Repeated with what is left. Of equal votes the earlier
    view comes first, then from top to bottom, left to right.

    Returns:
        The leaders, most votes of their own first, with the votes of all that they lead.
    """
    leaders: list[Candidate] = []
    votes: list[int] = []
    for candidate in sorted(candidates, key=lambda c: (-c.votes, c.rank, c.y, c.x, c.size)):
        for index, leader in enumerate(leaders):
            if _is_same_face(leader, candidate, settings):
                votes[index] += candidate.votes
                break
        else:
            leaders.append(candidate)
            votes.append(candidate.votes)
    return [replace(leader, votes=count) for leader, count in zip(leaders, votes, strict=True)]


def choose_voted_boxes(
    candidates: list[Candidate], width: int, height: int, settings: DetectorSettings, level: Level
) -> list[FoundFace]:
    """Turn candidates into the boxes that people see, each with the number of windows that agree on it.

    Candidates are merged; those with too few votes, with their middle outside the picture, or
    tiny once they are cut to the picture are dropped, and so are the weakest past `max_boxes`.

    Returns:
        In the order of `base.sort_faces`.
    """
    merged = [
        candidate
        for candidate in merge_candidates(candidates, settings)
        if candidate.votes >= level.votes and 0 <= candidate.x < width and 0 <= candidate.y < height
    ]
    merged.sort(key=lambda c: (-c.votes, c.rank, c.y, c.x))
    faces = [FoundFace(_cut_to_picture(one, width, height), float(one.votes)) for one in merged]
    faces = [face for face in faces if min(face.box.width, face.box.height) >= settings.min_box_px]
    return sort_faces(faces[: settings.max_boxes])


def _is_same_face(a: Candidate, b: Candidate, settings: DetectorSettings) -> bool:
    half, smaller = (a.size + b.size) / 2, min(a.size, b.size)
    width, height = min(half - abs(a.x - b.x), smaller), min(half - abs(a.y - b.y), smaller)
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    union = a.size * a.size + b.size * b.size - shared
    return shared > settings.merge_overlap * union or shared > settings.merge_inside * smaller * smaller


def _cut_to_picture(candidate: Candidate, width: int, height: int) -> Box:
    half = candidate.size / 2
    left, top = max(0, _round(candidate.x - half)), max(0, _round(candidate.y - half))
    right, bottom = min(width, _round(candidate.x + half)), min(height, _round(candidate.y + half))
    return Box(left, top, right - left, bottom - top)


def _round(value: float) -> int:
    """Round half up, as JavaScript does."""
    return math.floor(value + 0.5)


def _steady(value: float) -> float:
    """Round to a multiple of 2⁻²⁰: libraries' sines differ in the last bit."""
    return math.floor(value * 2**20 + 0.5) / 2**20
