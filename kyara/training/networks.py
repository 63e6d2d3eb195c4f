"""The networks and losses of the recipes, in Keras.

Importing this module imports Keras and TensorFlow: import it inside the function that trains.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

ops: Any = keras.ops  # its own types say that every result may be None

FEATURES_LAYER = "features"
POOLED_LAYER = "pooled"
HEAD_LAYER = "head"
LOSSES = ("cosface", "arcface", "proxy-anchor")


@keras.saving.register_keras_serializable("kyara")
class CosineHead(keras.layers.Layer):
    """One learned direction (proxy) a class: unit features → cosines.

    Input `float32 (N, dimension)` of unit length, output `float32 (N, classes)` in -1 to 1.

    Source: NormFace, Wang et al. 2017, https://arxiv.org/abs/1704.06369
    """

    def __init__(self, classes: int, **options: Any) -> None:
        """Take the number of classes."""
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
        """Return what `__init__` takes."""
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable("kyara")
class UnitLength(keras.layers.Layer):
    """Scale each row to unit length, by operations that LiteRT has."""

    def call(self, values: Any) -> Any:
        """Return `(N, dimension)` rows of unit length."""
        return values * ops.rsqrt(ops.sum(ops.square(values), axis=-1, keepdims=True) + 1e-12)


@keras.saving.register_keras_serializable("kyara")
class MarginLoss(keras.losses.Loss):
    """Cross-entropy of scaled cosines where the true class is handicapped by a margin.

    `cosface` takes the margin off the cosine, `arcface` adds it to the angle (radians); with margin 0
    both are the normalised softmax.

    Source: CosFace, Wang et al. 2018, https://arxiv.org/abs/1801.09414; ArcFace, Deng et al. 2019,
    https://arxiv.org/abs/1801.07698
    """

    def __init__(self, kind: str = "cosface", scale: float = 24.0, margin: float = 0.15, **options: Any):
        """Take the kind of margin, the inverse temperature and the margin."""
        super().__init__(**options)
        self.kind, self.scale, self.margin = kind, scale, margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one loss a row; `y_true` is `int (N, 1)` or `(N,)`, `y_pred` cosines `(N, classes)`."""
        rows = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        true = ops.one_hot(rows, ops.shape(y_pred)[-1], dtype=y_pred.dtype)
        if self.kind == "cosface":
            handicapped = y_pred - self.margin
        else:
            # keep a distance from ±1, where the angle has no finite slope
            angle = ops.arccos(ops.clip(y_pred, -1 + 1e-4, 1 - 1e-4))
            handicapped = ops.cos(ops.minimum(angle + self.margin, np.pi))
        logits = self.scale * (true * handicapped + (1 - true) * y_pred)
        return keras.losses.sparse_categorical_crossentropy(rows, logits, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        own = {"kind": self.kind, "scale": self.scale, "margin": self.margin}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("kyara")
class ProxyAnchorLoss(keras.losses.Loss):
    """Every proxy is an anchor that pulls its class in the batch and pushes all others away.

    Source: Kim et al. 2020, https://arxiv.org/abs/2003.13911
    """

    def __init__(self, scale: float = 24.0, margin: float = 0.1, **options: Any) -> None:
        """Take the inverse temperature and the margin, in units of the cosine."""
        super().__init__(**options)
        self.scale, self.margin = scale, margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the batch's loss; shapes as in `MarginLoss.call`."""
        rows = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        true = ops.one_hot(rows, ops.shape(y_pred)[-1], dtype=y_pred.dtype)
        pull = ops.sum(true * ops.exp(-self.scale * (y_pred - self.margin)), axis=0)
        push = ops.sum((1 - true) * ops.exp(self.scale * (y_pred + self.margin)), axis=0)
        present = ops.cast(ops.max(true, axis=0) > 0, y_pred.dtype)
        pulled = ops.sum(ops.log1p(pull)) / ops.maximum(ops.sum(present), 1.0)
        return pulled + ops.mean(ops.log1p(push))

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        return {**super().get_config(), "scale": self.scale, "margin": self.margin}


def build_loss(kind: str, scale: float, margin: float) -> keras.losses.Loss:
    """Build one of `LOSSES`."""
    return ProxyAnchorLoss(scale, margin) if kind == "proxy-anchor" else MarginLoss(kind, scale, margin)


def build_inception(input_px: int, norm_momentum: float) -> keras.Model:
    """Build Inception-v3 up to its last feature map, with random weights.

    Source: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567
    """
    backbone = keras.applications.InceptionV3(
        include_top=False,
        weights=None,  # type: ignore[arg-type]
        input_shape=(input_px, input_px, 3),
    )
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = norm_momentum
    return backbone


def build_embedding_network(
    input_px: int, dimension: int, classes: int, *, norm_momentum: float = 0.99
) -> keras.Model:
    """Build Inception-v3, average pooling, a linear projection to unit length and a cosine head.

    Args:
        input_px: side of the square input, 75 at least.
        dimension: of the features.
        classes: of the head.
        norm_momentum: of batch normalisation's moving averages.

    Returns:
        `float32 (N, input_px, input_px, 3)` in [0, 1] → cosines `(N, classes)`; the layer `features`
        gives the unit features `(N, dimension)`.
    """
    backbone = build_inception(input_px, norm_momentum)
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED_LAYER, dtype="float32")(backbone.output)
    projected = keras.layers.Dense(dimension, name="projection", dtype="float32")(pooled)
    features = UnitLength(name=FEATURES_LAYER, dtype="float32")(projected)
    cosines = CosineHead(classes, name=HEAD_LAYER, dtype="float32")(features)
    return keras.Model(backbone.input, cosines, name="kyara")


def freeze_until(network: keras.Model, name: str) -> None:
    """Keep the layers up to and including the named one as they are; an empty name freezes none.

    Raises:
        ValueError: there is no such layer.
    """
    if not name:
        return
    last = [layer.name for layer in network.layers].index(name)
    for layer in network.layers[: last + 1]:
        layer.trainable = False


def fit_whitening(
    features: np.ndarray, dimension: int, shrinkage: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a PCA-whitening projection: the start of the learned one.

    Args:
        features: `float32 (N, D)`.
        dimension: of the result, at most D; columns beyond the data's rank are zero.
        shrinkage: share of the kept components' mean variance that is added to each, so that weak
            directions are not blown up.

    Returns:
        `float32 (D, dimension)` weight and `float32 (dimension,)` bias.

    Source: Jégou and Chum 2012, https://doi.org/10.1007/978-3-642-33709-3_55
    """
    mean = features.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov(features - mean, rowvar=False))
    variances = np.maximum(variances[::-1][:dimension], 0)
    directions = directions[:, ::-1][:, :dimension]
    weight = directions / np.sqrt(variances + shrinkage * variances.mean() + 1e-12)
    return weight.astype(np.float32), (-mean @ weight).astype(np.float32)
