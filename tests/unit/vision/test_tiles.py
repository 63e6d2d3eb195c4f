"""How the face network looks at a picture, and how its map is read."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kyara.vision.boxes import Box, grow_box
from kyara.vision.detectors.tiles import (
    CELL_PX,
    CHANNELS,
    LEAST_AGAIN,
    FaceCandidate,
    Tile,
    TileView,
    choose_candidates,
    cut_tiles,
    join_looks,
    plan_second_look,
    plan_tile_view,
    read_cells,
)


def candidate(x: float, y: float, size: float, score: float) -> FaceCandidate:
    return FaceCandidate(x, y, size, size, score, (0.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), (500, 500), (1900, 1000), (1, 1), (1000, 1900)]
)
def test_an_ordinary_picture_is_one_tile(width, height):
    assert cut_tiles(width, height, 1.9, 0.5) == [Tile(0, 0, width, height)]


@pytest.mark.parametrize(("width", "height"), [(800, 6000), (6000, 800), (300, 1000), (7, 5000)])
def test_tiles_cover_a_long_picture_and_share_half_a_side(width, height):
    tiles = cut_tiles(width, height, 1.9, 0.5)
    shorter, longer = min(width, height), max(width, height)
    starts = [tile.y if height > width else tile.x for tile in tiles]
    lengths = {tile.height if height > width else tile.width for tile in tiles}
    assert lengths == {math.floor(shorter * 1.9)}
    assert starts[0] == 0
    assert starts[-1] + lengths.pop() == longer
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert steps.max() <= math.floor(shorter * 1.9) - math.floor(shorter * 0.5)


def test_a_view_keeps_its_shape_and_is_filled_up():
    view = plan_tile_view(Tile(0, 0, 1280, 720), 640, 2.0)
    assert (view.width, view.height, view.padded_width, view.padded_height) == (640, 360, 640, 384)
    assert view.scale == 0.5


def test_a_small_picture_is_enlarged_only_so_far():
    view = plan_tile_view(Tile(0, 0, 50, 40), 640, 2.0)
    assert (view.width, view.height, view.padded_width, view.padded_height) == (100, 80, 128, 96)


def draw_map(rows: int, columns: int) -> np.ndarray:
    """A map of nothing."""
    cells = np.zeros((rows, columns, 4 * CHANNELS), np.float32)
    cells.reshape(rows, columns, 4, CHANNELS)[..., 0] = -9
    return cells


def test_a_peak_becomes_a_candidate_in_source_pixels():
    cells = draw_map(2, 4)
    # the lower right quarter of row 1, column 2: cell (3, 5) of the fine map
    cells.reshape(2, 4, 2, 2, CHANNELS)[1, 2, 1, 1] = [
        2,
        0.5,
        -0.5,
        math.log(2),
        math.log(4),
        -0.2,
        0,
        0.2,
        0.1,
    ]
    view = plan_tile_view(Tile(100, 200, 128, 64), 64, 2.0)
    (found,) = read_cells(cells, view, 0.05)
    # the middle of cell (3, 5) is (5.5, 3.5) cells; moved to (6, 3); in a view of half the size
    assert (found.x, found.y) == (100 + 6 * CELL_PX * 2, 200 + 3 * CELL_PX * 2)
    assert (found.width, found.height) == pytest.approx((2 * CELL_PX * 2, 4 * CELL_PX * 2))
    assert found.score == pytest.approx(1 / (1 + math.exp(-2)))
    assert found.eyes == pytest.approx(
        (found.x - 0.2 * found.width, found.y, found.x + 0.2 * found.width, found.y + 0.1 * found.height)
    )


def test_only_peaks_count_and_only_above_the_floor():
    cells = draw_map(2, 2)
    quarters = cells.reshape(2, 2, 2, 2, CHANNELS)
    quarters[0, 0, 0, 0, 0] = 3
    quarters[0, 0, 0, 1, 0] = 2.5  # beside it
    quarters[1, 1, 1, 1, 0] = -2.5  # far away, and weak
    view = plan_tile_view(Tile(0, 0, 32, 32), 32, 1.0)
    assert len(read_cells(cells, view, 0.2)) == 1
    assert len(read_cells(cells, view, 0.05)) == 2


def test_a_middle_in_the_filling_is_no_face():
    cells = draw_map(2, 2)
    cells.reshape(2, 2, 2, 2, CHANNELS)[1, 1, 1, 1, 0] = 3
    assert read_cells(cells, plan_tile_view(Tile(0, 0, 32, 20), 32, 1.0), 0.1) == []


def test_a_second_look_shows_a_candidate_at_a_size_of_its_own_with_what_is_around_it():
    # 96 px for 24: four times as large; 224 px are 56 of the picture, 28 to each side
    assert plan_second_look(candidate(200, 100, 24, 0.4), 640, 480, 96, 224) == TileView(
        Tile(172, 72, 56, 56), 4.0, 224, 224, 224, 224
    )
    # a large one is scaled down, and what is not in the picture is not looked at
    assert plan_second_look(candidate(20, 470, 192, 0.4), 640, 480, 96, 224) == TileView(
        Tile(0, 246, 244, 234), 0.5, 122, 117, 128, 128
    )


@pytest.mark.parametrize(("x", "y", "size"), [(0, 0, 1), (2, 3, 900), (0.2, 3.9, 0.01), (4, 4, 50)])
def test_a_second_look_stays_in_the_picture(x, y, size):
    view = plan_second_look(candidate(x, y, size, 0.4), 4, 4, 96, 224)
    tile = view.tile
    assert min(tile.x, tile.y) >= 0
    assert min(tile.width, tile.height, view.width, view.height) >= 1
    assert max(tile.x + tile.width, tile.y + tile.height) <= 5


def test_two_looks_give_the_mean_of_their_logits():
    first = candidate(100, 100, 40, 0.5)
    again = candidate(110, 100, 30, 0.8)
    joined = join_looks(first, [candidate(104, 100, 38, 0.3), again])
    assert joined.score == pytest.approx(1 / (1 + math.exp(-math.log(4) / 2)))
    assert (joined.x, joined.width) == (first.x, first.width), "its box stays"


@pytest.mark.parametrize(
    "elsewhere",
    [candidate(115, 100, 40, 0.9), candidate(100, 100, 90, 0.9), candidate(100, 100, 19, 0.9)],
)
def test_what_a_second_look_does_not_see_in_its_place_is_hardly_a_face(elsewhere):
    unlikely = math.log(LEAST_AGAIN / (1 - LEAST_AGAIN)) / 2
    for seen in ([], [elsewhere]):
        joined = join_looks(candidate(100, 100, 40, 0.5), seen)
        assert joined.score == pytest.approx(1 / (1 + math.exp(-unlikely)))


def test_one_candidate_is_left_a_face():
    first, again, inside = (
        candidate(50, 50, 40, 0.9),
        candidate(54, 50, 40, 0.8),
        candidate(50, 50, 20, 0.7),
    )
    other = candidate(100, 50, 40, 0.6)
    assert choose_candidates([other, inside, again, first], 0.4, 0.6) == [first, other]


def test_a_box_grows_about_its_middle_and_stays_in_the_picture():
    assert grow_box(Box(40, 40, 20, 10), 2.0, 200, 200) == Box(30, 35, 40, 20)
    assert grow_box(Box(0, 0, 20, 20), 2.0, 25, 200) == Box(0, 0, 25, 30)
    box = Box(7, 9, 13, 17)
    assert grow_box(box, 1.0, 40, 40) == box
