"""What the detector should say about a view: `Targets` of its faces, and the loss against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kyara.vision.detectors.tiles import CELL_PX, CHANNELS

SMALLEST_FACE_PX = 9.0
"""Smaller faces are neither taught nor counted as background."""
LEAST_VISIBLE = 0.45
"""Nor are faces of which the view shows a smaller share."""
SPREAD = 0.11
"""Standard deviation of the score's bump, as a share of the face."""
BOX_CELLS = 0.55
"""Cells whose bump is at least so high learn the box."""
TARGET_CHANNELS = CHANNELS + 3
"""Score, box (4), eyes (4), then the weights of score, box and eyes."""
BOX_WEIGHT = 2.0
EYE_WEIGHT = 8.0


@dataclass(frozen=True)
class ViewFace:
    """A face of a view, in the view's pixels.

    Attributes:
        box: `x, y, width, height`; may reach over the edge.
        eyes: `x, y` of both, the left one in the picture first; None where they are not known.
        sure: False where nobody knows whether it is a face: the place is not counted at all.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[float, float, float, float] | None = None
    sure: bool = True


def draw_targets(faces: list[ViewFace], side_px: int) -> np.ndarray:
    """Return `float32 (side / 8, side / 8, TARGET_CHANNELS)` for one square view."""
    cells = side_px // CELL_PX
    target = np.zeros((cells, cells, TARGET_CHANNELS), np.float32)
    target[..., CHANNELS] = 1
    centres = np.arange(cells, dtype=np.float32) + 0.5
    for face in sorted(faces, key=lambda face: -face.box[2] * face.box[3]):
        x, y, width, height = (value / CELL_PX for value in face.box)
        middle_x, middle_y = x + width / 2, y + height / 2
        shown = max(0.0, min(x + width, cells) - max(x, 0.0)) * max(
            0.0, min(y + height, cells) - max(y, 0.0)
        )
        inside = 0 <= middle_x < cells and 0 <= middle_y < cells
        small = min(face.box[2:]) < SMALLEST_FACE_PX
        if not face.sure or small or not inside or shown < LEAST_VISIBLE * width * height:
            if shown > 0:
                rows = slice(max(0, int(y)), int(np.ceil(y + height)))
                columns = slice(max(0, int(x)), int(np.ceil(x + width)))
                target[rows, columns, CHANNELS] = 0
            continue
        _draw_face(target, face, centres, (middle_x, middle_y, width, height))
    return target


def _draw_face(
    target: np.ndarray, face: ViewFace, centres: np.ndarray, place: tuple[float, float, float, float]
) -> None:
    middle_x, middle_y, width, height = place
    across = np.exp(-(((centres - middle_x) / max(SPREAD * width, 0.3)) ** 2) / 2)
    down = np.exp(-(((centres - middle_y) / max(SPREAD * height, 0.3)) ** 2) / 2)
    bump = np.outer(down, across)
    peak = int(middle_y), int(middle_x)
    bump[peak] = 1.0
    own = bump >= np.maximum(target[..., 0], 1e-3)
    learned = own & (bump >= BOX_CELLS)
    target[..., 0] = np.maximum(target[..., 0], bump)
    target[..., CHANNELS] = np.where(learned, 1, target[..., CHANNELS])
    columns = np.broadcast_to(centres[None, :], bump.shape)
    rows = np.broadcast_to(centres[:, None], bump.shape)
    values = [middle_x - columns, middle_y - rows, np.log(width), np.log(height)]
    if face.eyes is not None:
        scale = np.array([width, height] * 2) * CELL_PX
        shares = (np.array(face.eyes) - np.array([middle_x, middle_y] * 2) * CELL_PX) / scale
        values.extend(shares.tolist())
    for channel, value in enumerate(values, start=1):
        target[..., channel] = np.where(learned, value, target[..., channel])
    target[..., CHANNELS + 1] = np.where(learned, bump, target[..., CHANNELS + 1])
    known = float(face.eyes is not None)
    target[..., CHANNELS + 2] = np.where(learned, known * bump, target[..., CHANNELS + 2])


def unfold_cells(cells: Any) -> Any:
    """Bring the network's map to one cell each: `(N, h, w, 4 * C)` → `(N, 2 * h, 2 * w, C)` tensors."""
    import keras

    ops: Any = keras.ops
    _, rows, columns, _ = ops.shape(cells)
    parts = ops.reshape(cells, (-1, rows, columns, 2, 2, CHANNELS))
    parts = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
    return ops.reshape(parts, (-1, rows * 2, columns * 2, CHANNELS))


def detection_loss(target: Any, cells: Any) -> Any:
    """Return the loss of each view: focal score loss, DIoU of the boxes, distance of the eyes.

    Args:
        target: `(N, h, w, TARGET_CHANNELS)`, see `draw_targets`.
        cells: what the network gave, `(N, h / 2, w / 2, 4 * CHANNELS)`.
    """
    import keras

    ops: Any = keras.ops
    given: Any = unfold_cells(cells)
    logit, bump = given[..., 0], target[..., 0]
    positive: Any = ops.cast(bump >= 1, "float32")
    score: Any = ops.clip(ops.sigmoid(logit), 1e-4, 1 - 1e-4)
    found = positive * (1 - score) ** 2 * ops.log(score)
    left = (1 - positive) * (1 - bump) ** 4 * score**2 * ops.log(1 - score)
    focal = -ops.sum((found + left) * target[..., CHANNELS], axis=(1, 2))
    faces = ops.sum(positive)  # of the whole batch: views without a face count as much
    views = ops.cast(ops.shape(bump)[0], "float32")
    weights, eye_weights = target[..., CHANNELS + 1], target[..., CHANNELS + 2]
    box = ops.sum(weights * _distance_iou(target[..., 1:5], given[..., 1:5]), axis=(1, 2))
    off = ops.sum(ops.abs(target[..., 5:9] - given[..., 5:9]), axis=-1)
    eyes = ops.sum(eye_weights * off, axis=(1, 2))
    return (
        focal * views / (faces + 1)
        + BOX_WEIGHT * box * views / (ops.sum(weights) + 1)
        + EYE_WEIGHT * eyes * views / (ops.sum(eye_weights) + 1)
    )


def _distance_iou(first: Any, second: Any) -> Any:
    """1 - IoU + squared distance of the middles over the squared diagonal of both together."""
    import keras

    ops: Any = keras.ops

    def corners(box: Any) -> tuple[Any, Any]:
        half = ops.exp(ops.clip(box[..., 2:4], -3, 5)) / 2
        return box[..., :2] - half, box[..., :2] + half

    (top1, end1), (top2, end2) = corners(first), corners(second)
    shared = ops.prod(ops.maximum(ops.minimum(end1, end2) - ops.maximum(top1, top2), 0), axis=-1)
    union = ops.prod(end1 - top1, axis=-1) + ops.prod(end2 - top2, axis=-1) - shared
    hull = ops.sum((ops.maximum(end1, end2) - ops.minimum(top1, top2)) ** 2, axis=-1)
    apart = ops.sum((first[..., :2] - second[..., :2]) ** 2, axis=-1)
    return 1 - shared / (union + 1e-6) + apart / (hull + 1e-6)
