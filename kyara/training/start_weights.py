"""Start weights for training: a bundle, an earlier run, `keras.applications` or TensorFlow Hub.

A bundle's network is a LiteRT file: batch normalisation is folded into the convolutions, and weights are
int8. Read back, they give the same features, so training can go on from what ships.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.recognition.bundle import BACKBONE_FILE
from kyara.training.backbones import IMAGENET, BackboneEntry
from kyara.training.checkpoints import find_checkpoint
from kyara.training.convert import load_hub

CONVOLUTION, DEPTHWISE, DENSE = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
"""LiteRT's names of the operations that have weights."""
_IMAGENET_RANGE = (-1.0, 1.0)
"""Of the pixels on which `keras.applications` trained its weights."""


@dataclass(frozen=True)
class FoldedWeights:
    """What a LiteRT file holds of a network that the recipe `finetune` made.

    Attributes:
        convolutions: kernel `float32 (height, width, in, out)` and bias `float32 (out,)` of each, in the
            order in which Keras made them.
        projection: weight `float32 (pooled, dimension)` and bias `float32 (dimension,)`.
    """

    convolutions: tuple[tuple[np.ndarray, np.ndarray], ...]
    projection: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class FoldedLayer:
    """One layer of a LiteRT file.

    Attributes:
        kind: LiteRT's name of the operation.
        number: the numbers in its weight's name: how Keras counted it.
        weight: `float32`, in LiteRT's order of axes.
        bias: `float32 (out,)`.
    """

    kind: str
    number: tuple[int, ...]
    weight: np.ndarray
    bias: np.ndarray

    @property
    def kernel(self) -> np.ndarray:
        """The kernel of a convolution in Keras's order, depthwise or not."""
        return self.weight.transpose(1, 2, 3, 0)


def read_folded_layers(network: bytes) -> list[FoldedLayer]:
    """Read the convolutions and dense layers of a LiteRT file, int8 or float32, as they are run.

    Raises:
        BadInputError: LiteRT cannot load it.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter: Any = Interpreter(
            model_content=network,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BadInputError(f"The weights are not a model that LiteRT can load: {error}.") from error
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    layers = []
    for step in interpreter._get_ops_details():  # the public interface does not list operations
        if (kind := step["op_name"]) in (CONVOLUTION, DEPTHWISE, DENSE):
            _, weight, bias = (details.get(place, {}) for place in step["inputs"])
            values = _read_tensor(interpreter, weight)
            outputs = values.shape[-1 if kind == DEPTHWISE else 0]
            # a bias of nothing but zeros is left out
            shift = _read_tensor(interpreter, bias) if bias else np.zeros(outputs, np.float32)
            layers.append(FoldedLayer(kind, _number(weight["name"]), values, shift))
    return layers


def read_folded_weights(path: Path) -> FoldedWeights:
    """Read the weights of a bundle's `backbone.tflite`, int8 or float32.

    Raises:
        BadInputError: it is not a network of the recipe `finetune`.
    """
    layers = read_folded_layers(path.read_bytes())
    # Keras numbers the layers of a network with branches; LiteRT runs, and lists, them in another order
    convolutions = sorted((one for one in layers if one.kind != DENSE), key=lambda one: one.number)
    projections = [one for one in layers if one.kind == DENSE]
    if not convolutions or len(projections) != 1:
        raise BadInputError(f"{path} is not a network of the recipe finetune.")
    (projection,) = projections
    return FoldedWeights(
        tuple((one.kernel, one.bias) for one in convolutions), (projection.weight.T, projection.bias)
    )


def _number(name: str) -> tuple[int, ...]:
    """Return the numbers in a tensor's name: `…/conv2d_11_1/convolution` gives 11 and 1."""
    found = re.search(r"conv2d((?:_\d+)*)/", name)
    return tuple(int(part) for part in found.group(1).split("_")[1:]) if found else ()


def _read_tensor(interpreter: Any, details: dict[str, Any]) -> np.ndarray:
    """Return a constant as `float32`: value = scale · byte, one scale a channel."""
    values = interpreter.get_tensor(details["index"]).astype(np.float32)
    scales = details["quantization_parameters"]["scales"]
    if not len(scales):
        return values
    axis = details["quantization_parameters"]["quantized_dimension"]
    shape = [-1 if place == axis and len(scales) > 1 else 1 for place in range(values.ndim)]
    return values * scales.reshape(shape)


