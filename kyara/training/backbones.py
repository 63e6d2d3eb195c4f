"""The backbones that can be trained: everything that is particular to one stands in its entry.

To add one, add an entry to `BACKBONES`: `train --backbone` takes it, and so does `--features`. Importing
this module does not import Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kyara.errors import BadInputError

IMAGENET = "imagenet"
"""Keras' name of the weights that `keras.applications` has of every backbone."""
DEFAULT_BACKBONE = "inception-v3"


@dataclass(frozen=True)
class BackboneEntry:
    """A convolutional network of `keras.applications`.

    Attributes:
        application: its name there.
        min_input_px: smallest side of its input.
        freezing_points: layers that close a block, from the first on: where to stop freezing.
        depths: layers whose averages stand side by side as frozen features: early ones tell texture and
            colour, late ones things.
        input_range: what it takes for black and white; pixels come in 0 to 1 and are scaled inside.
    """

    application: str
    min_input_px: int
    freezing_points: tuple[str, ...]
    depths: tuple[str, ...]
    input_range: tuple[float, float] = (0.0, 1.0)

    def build(self, input_px: int, *, bn_momentum: float = 0.99, weights: str | None = None) -> Any:
        """Build it up to its last feature map.

        Args:
            input_px: side of the square input.
            bn_momentum: of batch normalisation's moving averages.
            weights: `IMAGENET`, or None for random ones.

        Returns:
            A Keras model that takes `float32 (N, input_px, input_px, 3)` in 0 to 1.
        """
        import keras

        low, high = self.input_range
        shape = (input_px, input_px, 3)
        pixels: Any = keras.Input(shape)
        if self.input_range != (0.0, 1.0):
            pixels = keras.layers.Rescaling(high - low, low, dtype="float32")(pixels)
        make = getattr(keras.applications, self.application)
        network = make(include_top=False, weights=weights, input_tensor=pixels, input_shape=shape)
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = bn_momentum
        return network


BACKBONES = {
    # Szegedy et al. 2016, https://arxiv.org/abs/1512.00567
    "inception-v3": BackboneEntry(
        application="InceptionV3",
        min_input_px=75,
        freezing_points=tuple(f"mixed{number}" for number in range(11)),
        depths=("mixed4", "mixed7", "mixed9"),
    ),
    # Sandler et al. 2018, https://arxiv.org/abs/1801.04381
    "mobilenet-v2": BackboneEntry(
        application="MobileNetV2",
        min_input_px=32,
        freezing_points=("block_2_add", "block_5_add", "block_9_add", "block_12_add", "block_15_add"),
        depths=("block_5_add", "block_12_add", "out_relu"),
        input_range=(-1.0, 1.0),
    ),
}


def find_backbone(name: str) -> BackboneEntry:
    """Return the entry of a backbone.

    Raises:
        BadInputError: there is none of that name.
    """
    if name not in BACKBONES:
        raise BadInputError(f"There is no backbone {name!r}; there are {', '.join(BACKBONES)}.")
    return BACKBONES[name]
