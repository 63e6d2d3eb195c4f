"""The face detector's network: one anchor-free map of scores, boxes and eyes.

Depthwise-separable residual blocks down to stride 16; each cell of the last map answers for the four
cells of stride 8 in it, so nothing is ever scaled up. OpenCV, OpenCV.js and LiteRT read the same file,
at any input whose sides are multiples of 32 px.

Source: CenterNet (Zhou et al. 2019, https://arxiv.org/abs/1904.07850), with boxes learned by distance
and overlap (DIoU, Zheng et al. 2020, https://arxiv.org/abs/1911.08287).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kyara.vision.detectors.tiles import CHANNELS

_FINE, _MIDDLE, _DEEP = 24, 48, 112
_DEEP_KERNELS = (5, 7, 5, 7, 5, 7)


def build_detector() -> Any:
    """Build the network with random weights.

    Returns:
        A Keras model, `float32 (N, H, W, 3)` RGB in [0, 1] → `float32 (N, H/16, W/16, 4 * CHANNELS)`;
        the channels are those of the four cells from left to right, top to bottom.
    """
    import keras
    from keras import layers

    inputs = keras.Input((None, None, 3), name="picture")
    # most of a small network's time goes into its first maps: the first one has stride 4 already
    x = activate(layers.Conv2D(_FINE, 5, 4, "same", use_bias=False)(inputs))
    x = refine(x, 3)
    x = reduce(x, _MIDDLE, 3)
    for _ in range(2):
        x = refine(x, 3)
    detail = activate(layers.Conv2D(_MIDDLE, 2, 2, "same", use_bias=False)(x))
    x = reduce(x, _DEEP, 5)
    for kernel in _DEEP_KERNELS:
        x = refine(x, kernel)
    x = layers.Concatenate()([x, detail])
    x = activate(layers.Conv2D(_DEEP, 1, use_bias=False)(x))
    x = activate(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    start: Any = _start_bias
    outputs = layers.Conv2D(4 * CHANNELS, 1, bias_initializer=start, name="cells")(x)
    return keras.Model(inputs, outputs, name="detector")


def _start_bias(shape: Any, dtype: Any = None) -> Any:
    """Start with scores near 0.01, since nearly every cell is empty, and boxes of three cells."""
    bias = np.zeros((4, CHANNELS), np.float32)
    bias[:, 0] = -4.6
    bias[:, 3:5] = 1.1
    return bias.reshape(shape)


def activate(x: Any) -> Any:
    """Normalise, then cut off what is negative."""
    from keras import layers

    return layers.ReLU()(_normalise(x))


def _normalise(x: Any) -> Any:
    """Batch normalisation by TensorFlow's one operation: a step takes two thirds of the time."""
    import keras
    import tensorflow as tf

    class FusedBatchNormalization(keras.layers.BatchNormalization):
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not training:
                return super().call(inputs, training=False)
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
            )
            moving: Any
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + value * (1 - self.momentum))
            return outputs

    return FusedBatchNormalization(momentum=0.97)(x)


def reduce(x: Any, channels: int, kernel: int) -> Any:
    """Halve a map's sides, depthwise, and mix it into other channels."""
    from keras import layers

    x = activate(layers.DepthwiseConv2D(kernel, 2, "same", use_bias=False)(x))
    return activate(layers.Conv2D(channels, 1, use_bias=False)(x))


def refine(x: Any, kernel: int) -> Any:
    """Add what a depthwise-separable block makes of a map."""
    from keras import layers

    y = activate(layers.DepthwiseConv2D(kernel, padding="same", use_bias=False)(x))
    y = layers.Conv2D(x.shape[-1], 1, use_bias=False)(y)
    return layers.ReLU()(layers.Add()([x, _normalise(y)]))