def assign_folded_weights(model: Any, weights: FoldedWeights, pictures: np.ndarray) -> None:
    """Copy folded weights into a network made by `networks.build_embedding_network`.

    Batch normalisation, which folding has made the identity, gets back the means that it sees, so that
    it does the same in training, where it uses those of the batch.

    Args:
        model: the network.
        weights: of one of the same shape.
        pictures: `float32 (N, S, S, 3)` in [0, 1]: what the means are measured on.

    Raises:
        BadInputError: the shapes differ.
    """
    import keras

    learned = sorted(_list_learned(model), key=_layer_number)
    norms = [layer for layer in learned if isinstance(layer, keras.layers.BatchNormalization)]
    convolutions = [layer for layer in learned if layer not in norms]
    try:
        for layer, norm, (kernel, bias) in zip(convolutions, norms, weights.convolutions, strict=True):
            layer.set_weights([kernel])
            set_norm(norm, bias, 0 * bias)
        model.get_layer("projection").set_weights(list(weights.projection))
    except ValueError as error:
        raise BadInputError(f"The start weights are of another network: {error}.") from error
    pool = keras.layers.GlobalAveragePooling2D(dtype="float32")
    watcher: Any = keras.Model(model.input, [pool(layer.output) for layer in convolutions])
    means = watcher.predict(pictures, batch_size=32, verbose=0)
    for norm, mean, (_, bias) in zip(norms, means, weights.convolutions, strict=True):
        mean = mean.mean(axis=0)
        set_norm(norm, bias + mean, mean)


def set_norm(norm: Any, beta: np.ndarray, mean: np.ndarray) -> None:
    """Make a batch normalisation add `beta - mean`."""
    gamma = [np.ones_like(beta)] if norm.scale else []
    norm.set_weights([*gamma, beta, mean, np.full_like(beta, 1 - norm.epsilon)])


def _layer_number(layer: Any) -> int:
    """Return the number that Keras gave to a layer without a name: `conv2d_12` gives 12."""
    found = re.fullmatch(r"(?:conv2d|batch_normalization)_(\d+)", layer.name)
    return int(found.group(1)) if found else 0


def _list_learned(network: Any) -> list[Any]:
    """Return the convolutions and batch normalisations of a network, in its order."""
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.BatchNormalization)
    return [layer for layer in network.layers if isinstance(layer, kinds)]


def find_start(source: str) -> str:
    """Return the file in a bundle or run that its weights are in; other sources as they are.

    Raises:
        BadInputError: a folder that is no bundle, no SavedModel and no run with a finished epoch.
    """
    folder = Path(source)
    if not folder.is_dir() or (folder / "saved_model.pb").exists():
        return source
    bundle = folder / BACKBONE_FILE
    return str(bundle if bundle.exists() else find_checkpoint(folder))


def load_start(model: Any, backbone: BackboneEntry, start: str) -> None:
    """Copy the backbone of an earlier model into this one, layer by layer in order.

    Args:
        model: a Keras model built on the backbone.
        backbone: its entry.
        start: `IMAGENET` for the weights of `keras.applications`; a `.keras` file of any run; or a
            SavedModel of the same backbone that `tensorflow_hub.load` takes, whose pixels are in 0 to 1.

    Raises:
        BadInputError: it cannot be loaded, or is of another network.
    """
    import keras

    from kyara.training import networks  # noqa: F401  registers the layers that a file may name

    if start == IMAGENET:
        values = _read_imagenet(backbone, model.input_shape[1])
    elif start.endswith(".keras"):
        try:
            earlier: Any = keras.models.load_model(start, compile=False)
        except (OSError, ValueError) as error:
            raise BadInputError(f"{start} is not a model that Keras can load: {error}.") from error
        values = _read_learned(earlier)
    else:
        module = load_hub(start)
        values = [one.numpy() for one in getattr(module, "variables", ()) if one.dtype.is_floating]
    variables = [one for layer in _list_learned(model) for one in layer.weights]
    if [value.shape for value in values] != [tuple(one.shape) for one in variables]:
        raise BadInputError(f"The start weights are of another network than {backbone.application}.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _read_learned(network: Any) -> list[np.ndarray]:
    return [value for layer in _list_learned(network) for value in layer.get_weights()]


def _read_imagenet(backbone: BackboneEntry, input_px: int) -> list[np.ndarray]:
    """Return the weights of `keras.applications` for pixels in the backbone's own range.

    Where the ranges differ, the first convolution takes in the scale and its normalisation the shift;
    that is exact where the convolution pads nothing, as in Inception-v3.
    """
    network = backbone.build(input_px, weights=IMAGENET)
    if backbone.input_range != _IMAGENET_RANGE:
        convolution, norm = _list_learned(network)[:2]
        (kernel,) = convolution.get_weights()
        low, high = _IMAGENET_RANGE
        *others, mean, variance = norm.get_weights()
        norm.set_weights([*others, mean - low * kernel.sum(axis=(0, 1, 2)), variance])
        convolution.set_weights([kernel * (high - low)])
    return _read_learned(network)
