"""Face proposals in Python: geometry by hand, refusals, and the example picture."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from kyara.errors import BadInputError, KyaraError
from kyara.vision.boxes import Box
from kyara.vision.detectors import lbp_cascade as faces
from kyara.vision.detectors.lbp_cascade import CascadeDetector, draw_view
from kyara.vision.detectors.proposals import (
    Candidate,
    Level,
    choose_voted_boxes,
    load_settings,
    map_back,
    merge_candidates,
    plan_view,
    plan_views,
    turning_matrix,
)
from kyara.vision.images import crop_pixels

EXAMPLE_FACES = {"purple": (385, 350), "white": (740, 385), "blonde": (1075, 375)}
"""The middles of the three faces in the example picture, by eye."""
ANY_VOTES = Level((400,), 24, 2, 1)


def candidate(x: float, y: float, size: float, votes: int = 5, rank: int = 0) -> Candidate:
    return Candidate(x, y, size, votes, rank)


def holds(box: Box, point: tuple[float, float]) -> bool:
    dx = box.x + box.width / 2 - point[0]
    dy = box.y + box.height / 2 - point[1]
    return math.hypot(dx / box.width, dy / box.height) < 0.35


def choose_boxes(found: list[Candidate], width: int, height: int, settings, level: Level) -> list[Box]:
    return [face.box for face in choose_voted_boxes(found, width, height, settings, level)]


def propose_faces(pixels: np.ndarray, *, level: int | None = None) -> list[Box]:
    return [face.box for face in CascadeDetector().find(pixels, level=level)]


def test_plan_view_scales_and_pads_as_worked_out_by_hand():
    view = plan_view(1280, 720, 400, 0.25, 0)
    assert view.scale == 0.3125
    assert (view.width, view.height, view.pad_x, view.pad_y) == (400, 225, 100, 56)
    assert (view.turned_width, view.turned_height) == (600, 337)
    assert (view.cos, view.sin) == (1, 0)


def test_plan_view_makes_room_for_the_corners_of_a_turned_picture():
    upright, turned = plan_view(400, 200, 400, 0, 0), plan_view(400, 200, 400, 0, 90)
    assert (upright.turned_width, upright.turned_height) == (400, 200)
    assert (turned.turned_width, turned.turned_height) == (200, 400)
    slanted = plan_view(400, 200, 400, 0, 30)
    assert (slanted.turned_width, slanted.turned_height) == (446, 373)  # 400·√3/2 + 200/2, …


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9000), (9000, 1), (16, 15)])
def test_plan_view_never_loses_a_side(width, height):
    view = plan_view(width, height, 400, 0.25, 20)
    assert min(view.width, view.height) >= 1
    assert max(view.width, view.height) == 400


def test_plan_views_is_every_size_at_every_angle():
    settings = replace(load_settings(), angles_deg=(0, 20, -20))
    views = plan_views(640, 480, settings, Level((400, 560), 24, 2, 5))
    assert [view.width for view in views] == [400, 400, 400, 560, 560, 560]
    assert [round(math.degrees(math.asin(view.sin))) for view in views] == [0, 20, -20, 0, 20, -20]


def test_map_back_of_an_upright_window_is_worked_out_by_hand():
    view = plan_view(800, 400, 400, 0.25, 0)  # scale 0.5, padding 100 and 50
    assert map_back((120, 70, 40), view, 7, 3) == candidate(80, 80, 80, votes=7, rank=3)


def test_map_back_of_a_quarter_turn_is_worked_out_by_hand():
    view = plan_view(400, 200, 400, 0, 90)  # counter-clockwise: what was right is on top
    found = map_back((40, 10, 20), view, 1, 0)
    assert (found.x, found.y, found.size) == pytest.approx((380, 50, 20))


@pytest.mark.parametrize("angle", [0, 20, -20, 90, 173])
@pytest.mark.parametrize("size", [(300, 200), (97, 640), (1000, 333)])
def test_map_back_undoes_what_draw_view_does(angle, size):
    width, height = size
    pixels = np.zeros((height, width), np.uint8)
    left, top, side = width // 3, height // 4, 30
    pixels[top : top + side, left : left + side] = 255
    settings = replace(load_settings(), equalise=False, padding_value=0)
    view = plan_view(width, height, 480, 0.25, angle)
    drawn = draw_view(pixels, view, settings).astype(float)
    assert drawn.shape == (view.turned_height, view.turned_width)
    rows, columns = np.indices(drawn.shape)
    x = float((drawn * columns).sum() / drawn.sum()) + 0.5
    y = float((drawn * rows).sum() / drawn.sum()) + 0.5
    found = map_back((x, y, 0), view, 1, 0)
    assert (found.x, found.y) == pytest.approx((left + side / 2, top + side / 2), abs=0.6 / view.scale)


def test_turning_matrix_leaves_an_upright_picture_alone():
    view = plan_view(800, 401, 400, 0.25, 0)
    assert turning_matrix(view).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_merge_candidates_gives_the_votes_of_overlapping_ones_to_the_strongest():
    strong, weak = candidate(100, 100, 50, votes=9), candidate(110, 105, 55, votes=4, rank=1)
    assert merge_candidates([weak, strong], load_settings()) == [replace(strong, votes=13)]


def test_merge_candidates_takes_a_box_inside_another_for_the_same_face():
    large, small = candidate(100, 100, 90, votes=9), candidate(110, 110, 30, votes=4, rank=1)
    assert merge_candidates([large, small], load_settings()) == [replace(large, votes=13)]


def test_merge_candidates_leaves_neighbours_apart():
    left, right = candidate(100, 100, 50, votes=9), candidate(140, 100, 50, votes=4)  # overlap 1/9
    assert merge_candidates([right, left], load_settings()) == [left, right]


def test_merge_candidates_prefers_the_earlier_view_among_equals_in_any_order():
    upright, turned = candidate(100, 100, 50, rank=0), candidate(104, 100, 50, rank=1)
    for order in ([upright, turned], [turned, upright]):
        assert merge_candidates(order, load_settings()) == [replace(upright, votes=10)]


def test_choose_boxes_cuts_to_the_picture_and_puts_the_largest_first():
    found = [candidate(30, 150, 40), candidate(195, 5, 60)]
    boxes = choose_boxes(found, 200, 300, load_settings(), ANY_VOTES)
    assert boxes == [Box(10, 130, 40, 40), Box(165, 0, 35, 35)]


def test_choose_boxes_drops_weak_outside_and_tiny_ones():
    found = [
        candidate(50, 50, 40, votes=4),
        candidate(-1, 150, 40, votes=9),
        candidate(150, 300, 40, votes=9),
        candidate(150, 150, 15, votes=9),
    ]
    assert choose_boxes(found, 200, 300, load_settings(), Level((400,), 24, 2, 5)) == []


def test_choose_boxes_keeps_the_strongest_of_too_many():
    settings = replace(load_settings(), max_boxes=2)
    found = [candidate(50 + 60 * i, 50, 40 + i, votes=votes) for i, votes in enumerate((9, 3, 7))]
    boxes = choose_boxes(found, 300, 100, settings, ANY_VOTES)
    assert [box.width for box in boxes] == [42, 40]


def test_settings_grow_from_fewer_to_more_faces():
    settings = load_settings()
    assert 0 < settings.default_level < len(settings.levels) - 1
    votes = [level.votes for level in settings.levels]
    assert votes == sorted(votes, reverse=True)
    assert all(
        set(a.longest_sides_px) <= set(b.longest_sides_px)
        for a, b in zip(settings.levels, settings.levels[1:], strict=False)
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 2), (23, 23), (90, 160), (720, 1280)])
@pytest.mark.parametrize("value", [0, 127, 255])
def test_propose_faces_finds_none_in_a_blank_picture(shape, value):
    assert propose_faces(np.full((*shape, 3), value, np.uint8)) == []


def test_propose_faces_finds_none_in_a_gradient():
    row = np.linspace(0, 255, 640).astype(np.uint8)
    assert propose_faces(np.repeat(np.repeat(row[None, :, None], 480, 0), 3, 2)) == []


def test_propose_faces_finds_the_three_of_the_example(example):
    boxes = propose_faces(example)
    largest = boxes[:3]
    for name, point in EXAMPLE_FACES.items():
        assert sum(holds(box, point) for box in largest) == 1, name
    assert boxes == sorted(boxes, key=lambda box: -box.width * box.height)


def test_propose_faces_finds_more_at_higher_levels(example):
    levels = range(len(load_settings().levels))
    assert {len(propose_faces(example, level=level)) for level in levels} == {3}
    upside_down = np.ascontiguousarray(example[::-1])
    counts = [len(propose_faces(upside_down, level=level)) for level in levels]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] > 0


def test_propose_faces_keeps_boxes_inside_a_picture_that_cuts_a_face(example):
    pixels = crop_pixels(example, Box(260, 200, 300, 240))
    (box, *_) = propose_faces(pixels)
    assert holds(box, (125, 150))
    assert box.x >= 0
    assert box.y >= 0
    assert box.x + box.width <= 300
    assert box.y + box.height <= 240


def test_propose_faces_works_on_grey_and_on_views(example):
    grey = np.repeat(example.mean(axis=2).astype(np.uint8)[:, :, None], 3, axis=2)
    assert (
        sum(any(holds(box, point) for box in propose_faces(grey)) for point in EXAMPLE_FACES.values())
        == 3
    )
    flipped = propose_faces(example[:, ::-1])
    width = example.shape[1]
    for x, y in EXAMPLE_FACES.values():
        assert any(holds(box, (width - x, y)) for box in flipped)


def test_propose_faces_says_the_same_twice(example):
    assert propose_faces(example) == propose_faces(example)


@pytest.mark.parametrize("level", [-1, 99])
def test_propose_faces_refuses_an_unknown_level(level):
    with pytest.raises(BadInputError, match=rf"level must be 0 to \d; received {level}"):
        propose_faces(np.zeros((10, 10, 3), np.uint8), level=level)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_propose_faces_refuses_what_is_not_pixels(pixels):
    with pytest.raises(BadInputError, match=r"Pixels must be uint8 \(H, W, 3\); received"):
        propose_faces(pixels)


@pytest.mark.parametrize(("content", "message"), [(None, "make run"), ("<no/>", "install it again")])
def test_propose_faces_says_what_to_do_without_the_cascade(monkeypatch, tmp_path, content, message):
    path = tmp_path / "cascade.xml"
    if content:
        path.write_text(content)
    monkeypatch.setattr(faces, "CASCADE_PATH", path)
    faces.load_cascade.cache_clear()
    try:
        with pytest.raises(KyaraError, match=message):
            propose_faces(np.zeros((90, 90, 3), np.uint8))
    finally:
        faces.load_cascade.cache_clear()
