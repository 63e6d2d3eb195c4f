"""Square training views: `draw_view` makes one; what people's pictures lose, `degrade` does to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np

from kyara.training.recipes.detector.degrade import degrade_view, lay_over
from kyara.training.recipes.detector.scenes import (
    Placement,
    Scene,
    digest_scenes,
    draw_scene,
    move_faces,
)
from kyara.training.recipes.detector.targets import ViewFace

FACE_SIDES_PX = (9.5, 240.0)
"""A face that a view is made around has a side between these, evenly in its logarithm."""
MISTAKEN_SHARE = 0.3
"""Of the views of pictures and of negatives, so many are made around an earlier detector's mistakes."""
MISSED_SHARE = 0.35
"""Of the views of pictures, so many are made around faces that it missed."""


@dataclass(frozen=True)
class Sources:
    """What views are made of.

    Attributes:
        pictures: whole pictures with every face boxed.
        portraits: windows around one boxed face each.
        negatives: pictures without a face.
        unlabelled: pictures whose faces nobody has boxed: a half-trained detector does (`mining.py`).
        shares: of the views made from pictures, from one portrait, from many portraits, from negatives.
    """

    pictures: Sequence[Scene]
    portraits: Sequence[Scene]
    negatives: Sequence[Scene]
    shares: tuple[float, float, float, float] = (0.5, 0.12, 0.2, 0.18)
    unlabelled: Sequence[Scene] = ()

    def digest(self) -> str:
        """Return the SHA-256 of all pictures (at their smallest) and boxes."""
        return digest_scenes(chain(self.pictures, self.portraits, self.negatives, self.unlabelled))


def draw_view(
    sources: Sources, side_px: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[ViewFace]]:
    """Draw one random view.

    Returns:
        `uint8 (side_px, side_px, 3)` RGB and its faces.
    """
    kind = rng.choice(4, p=sources.shares)
    if kind == 0:
        canvas, faces = _view_of_picture(sources.pictures, side_px, rng)
    elif kind == 1:
        canvas, faces = _view_of_portrait(sources, side_px, rng)
    elif kind == 2:
        canvas, faces = _view_of_many(sources, side_px, rng)
    else:
        canvas, faces = _view_of_negative(sources.negatives, side_px, rng), []
    lay_over(canvas, rng)
    return degrade_view(canvas, rng), faces


def _draw_size(high: float, rng: np.random.Generator) -> float:
    low = FACE_SIDES_PX[0]
    return float(np.exp(rng.uniform(np.log(low), np.log(max(min(high, FACE_SIDES_PX[1]), low * 1.01)))))


def _pick_mistake(
    scenes: Sequence[Scene], side_px: int, rng: np.random.Generator
) -> tuple[Scene, Placement] | None:
    """Choose a picture with a mistake in it, and lay the mistake somewhere in the view."""
    mistaken = [scene for scene in scenes if scene.mistaken] if rng.random() < MISTAKEN_SHARE else []
    if not mistaken:
        return None
    scene = _pick(mistaken, rng)
    x, y, width, height = scene.mistaken[int(rng.integers(len(scene.mistaken)))]
    size = math.sqrt(width * height)
    to = rng.uniform(side_px * 0.1, side_px * 0.9, 2)
    turn, mirror = _draw_turn(rng), bool(rng.random() < 0.5)
    scale = _draw_size(size * 2.0 + 1, rng) / size
    return scene, Placement(scale, turn, mirror, x + width / 2, y + height / 2, *map(float, to))


def _pick(scenes: Sequence[Scene], rng: np.random.Generator) -> Scene:
    return scenes[int(rng.integers(len(scenes)))]


def _draw_turn(rng: np.random.Generator) -> float:
    """Mostly upright, often tilted, now and then lying."""
    kind = rng.random()
    if kind < 0.45:
        return 0.0
    if kind < 0.8:
        return float(rng.normal(0, 12))
    if kind < 0.93:
        return float(rng.uniform(-50, 50))
    return float(rng.choice([90, -90, 180]) + rng.normal(0, 8))


def _ground(side_px: int, sources: Sources, rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.5 and sources.negatives:
        canvas = _view_of_negative(sources.negatives, side_px, rng)
        if rng.random() < 0.3:
            canvas = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.5, 5)))
        return canvas
    first, second = rng.uniform(0, 255, (2, 3))
    if kind < 0.75:
        second = first
    ramp = np.linspace(0, 1, side_px)[:, None, None]
    canvas = np.broadcast_to(first + (second - first) * ramp, (side_px, side_px, 3))
    return np.ascontiguousarray(canvas if rng.random() < 0.5 else canvas.swapaxes(0, 1)).astype(np.uint8)


