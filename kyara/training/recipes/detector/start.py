"""Start weights of the face network: an earlier detector's, read back from the file that serves."""

from __future__ import annotations

from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.training.recipes.detector.network import build_detector
from kyara.training.start_weights import DENSE, FoldedLayer, read_folded_layers, set_norm

OTHER = "The start weights are of another face network than this recipe trains."


def build_started_detector(network: bytes, views: np.ndarray) -> Any:
    """Build the network with the weights of a LiteRT file.

    The file has normalisations folded into its convolutions. Each gets back the means and variances that
    it sees on some views, so that the network does the same in training, where those of the batch are
    used; the kernels are scaled to give a variance of one, as they did when they were first trained.

    Args:
        network: a bundle's `detector.tflite`.
        views: `uint8 (N, S, S, 3)` RGB.

    Raises:
        BadInputError: the file holds another network.
    """
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    model: Any = build_detector()
    convolutions = [one for one in model.layers if isinstance(one, kinds)]
    normalised = _find_normalised(model)
    folded = [one for one in read_folded_layers(network) if one.kind != DENSE]
    pairs = [(layer, _take_alike(folded, layer)) for layer in convolutions]
    if folded:
        raise BadInputError(OTHER)
    for layer, one in pairs:
        norm = normalised.get(layer.name)
        if norm is None:
            layer.set_weights([one.kernel, one.bias])
            continue
        layer.set_weights([one.kernel])
        set_norm(norm, one.bias, np.zeros_like(one.bias))
    watched = [layer for layer, _ in pairs if layer.name in normalised]
    watcher: Any = keras.Model(model.input, [layer.output for layer in watched])
    seen = watcher.predict(views.astype(np.float32) / 255, batch_size=len(views), verbose=0)
    biases = {layer.name: one.bias for layer, one in pairs}
    for layer, values in zip(watched, seen, strict=True):
        norm, bias = normalised[layer.name], biases[layer.name]
        mean, deviation = values.mean(axis=(0, 1, 2)), np.maximum(values.std(axis=(0, 1, 2)), 1e-3)
        (kernel,) = layer.get_weights()
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        layer.set_weights([kernel / (deviation[:, None] if depthwise else deviation)])
        gamma = deviation * np.sqrt(1 + norm.epsilon)
        norm.set_weights([gamma, bias + mean, mean / deviation, np.ones_like(mean)])
    return model


def _find_normalised(model: Any) -> dict[str, Any]:
    """Return the batch normalisation that follows each convolution: the convolution's name → it."""
    import keras

    norms: list[Any] = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    by_output = {id(one.output): one.name for one in model.layers}
    return {by_output[id(norm.input)]: norm for norm in norms}


def _take_alike(folded: list[FoldedLayer], layer: Any) -> FoldedLayer:
    """Take the first layer of the file that has this layer's kind and shape out of the list."""
    for place, one in enumerate(folded):
        if one.kernel.shape == tuple(layer.kernel.shape):
            return folded.pop(place)
    raise BadInputError(OTHER)
