"""Whole pictures in memory, and how they are drawn into training views.

In: `Scene`s, whole pictures in memory with what is known of their faces. Out: `View`s, square crops at
any scale, turn and quality, with their faces. One affine warp draws a scene into a view.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from kyara.dataset.boxed import BoxedFace
from kyara.training.recipes.detector.targets import ViewFace

LONGEST_SIDE_PX = 800
"""Larger pictures are scaled down when they are read: smaller faces than then remain are not taught."""


@dataclass(frozen=True)
class Scene:
    """A picture and its faces.

    Attributes:
        levels: `uint8 (H, W, 3)` RGB at 1, 1/2, 1/4 … of its size, so that no view skips pixels.
        faces: every face in it.
        mistaken: boxes without a face that a detector took for one; views are made around them.
        missed: places in `faces` of those that a detector did not find; likewise.
    """

    levels: tuple[np.ndarray, ...]
    faces: tuple[BoxedFace, ...] = field(default=())
    mistaken: tuple[tuple[float, float, float, float], ...] = field(default=())
    missed: tuple[int, ...] = field(default=())

    @property
    def width(self) -> int:
        return self.levels[0].shape[1]

    @property
    def height(self) -> int:
        return self.levels[0].shape[0]


@dataclass(frozen=True)
class Placement:
    """How a scene lies in a view.

    Attributes:
        scale: view pixels per scene pixel.
        turn_deg: counter-clockwise.
        mirror: left and right are swapped first.
        x: of a point of the scene.
        y: of that point.
        to_x: where that point comes to lie in the view.
        to_y: where that point comes to lie in the view.
    """

    scale: float
    turn_deg: float
    mirror: bool
    x: float
    y: float
    to_x: float
    to_y: float

    def matrix(self) -> np.ndarray:
        """Return the `float64 (2, 3)` matrix from scene to view."""
        angle = math.radians(self.turn_deg)
        cos, sin = math.cos(angle) * self.scale, math.sin(angle) * self.scale
        flip = -1.0 if self.mirror else 1.0
        linear = np.array([[cos * flip, sin], [-sin * flip, cos]])
        offset = np.array([self.to_x, self.to_y]) - linear @ np.array([self.x, self.y])
        return np.column_stack([linear, offset])


def make_scene(pixels: np.ndarray, faces: Sequence[BoxedFace] = ()) -> Scene:
    """Keep a picture, not larger than `LONGEST_SIDE_PX`, and its faces."""
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    levels = [pixels]
    while max(levels[-1].shape[:2]) >= 128 and min(levels[-1].shape[:2]) >= 32:
        h, w = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (w // 2, h // 2), interpolation=cv2.INTER_AREA))
    scaled = [
        BoxedFace(
            tuple(value * scale for value in face.box),  # type: ignore[arg-type]
            tuple(value * scale for value in face.eyes) if face.eyes else None,  # type: ignore[arg-type]
            face.sure,
        )
        for face in faces
    ]
    return Scene(tuple(levels), tuple(scaled))


def digest_scenes(scenes: Iterable[Scene]) -> str:
    """Return the SHA-256 of pictures (at their smallest) and of what is known of their faces."""
    digest = hashlib.sha256()
    for scene in scenes:
        digest.update(scene.levels[-1].tobytes())
        digest.update(repr(scene.faces).encode())
    return digest.hexdigest()


def draw_scene(
    canvas: np.ndarray,
    scene: Scene,
    placement: Placement,
    *,
    window: tuple[float, float, float, float] | None = None,
    round_mask: bool = False,
    reflect: bool = False,
) -> None:
    """Draw a scene, or a window of it, over a canvas in place.

    Args:
        canvas: `uint8 (S, S, 3)`.
        scene: what to draw.
        placement: where.
        window: `x, y, width, height` of the scene; None for all of it.
        round_mask: only the ellipse in the window.
        reflect: the scene goes on, mirrored, over the whole canvas.
    """
    side = canvas.shape[0]
    index = min(max(0, math.floor(-math.log2(max(placement.scale, 1e-6)))), len(scene.levels) - 1)
    source = scene.levels[index]
    matrix = placement.matrix()
    to_level = np.array([source.shape[1] / scene.width, source.shape[0] / scene.height])
    # centres of pixels: p_view + 0.5 = M (p_level + 0.5) / to_level
    linear = matrix[:, :2] / to_level
    offset = matrix[:, 2] + linear @ np.array([0.5, 0.5]) - 0.5
    if reflect:
        warp = np.column_stack([linear, offset])
        border = cv2.BORDER_REFLECT_101
        canvas[:] = cv2.warpAffine(source, warp, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
        return
    x, y, width, height = window or (0.0, 0.0, float(scene.width), float(scene.height))
    if round_mask:
        turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        outline = np.stack(
            [x + width * (1 + np.cos(turns)) / 2, y + height * (1 + np.sin(turns)) / 2], axis=1
        )
    else:
        outline = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    points = outline @ matrix[:, :2].T + matrix[:, 2]
    first = np.clip(np.floor(points.min(axis=0)), 0, side).astype(int)
    last = np.clip(np.ceil(points.max(axis=0)), 0, side).astype(int)
    size = last - first
    if size.min() <= 0:
        return
    warp = np.column_stack([linear, offset - first])
    drawn = cv2.warpAffine(
        source, warp, tuple(size.tolist()), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros(drawn.shape[:2], np.uint8)
    corners = np.round((points - first) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, lineType=cv2.LINE_AA, shift=4)
    cv2.copyTo(drawn, mask, canvas[first[1] : last[1], first[0] : last[0]])


def move_faces(scene: Scene, placement: Placement) -> list[ViewFace]:
    """Return a scene's faces where they lie in the view.

    A turned box stays upright and as large: a face is about as wide as high.
    """
    matrix = placement.matrix()
    moved = []
    for face in scene.faces:
        x, y, width, height = face.box
        middle = matrix[:, :2] @ np.array([x + width / 2, y + height / 2]) + matrix[:, 2]
        share = abs(math.sin(math.radians(placement.turn_deg))) ** 2
        w = (width * (1 - share) + height * share) * placement.scale
        h = (height * (1 - share) + width * share) * placement.scale
        eyes = None
        if face.eyes is not None:
            points = np.array(face.eyes).reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
            # the face's own right eye stays first, whatever the turn; a mirror swaps them
            if placement.mirror:
                points = points[::-1]
            eyes = tuple(points.ravel().tolist())
        box = (float(middle[0] - w / 2), float(middle[1] - h / 2), float(w), float(h))
        moved.append(ViewFace(box, eyes, face.sure))  # type: ignore[arg-type]
    return moved