def _view_of_picture(
    scenes: Sequence[Scene], side_px: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[ViewFace]]:
    canvas = np.empty((side_px, side_px, 3), np.uint8)
    canvas[:] = rng.choice([0, 114, 127, 255]) if rng.random() < 0.7 else rng.integers(0, 256, 3)
    if picked := _pick_mistake(scenes, side_px, rng):
        draw_scene(canvas, *picked)
        return canvas, move_faces(*picked)
    hard = [one for one in scenes if one.missed] if rng.random() < MISSED_SHARE else []
    scene = _pick(hard or scenes, rng)
    longest = max(scene.width, scene.height)
    missed = [scene.faces[place] for place in scene.missed]
    known = missed if hard else [face for face in scene.faces if face.sure]
    if (not hard and rng.random() < 0.3) or not known:
        # the whole picture, as serving sees it
        scale = side_px / longest * float(np.exp(rng.uniform(np.log(0.45), np.log(1.15))))
        x, y = scene.width / 2, scene.height / 2
        slack = side_px * 0.12
        to = side_px / 2 + rng.uniform(-slack, slack, 2)
    else:
        face = known[int(rng.integers(len(known)))]
        size = math.sqrt(face.box[2] * face.box[3])
        target = _draw_size(size * 2.0 + 1, rng)
        scale = target / size
        x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
        margin = min(target * 0.4, side_px * 0.45)
        to = rng.uniform(margin, side_px - margin, 2)
    placement = Placement(
        scale, _draw_turn(rng), bool(rng.random() < 0.5), float(x), float(y), float(to[0]), float(to[1])
    )
    draw_scene(canvas, scene, placement)
    return canvas, move_faces(scene, placement)


def _view_of_negative(scenes: Sequence[Scene], side_px: int, rng: np.random.Generator) -> np.ndarray:
    canvas = np.empty((side_px, side_px, 3), np.uint8)
    if picked := _pick_mistake(scenes, side_px, rng):
        draw_scene(canvas, *picked, reflect=True)
        return canvas
    scene = _pick(scenes, rng)
    least = side_px / max(scene.width, scene.height)
    scale = least * float(np.exp(rng.uniform(np.log(0.7), np.log(5.0))))
    placement = Placement(
        scale,
        _draw_turn(rng),
        bool(rng.random() < 0.5),
        float(rng.uniform(0, scene.width)),
        float(rng.uniform(0, scene.height)),
        side_px / 2,
        side_px / 2,
    )
    draw_scene(canvas, scene, placement, reflect=True)
    return canvas


def _window_of(scene: Scene, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Choose how much of a portrait is shown: from its face alone to all of it."""
    x, y, width, height = scene.faces[0].box
    share = float(rng.uniform(0.06, 1.08))
    if share >= 1:
        return 0.0, 0.0, float(scene.width), float(scene.height)
    near = x * share, y * share, (scene.width - x - width) * share, (scene.height - y - height) * share
    return x - near[0], y - near[1], width + near[0] + near[2], height + near[1] + near[3]


def _place(scene: Scene, size: float, to: tuple[float, float], turn: float, mirror: bool) -> Placement:
    x, y, width, height = scene.faces[0].box
    scale = size / math.sqrt(width * height)
    return Placement(scale, turn, mirror, x + width / 2, y + height / 2, *to)


def _view_of_portrait(
    sources: Sources, side_px: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[ViewFace]]:
    scene = _pick(sources.portraits, rng)
    canvas = _ground(side_px, sources, rng)
    size = float(np.exp(rng.uniform(np.log(40), np.log(side_px * 0.95))))
    margin = min(size * 0.4, side_px * 0.45)
    to = tuple(rng.uniform(margin, side_px - margin, 2).tolist())
    placement = _place(scene, size, to, _draw_turn(rng), bool(rng.random() < 0.5))
    window = (0.0, 0.0, float(scene.width), float(scene.height))
    draw_scene(canvas, scene, placement, window=window, round_mask=bool(rng.random() < 0.1))
    return canvas, move_faces(scene, placement)


def _view_of_many(
    sources: Sources, side_px: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[ViewFace]]:
    """A grid or a heap of portraits: icons, sheets of cards, groups."""
    canvas = _ground(side_px, sources, rng)
    columns = int(rng.integers(2, 9))
    cell = side_px / columns
    orderly = rng.random() < 0.5
    filled = float(rng.uniform(0.15, 1.0))
    turned = rng.random() < 0.3
    mask = bool(rng.random() < 0.2)
    faces: list[ViewFace] = []
    for row in range(columns):
        for column in range(columns):
            if rng.random() > filled:
                continue
            scene = _pick(sources.portraits, rng)
            x, y, width, height = _window_of(scene, rng)
            face_size = math.sqrt(scene.faces[0].box[2] * scene.faces[0].box[3])
            fill = 1.0 if orderly else float(rng.uniform(0.5, 1.0))
            size = face_size * cell * fill / max(width, height)
            middle = np.array([(column + 0.5) * cell, (row + 0.5) * cell])
            if not orderly:
                middle += rng.normal(0, cell * 0.2, 2)
            turn = _draw_turn(rng) if turned else 0.0
            placement = _place(scene, size, (0.0, 0.0), turn, bool(rng.random() < 0.5))
            centre = placement.matrix() @ np.array([x + width / 2, y + height / 2, 1.0])
            to = middle - centre
            placement = _place(scene, size, (float(to[0]), float(to[1])), turn, placement.mirror)
            placed = move_faces(scene, placement)
            if any(_covers(placed[0].box, other.box) for other in faces):
                continue
            draw_scene(canvas, scene, placement, window=(x, y, width, height), round_mask=mask)
            faces.extend(placed)
    return canvas, faces


def _covers(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    across = abs(first[0] + first[2] / 2 - second[0] - second[2] / 2) * 2
    down = abs(first[1] + first[3] / 2 - second[1] - second[3] / 2) * 2
    reach = 1.15
    return across < (first[2] + second[2]) * reach and down < (first[3] + second[3]) * reach
