"""The eye network: views of one face each, the network, what it is trained for, the training.

It looks at the window that `kyara.vision.detectors.eyes` cuts, and says where both eyes are and how far
off it expects to be: it learns the scale of a Laplace distribution beside its middle.

Source: Kendall and Gal 2017, https://arxiv.org/abs/1703.04977 (the loss).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.training.plan import EyesPlan
from kyara.training.recipes.detector.degrade import degrade_view
from kyara.training.recipes.detector.fit import Fit
from kyara.training.recipes.detector.network import activate, reduce, refine
from kyara.training.recipes.detector.scenes import (
    Placement,
    Scene,
    digest_scenes,
    draw_scene,
    move_faces,
)
from kyara.vision.detectors.eyes import OUTPUTS

SIDE_PX, MARGIN = 64, 1.5
"""Of the network's input, and of what it sees around the tight face."""
FILL = 114
"""As what lies outside a picture is served."""
LARGEST_TURN_DEG, USUAL_TURN_DEG = 75.0, 20.0
LARGEST_SHIFT, LARGEST_ZOOM = 0.12, 0.2
"""A view's face lies so far off its middle, in its sides, and is so much larger or smaller."""
_LOG_ERRORS = (-6.0, 1.0)
_PLAIN_WEIGHT = 5.0
"""Of the distance itself, which teaches where the network is unsure."""


def draw_eye_view(scenes: Sequence[Scene], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one face at any lean.

    Args:
        scenes: of one face with eyes each.
        rng: source of randomness.

    Returns:
        `uint8 (SIDE_PX, SIDE_PX, 3)`, and `float32 (4,)`: x and y of both eyes from its middle,
        in sides.
    """
    scene = scenes[int(rng.integers(len(scenes)))]
    turn = rng.uniform(-1, 1) * LARGEST_TURN_DEG
    if rng.random() < 0.4:
        turn = rng.normal(0, USUAL_TURN_DEG)
    zoom = float(np.exp(rng.uniform(-LARGEST_ZOOM, LARGEST_ZOOM)))
    shift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2) / MARGIN
    view, eyes = place_face(
        scene, float(turn), zoom, shift, mirror=rng.random() < 0.5, reflect=rng.random() < 0.5
    )
    return degrade_view(view, rng), eyes


def place_face(
    scene: Scene,
    turn_deg: float,
    zoom: float,
    shift: np.ndarray,
    *,
    mirror: bool = False,
    reflect: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the first face of a scene as `draw_eye_view` does.

    Args:
        scene: its first face has eyes.
        turn_deg: counter-clockwise.
        zoom: the face is so many times as large as its box says.
        shift: of its middle, x and y, in sides of the view.
        mirror: swap left and right.
        reflect: the picture goes on, mirrored, where it ends; else there is `FILL`.
    """
    x, y, width, height = scene.faces[0].box
    scale = SIDE_PX / (MARGIN * max(width, height)) * zoom
    to_x, to_y = SIDE_PX * (0.5 + shift)
    placement = Placement(scale, turn_deg, mirror, x + width / 2, y + height / 2, to_x, to_y)
    view = np.full((SIDE_PX, SIDE_PX, 3), FILL, np.uint8)
    draw_scene(view, scene, placement, reflect=reflect)
    eyes = move_faces(scene, placement)[0].eyes
    return view, np.array(eyes, np.float32) / SIDE_PX - np.float32(0.5)


def build_eye_network() -> Any:
    """Build the network with random weights.

    Returns:
        A Keras model, `float32 (N, SIDE_PX, SIDE_PX, 3)` RGB in [0, 1] → `float32 (N, 1, 1, OUTPUTS)`.
    """
    import keras
    from keras import layers

    inputs = keras.Input((SIDE_PX, SIDE_PX, 3), name="face")
    x = activate(layers.Conv2D(16, 5, 2, "same", use_bias=False)(inputs))
    x = refine(reduce(x, 24, 3), 3)
    x = refine(refine(reduce(x, 48, 5), 5), 5)
    x = refine(refine(reduce(x, 80, 5), 3), 3)
    x = activate(layers.DepthwiseConv2D(SIDE_PX // 16, padding="valid", use_bias=False)(x))
    x = activate(layers.Conv2D(48, 1, use_bias=False)(x))
    start: Any = _start_bias
    return keras.Model(inputs, layers.Conv2D(OUTPUTS, 1, bias_initializer=start)(x), name="eyes")


def _start_bias(shape: Any, dtype: Any = None) -> Any:
    """Start with the eyes where they mostly are, and an error of a twelfth."""
    return np.array([-0.15, -0.05, 0.15, -0.05, -2.5], np.float32).reshape(shape)


def eye_loss(target: Any, said: Any) -> Any:
    """Return the loss of each view.

    Args:
        target: `(N, 4)`, see `draw_eye_view`.
        said: what the network gave, `(N, 1, 1, OUTPUTS)`.
    """
    import keras

    ops: Any = keras.ops
    said = ops.reshape(said, (-1, OUTPUTS))
    error = ops.mean(ops.abs(said[:, :4] - target), axis=1)
    log_error = ops.clip(said[:, 4], *_LOG_ERRORS)
    return error * ops.exp(-log_error) + log_error + _PLAIN_WEIGHT * error


def train_eyes(scenes: Sequence[Scene], plan: EyesPlan, run: Path, *, tell: Any = print) -> Any:
    """Train, or go on with, the run in a folder, and return the averaged Keras model.

    Args:
        scenes: of one face with eyes each.
        plan: how.
        run: the folder.
        tell: called after each epoch.

    Raises:
        BadInputError: there are no eyes, or the run was begun with another plan or other pictures.
    """
    if not scenes:
        raise BadInputError("No face of the split train has eyes: `kyara dataset eyes` finds them.")
    fit = Fit(build_eye_network, eye_loss, plan, run, digest_scenes(scenes))
    while fit.epoch < plan.views // plan.views_per_epoch:
        fit.learn_epoch(lambda rng: draw_eye_view(scenes, rng), tell)
    return fit.average
