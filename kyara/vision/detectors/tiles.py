"""The geometry of the face network's looks at a picture, apart from OpenCV.

A picture is cut into *tiles* where it is much longer than wide or wider than long; each tile is looked
at in several sizes, filled up to the network's multiple of pixels. What the network says becomes
*candidates* in source pixels, one is left a face. `static/js/faces/tiles.js` is the same, step by step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

CELL_PX = 8
"""Side of the square of view pixels that one score is about."""
SIDE_MULTIPLE_PX = 32
LEAST_AGAIN = 0.01
"""Scores below are not told apart in a second look."""
CHANNELS = 9
"""Of a cell: score (logit), middle (cells from the cell's own), logarithm of width and height in
cells, two eyes (shares of the box from its middle)."""


@dataclass(frozen=True)
class Tile:
    """A part of the source picture, in its pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class TileView:
    """A tile scaled to `width` x `height` and filled up, right and below, to the `padded_` sides."""

    tile: Tile
    scale: float
    width: int
    height: int
    padded_width: int
    padded_height: int


@dataclass(frozen=True)
class FaceCandidate:
    """A box that may hold a face, in source pixels.

    Attributes:
        x: of its middle.
        y: of its middle.
        width: of the tight face.
        height: of the tight face.
        score: 0 to 1.
        eyes: x and y of both.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    eyes: tuple[float, float, float, float]


def cut_tiles(width: int, height: int, longest_ratio: float, overlap: float) -> list[Tile]:
    """Cut a picture into tiles, top to bottom or left to right.

    Args:
        width: of the picture.
        height: of the picture.
        longest_ratio: a tile's longer side is at most so many times its shorter one.
        overlap: of neighbouring tiles, as a share of the shorter side.
    """
    shorter, longer = min(width, height), max(width, height)
    length = math.floor(shorter * longest_ratio)
    if longer <= length:
        return [Tile(0, 0, width, height)]
    step = length - math.floor(shorter * overlap)
    count = math.ceil((longer - length) / step) + 1
    starts = [min(index * step, longer - length) for index in range(count)]
    if height >= width:
        return [Tile(0, start, width, length) for start in starts]
    return [Tile(start, 0, length, height) for start in starts]


def plan_tile_view(tile: Tile, longest_side_px: float, most_enlarged: float) -> TileView:
    """Work out one look at a tile; a small one is enlarged `most_enlarged` times at most."""
    scale = min(longest_side_px / max(tile.width, tile.height), most_enlarged)
    width, height = max(1, _round(tile.width * scale)), max(1, _round(tile.height * scale))

    def fill(side: int) -> int:
        return math.ceil(side / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX

    return TileView(tile, scale, width, height, fill(width), fill(height))


def plan_second_look(
    candidate: FaceCandidate, width: int, height: int, face_px: float, side_px: float
) -> TileView:
    """Work out a look at one candidate and what is around it.

    Args:
        candidate: in a picture.
        width: of the picture.
        height: of the picture.
        face_px: the candidate's longer side, as the network will see it.
        side_px: of what it will see, at most.
    """
    scale = face_px / max(candidate.width, candidate.height)
    reach = side_px / scale / 2
    left, top = max(0, math.ceil(candidate.x - reach)), max(0, math.ceil(candidate.y - reach))
    right, bottom = (
        max(start + 1, min(math.floor(middle + reach), most))
        for start, middle, most in ((left, candidate.x, width), (top, candidate.y, height))
    )
    tile = Tile(left, top, right - left, bottom - top)
    return plan_tile_view(tile, scale * max(tile.width, tile.height), math.inf)


def join_looks(candidate: FaceCandidate, seen: list[FaceCandidate]) -> FaceCandidate:
    """Return a candidate with the score that two looks give it: the mean of their logits.

    Args:
        candidate: of the first look.
        seen: in the second one, with scores of at least `LEAST_AGAIN`, which is the second score if none
            of them is in the candidate's place.
    """
    again = max((face.score for face in seen if _is_in_place(face, candidate)), default=LEAST_AGAIN)
    logit = (_to_logit(candidate.score) + _to_logit(again)) / 2
    return replace(candidate, score=1 / (1 + math.exp(-logit)))


def _is_in_place(face: FaceCandidate, candidate: FaceCandidate) -> bool:
    side = max(candidate.width, candidate.height)
    distance = math.hypot(face.x - candidate.x, face.y - candidate.y)
    return distance < 0.35 * side and 0.5 < max(face.width, face.height) / side < 2


def _to_logit(score: float) -> float:
    return math.log(score / (1 - score))


def read_cells(cells: np.ndarray, view: TileView, floor: float) -> list[FaceCandidate]:
    """Find the peaks of the network's map.

    Args:
        cells: `float32 (h, w, 4 * CHANNELS)`: each holds four, from left to right, top to bottom.
        view: what the network saw.
        floor: least score.
    """
    rows, columns, _ = cells.shape
    parts = cells.reshape(rows, columns, 2, 2, CHANNELS).transpose(0, 2, 1, 3, 4)
    parts = parts.reshape(rows * 2, columns * 2, CHANNELS)
    logits = parts[..., 0]
    padded = np.pad(logits, 1, constant_values=-np.inf)
    around = np.stack(
        [
            padded[dy : dy + rows * 2, dx : dx + columns * 2]
            for dy in range(3)
            for dx in range(3)
            if (dy, dx) != (1, 1)
        ]
    )
    least = _to_logit(floor)
    peaks = (logits >= around.max(axis=0)) & (logits >= least)
    found = []
    for row, column in np.argwhere(peaks):
        logit, dx, dy, log_w, log_h, *eyes = (float(value) for value in parts[row, column])
        x, y = (column + 0.5 + dx) * CELL_PX, (row + 0.5 + dy) * CELL_PX
        width, height = math.exp(min(log_w, 6.0)) * CELL_PX, math.exp(min(log_h, 6.0)) * CELL_PX
        if not (0 <= x < view.width and 0 <= y < view.height):
            continue
        across, down = view.tile.width / view.width, view.tile.height / view.height
        places = [
            (x + eyes[0] * width) * across + view.tile.x,
            (y + eyes[1] * height) * down + view.tile.y,
            (x + eyes[2] * width) * across + view.tile.x,
            (y + eyes[3] * height) * down + view.tile.y,
        ]
        found.append(
            FaceCandidate(
                x * across + view.tile.x,
                y * down + view.tile.y,
                width * across,
                height * down,
                1 / (1 + math.exp(-logit)),
                tuple(places),  # type: ignore[arg-type]
            )
        )
    return found


def choose_candidates(
    candidates: list[FaceCandidate], overlap: float, inside: float
) -> list[FaceCandidate]:
    """Leave one candidate a face: the highest score leads, every other that overlaps it goes.

    Args:
        candidates: of all views.
        overlap: largest intersection over union of two faces.
        inside: largest intersection over the smaller area of two faces.
    """
    ordered = sorted(candidates, key=lambda c: (-c.score, c.y, c.x, c.width))
    places = np.array([(c.x, c.y, c.width, c.height) for c in ordered]).reshape(-1, 4)
    x, y, width, height = places.T
    left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    area = width * height
    free = np.ones(len(ordered), bool)
    leaders = []
    for index, candidate in enumerate(ordered):
        if not free[index]:
            continue
        leaders.append(candidate)
        across = np.minimum(right[index], right) - np.maximum(left[index], left)
        down = np.minimum(bottom[index], bottom) - np.maximum(top[index], top)
        shared = np.maximum(across, 0) * np.maximum(down, 0)
        union = area[index] + area - shared
        same = (shared > overlap * union) | (shared > inside * np.minimum(area[index], area))
        free &= ~same
    return leaders


def _round(value: float) -> int:
    return math.floor(value + 0.5)
