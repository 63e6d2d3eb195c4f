"""The network of the recipe `finetune`, in Keras: a backbone, a projection and a cosine head.

Importing this module imports Keras and TensorFlow: import it inside the function that trains.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kyara.errors import BadInputError
from kyara.training.backbones import DEFAULT_BACKBONE, find_backbone

ops: Any = keras.ops  # its own types say that every result may be None

FEATURES_LAYER = "features"
POOLED_LAYER = "pooled"
HEAD_LAYER = "head"


@keras.saving.register_keras_serializable("kyara")
class CosineHead(keras.layers.Layer):
    """One learned direction (proxy) a class: unit features → cosines.

    Input `float32 (N, dimension)` of unit length, output `float32 (N, classes)` in -1 to 1.

    Source: NormFace, Wang et al. 2017, https://arxiv.org/abs/1704.06369
    """

    def __init__(self, classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.classes = classes

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Create the proxies, `float32 (classes, dimension)`."""
        self.proxies = self.add_weight(
            name="proxies",
            shape=(self.classes, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=input_shape[-1] ** -0.5),
        )

    def call(self, features: Any) -> Any:
        """Compare features with every proxy."""
        return ops.matmul(features, ops.transpose(ops.normalize(self.proxies, axis=-1)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable("kyara")
class UnitLength(keras.layers.Layer):
    """Scale each row to unit length, by operations that LiteRT has."""

    def call(self, values: Any) -> Any:
        """Return `(N, dimension)` rows of unit length."""
        return values * ops.rsqrt(ops.sum(ops.square(values), axis=-1, keepdims=True) + 1e-12)


def build_embedding_network(
    input_px: int,
    dimension: int,
    classes: int,
    *,
    backbone: str = DEFAULT_BACKBONE,
    bn_momentum: float = 0.99,
) -> keras.Model:
    """Build a backbone, average pooling, a linear projection to unit length and a cosine head.

    Args:
        input_px: side of the square input, at least the backbone's minimum.
        dimension: of the features.
        classes: of the head.
        backbone: its name in `backbones.BACKBONES`.
        bn_momentum: of batch normalisation's moving averages.

    Returns:
        `float32 (N, input_px, input_px, 3)` in [0, 1] → cosines `(N, classes)`; the layer `features`
        gives the unit features `(N, dimension)`.
    """
    base = find_backbone(backbone).build(input_px, bn_momentum=bn_momentum)
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED_LAYER, dtype="float32")(base.output)
    projected = keras.layers.Dense(dimension, name="projection", dtype="float32")(pooled)
    features = UnitLength(name=FEATURES_LAYER, dtype="float32")(projected)
    cosines = CosineHead(classes, name=HEAD_LAYER, dtype="float32")(features)
    return keras.Model(base.input, cosines, name="kyara")


def freeze_until(network: keras.Model, name: str) -> None:
    """Keep the layers up to and including the named one as they are; an empty name freezes none.

    Raises:
        BadInputError: there is no such layer.
    """
    if not name:
        return
    names = [layer.name for layer in network.layers]
    if name not in names:
        raise BadInputError(f"The network has no layer {name!r} to freeze up to.")
    for layer in network.layers[: names.index(name) + 1]:
        layer.trainable = False


def fit_whitening(features: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit a PCA-whitening projection: the start of the learned one.

    A tenth of the kept components' mean variance is added to each: weak directions are not blown up.

    Args:
        features: `float32 (N, D)`.
        dimension: of the result, at most D; columns beyond the data's rank are zero.

    Returns:
        `float32 (D, dimension)` weight and `float32 (dimension,)` bias.

    Source: Jégou and Chum 2012, https://doi.org/10.1007/978-3-642-33709-3_55
    """
    mean = features.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov(features - mean, rowvar=False))
    variances = np.maximum(variances[::-1][:dimension], 0)
    directions = directions[:, ::-1][:, :dimension]
    weight = directions / np.sqrt(variances + 0.1 * variances.mean() + 1e-12)
    return weight.astype(np.float32), (-mean @ weight).astype(np.float32)
