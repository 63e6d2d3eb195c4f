"""Maps from scores alone: boxes, masks and means worked by hand, with scores that are plain sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from kyara.recognition.saliency import (
    draw_masks,
    hide_box,
    map_occlusion,
    map_random_masks,
    map_windows,
    scale_heat,
    slide_box,
    spread_values,
)
from kyara.vision.boxes import Box


def sum_shown(weights: np.ndarray) -> Callable[[Iterable[np.ndarray]], np.ndarray]:
    """A score that is the sum of the weights that a mask shows."""
    return lambda masks: np.array([(weights * mask).sum() for mask in masks])


def one_at(y: int, x: int, size: int) -> np.ndarray:
    weights = np.zeros((size, size))
    weights[y, x] = 1
    return weights


def test_slide_box_goes_from_edge_to_edge_row_by_row():
    corners = [(box.x, box.y) for box in slide_box(4, 2, 3)]
    assert corners == [(x, y) for y in (0, 1, 2) for x in (0, 1, 2)]
    assert slide_box(5, 5, 1) == [Box(0, 0, 5, 5)]


@pytest.mark.parametrize(("side", "steps"), [(0, 1), (5, 1), (2, 0)])
def test_slide_box_refuses_what_does_not_fit(side: int, steps: int):
    with pytest.raises(ValueError, match="does not slide over 4"):
        slide_box(4, side, steps)


def test_spread_values_weighs_boxes_by_how_central_a_cell_lies():
    # Weights 1 2 1 of the left box and of the right one, one cell further.
    boxes = [Box(0, 0, 3, 1), Box(1, 0, 3, 1)]
    spread = spread_values(boxes, np.array([6.0, 3.0]), 4)
    assert spread[0] == pytest.approx([6, (2 * 6 + 3) / 3, (6 + 2 * 3) / 3, 3])
    assert spread[1:].tolist() == np.zeros((3, 4)).tolist()


def test_hide_box_hides_the_box_alone():
    mask = hide_box(Box(1, 2, 2, 1), 4)
    assert mask[2].tolist() == [1, 0, 0, 1]
    assert mask.sum() == 14


def test_occlusion_of_a_sum_finds_every_weight():
    # A patch of one cell: 4 × 4 places and the whole crop are 17 scores.
    weights = np.arange(16, dtype=float).reshape(4, 4) - 5
    assert map_occlusion(sum_shown(weights), 4, 17) == pytest.approx(weights)


def test_occlusion_of_a_constant_score_is_nothing():
    assert not map_occlusion(lambda masks: np.array([7.0 for _ in masks]), 20, 50).any()


def test_occlusion_is_brightest_where_the_only_weight_lies():
    found = map_occlusion(sum_shown(one_at(14, 25, 40)), 40, 200)
    brightest = np.array(np.unravel_index(found.argmax(), found.shape))
    assert found.max() <= 1
    assert abs(brightest - (14, 25)).max() <= 3
    assert found[38, 2] == 0


def test_windows_of_a_constant_score_are_flat():
    flat = map_windows(lambda boxes: np.array([3.0 for _ in boxes]), 20, 64)
    assert flat == pytest.approx(np.full((20, 20), 3.0))


def test_windows_are_brightest_where_the_weight_lies():
    weights = one_at(8, 28, 40)

    def score(boxes: Iterable[Box]) -> np.ndarray:
        return np.array([weights[b.y : b.y + b.height, b.x : b.x + b.width].sum() for b in boxes])

    found = map_windows(score, 40, 64)
    assert found[8, 28] > 0.9 * found.max()
    assert found[35, 3] == 0


def test_masks_are_drawn_alike_from_the_same_seed():
    first, again, other = draw_masks(6, 50, 1), draw_masks(6, 50, 1), draw_masks(6, 50, 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (6, 50, 50)
    assert (first.min(), first.max()) == (0, 1)
    assert draw_masks(400, 20, 3).mean() == pytest.approx(0.5, abs=0.02)


def test_random_masks_find_a_single_weight_exactly():
    # Scores of a pair differ by what the mask shows of the cell, less what it hides: a slope of 1.
    found = map_random_masks(sum_shown(one_at(10, 3, 20)), 20, 256)
    assert found[10, 3] == pytest.approx(1)
    assert found[10, 3] > 0.99 * found.max()


def test_random_masks_do_not_mind_what_is_added_to_every_score():
    weights = one_at(4, 4, 20)
    plain = map_random_masks(sum_shown(weights), 20, 64)
    raised = map_random_masks(lambda masks: 100 + sum_shown(weights)(masks), 20, 64)
    assert raised == pytest.approx(plain, abs=1e-5)


def test_scale_heat_starts_at_the_floor_and_ends_at_the_span():
    raw = np.array([[-2.0, 1.0], [2.0, 9.0]])
    assert scale_heat(raw, 0, 4).tolist() == [[0, 0.25], [0.5, 1]]
    assert scale_heat(raw, -2, 11) == pytest.approx(np.array([[0, 3 / 11], [4 / 11, 1]]))
