"""Saliency maps from scores alone: where to hide or cut a crop, and what the scores say of its places.

In: a function that scores masks or boxes. Out: a map `float32 (S, S)` in units of the score. The map's
grid lies over the crop, stretched to its shape. Nothing here knows of models or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image

from kyara.vision.boxes import Box

PATCH_SHARE = 0.28
"""Side of the occluding patch, as a share of the map's."""
WINDOW_SHARES = (0.35, 0.5)
"""Sides of the sliding windows, as shares of the map's."""
MASK_CELLS = 5
"""A random mask is drawn on so many cells a side, then enlarged."""

ScoreMasks = Callable[[Iterable[np.ndarray]], np.ndarray]
"""Masks `float32 (S, S)`, 1 where the crop is shown and 0 where it is hidden → `float (N,)` scores."""
ScoreBoxes = Callable[[Iterable[Box]], np.ndarray]
"""Boxes on the map's grid, cut out of the crop → `float (N,)` scores."""


def slide_box(size: int, side: int, steps: int) -> list[Box]:
    """Return the places of a square that slides over a grid in even steps.

    Args:
        size: side of the grid.
        side: of the square, 1 to `size`.
        steps: places along each side; the first touches the grid's start, the last its end.

    Returns:
        `steps²` boxes, row by row.

    Raises:
        ValueError: the square does not fit, or no step.
    """
    if not 1 <= side <= size or steps < 1:
        raise ValueError(f"A square of {side} in {steps} steps does not slide over {size}.")
    starts = np.linspace(0, size - side, steps).round().astype(int)
    return [Box(int(x), int(y), side, side) for y in starts for x in starts]


def spread_values(boxes: Sequence[Box], values: np.ndarray, size: int) -> np.ndarray:
    """Give every cell the mean value of the boxes that hold it, those in whose middle it lies first.

    A box weighs most at its centre and falls off evenly to its edges, so that no edges are seen.

    Args:
        boxes: on the grid.
        values: `float (N,)`, one a box.
        size: side of the grid.

    Returns:
        `float32 (size, size)`; 0 in cells that no box holds.
    """
    total, count = np.zeros((2, size, size))
    for box, value in zip(boxes, values, strict=True):
        place = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
        weight = np.outer(_rise_and_fall(box.height), _rise_and_fall(box.width))
        total[place] += weight * value
        count[place] += weight
    return np.divide(total, count, out=total, where=count > 0).astype(np.float32)


def _rise_and_fall(length: int) -> np.ndarray:
    """Return 1, 2, 3, 2, 1 for the length 5 and 1, 2, 2, 1 for 4."""
    return np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))


def hide_box(box: Box, size: int) -> np.ndarray:
    """Return a mask `float32 (size, size)` that hides a box: 0 inside, 1 outside."""
    mask = np.ones((size, size), np.float32)
    mask[box.y : box.y + box.height, box.x : box.x + box.width] = 0
    return mask


def map_occlusion(score: ScoreMasks, size: int, budget: int) -> np.ndarray:
    """Slide a patch over the crop: how much does the score fall where it hides something?

    Args:
        score: scores masked crops.
        size: side of the map.
        budget: how many masks may be scored; one shows the whole crop.

    Returns:
        `float32 (size, size)`; positive where hiding lowers the score.

    Source: Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901
    """
    boxes = slide_box(size, max(1, round(size * PATCH_SHARE)), int((budget - 1) ** 0.5))
    whole = np.ones((size, size), np.float32)
    scores = score(mask for mask in (whole, *(hide_box(box, size) for box in boxes)))
    return spread_values(boxes, scores[0] - scores[1:], size)


def map_windows(score: ScoreBoxes, size: int, budget: int) -> np.ndarray:
    """Slide windows of several sizes over the crop: what is the score of what each one shows?

    Args:
        score: scores the parts of the crop in boxes, each cut out and enlarged.
        size: side of the map.
        budget: how many boxes may be scored.

    Returns:
        `float32 (size, size)`: the mean over the sizes of the mean score of the windows over a place.
    """
    steps = int((budget / len(WINDOW_SHARES)) ** 0.5)
    scales = [slide_box(size, max(1, round(size * share)), steps) for share in WINDOW_SHARES]
    scores = np.split(score(box for boxes in scales for box in boxes), len(scales))
    maps = [spread_values(boxes, values, size) for boxes, values in zip(scales, scores, strict=True)]
    return np.mean(maps, axis=0)


def draw_masks(count: int, size: int, seed: int) -> np.ndarray:
    """Draw random smooth masks.

    Args:
        count: how many.
        size: side of the grid.
        seed: the same seed draws the same masks.

    Returns:
        `float32 (count, size, size)` from 0 to 1, one half on average.

    Source: Petsiuk et al. 2018 (RISE), https://arxiv.org/abs/1806.07421
    """
    rng = np.random.default_rng(seed)
    cell = -(-size // MASK_CELLS)
    side = (MASK_CELLS + 1) * cell
    masks = np.empty((count, size, size), np.float32)
    for mask in masks:
        cells = rng.integers(0, 2, (MASK_CELLS + 1, MASK_CELLS + 1)).astype(np.float32)
        smooth = Image.fromarray(cells).resize((side, side), Image.Resampling.BILINEAR)
        dy, dx = rng.integers(0, side - size + 1, 2)
        mask[:] = np.asarray(smooth)[dy : dy + size, dx : dx + size]
    return masks


def map_random_masks(score: ScoreMasks, size: int, budget: int) -> np.ndarray:
    """Hide random halves of the crop: how much higher is the score where a place is shown?

    Masks come in pairs, of which the second shows what the first hides; only the difference of a
    pair's scores counts. So a few hundred masks do where the paper draws thousands.

    Args:
        score: scores masked crops.
        size: side of the map.
        budget: how many masks may be scored, at least 2.

    Returns:
        `float32 (size, size)`: the slope of the score over how much of a place is shown.

    Source: Petsiuk et al. 2018 (RISE), https://arxiv.org/abs/1806.07421
    """
    masks = draw_masks(budget // 2, size, seed=0)
    scores = score(half for mask in masks for half in (mask, 1 - mask))
    shown = 2 * masks - 1
    weighted = np.einsum("n,nyx->yx", scores[0::2] - scores[1::2], shown)
    return (weighted / np.maximum((shown**2).sum(axis=0), 1e-6)).astype(np.float32)


def scale_heat(raw: np.ndarray, floor: float, span: float) -> np.ndarray:
    """Scale a map to what is coloured.

    Args:
        raw: `float (S, S)`.
        floor: becomes 0, as does everything below it.
        span: above 0; what lies so much higher becomes 1, as does everything above it.

    Returns:
        `float32 (S, S)` from 0 to 1.
    """
    return np.clip((raw - floor) / span, 0, 1).astype(np.float32)
