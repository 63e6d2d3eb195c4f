"""The losses of the recipe `finetune`, on cosines to each class' proxy.

Importing this module imports Keras and TensorFlow: import it inside the function that trains.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

ops: Any = keras.ops  # its own types say that every result may be None


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
        return {**super().get_config(), "scale": self.scale, "margin": self.margin}


def build_loss(kind: str, scale: float, margin: float) -> keras.losses.Loss:
    """Build the loss of a kind: `cosface`, `arcface` or `proxy-anchor`."""
    return ProxyAnchorLoss(scale, margin) if kind == "proxy-anchor" else MarginLoss(kind, scale, margin)
