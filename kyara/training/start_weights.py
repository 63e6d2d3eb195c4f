"""Start weights for training: the Inception-v3 of the npm package nsfwjs, or of a bundle.

The package holds a TensorFlow.js layers model as JavaScript: a manifest (name, shape, quantisation)
and shards of base64. Its input is scaled to [0, 1].

A bundle's network is a LiteRT file: batch normalisation is folded into the convolutions, and weights are
int8. Read back, they give the same features, so training can go on from what ships.
"""

from __future__ import annotations

import base64
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BadInputError

PACKAGE = "nsfwjs@4.3.0"
FOLDER = "package/dist/models/inception_v3"
_ENTRY = re.compile(
    r'name:"([^"]+)",shape:\[([\d,]*)\],dtype:"float32"'
    r'(?:,quantization:\{min:(-?[\d.e-]+),scale:(-?[\d.e-]+),dtype:"uint8"\})?'
)
_SHARD = re.compile(r'exports="([A-Za-z0-9+/=]+)"')


def read_nsfwjs_weights(package: Path) -> dict[str, np.ndarray]:
    """Read every weight of the Inception-v3 inside the package.

    Args:
        package: the .tgz that `npm pack nsfwjs@4.3.0` writes.

    Returns:
        Name (for example `conv2d_1/kernel`) → `float32` array in Keras' layout.

    Raises:
        BadInputError: the file is missing or is not that package.

    Source: https://github.com/infinitered/nsfwjs (MIT); the 8-bit affine quantisation is
    TensorFlow.js': value = min + scale · byte.
    """
    try:
        with tarfile.open(package) as archive:
            manifest = _read_member(archive, "model.min.js")
            shards = [_read_member(archive, f"group1-shard{n}of6.min.js") for n in range(1, 7)]
    except (OSError, tarfile.TarError, KeyError) as error:
        raise BadInputError(f"{package} is not the npm package {PACKAGE}: {error}.") from error
    data = b"".join(base64.b64decode(_match_shard(shard)) for shard in shards)
    weights: dict[str, np.ndarray] = {}
    offset = 0
    for name, shape_text, low, scale in _ENTRY.findall(manifest):
        shape = tuple(int(size) for size in shape_text.split(",") if size)
        count = int(np.prod(shape, dtype=np.int64))
        if scale:
            raw = np.frombuffer(data, np.uint8, count, offset)
            values = raw.astype(np.float32) * np.float32(scale) + np.float32(low)
            offset += count
        else:
            values = np.frombuffer(data, "<f4", count, offset)
            offset += 4 * count
        weights[name] = values.reshape(shape)
    if offset != len(data):
        raise BadInputError(f"{package}: read {offset} of {len(data)} weight bytes.")
    return weights


def _read_member(archive: tarfile.TarFile, name: str) -> str:
    member = archive.extractfile(f"{FOLDER}/{name}")
    if member is None:
        raise KeyError(name)
    return member.read().decode("utf-8")


def _match_shard(text: str) -> str:
    found = _SHARD.search(text)
    if found is None:
        raise BadInputError("A weight shard holds no base64 text.")
    return found.group(1)


def assign_nsfwjs_weights(backbone: Any, weights: dict[str, np.ndarray]) -> int:
    """Copy the weights into a `keras.applications.InceptionV3` by creation order.

    Args:
        backbone: the Keras model, without its top.
        weights: as `read_nsfwjs_weights` returns them.

    Returns:
        How many layers were filled: 188 (94 convolutions, 94 batch normalisations).

    Raises:
        ValueError: a shape does not fit.
    """
    filled = 0
    for kind, parts in (
        ("conv2d", ("kernel",)),
        ("batch_normalization", ("beta", "moving_mean", "moving_variance")),
    ):
        layers = [layer for layer in backbone.layers if re.fullmatch(rf"{kind}(_\d+)?", layer.name)]
        layers.sort(key=lambda layer: int(re.sub(r"\D", "", layer.name.removeprefix(kind)) or 0))
        for number, layer in enumerate(layers, start=1):
            layer.set_weights([weights[f"{kind}_{number}/{part}"] for part in parts])
            filled += 1
    return filled


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


def read_folded_weights(path: Path) -> FoldedWeights:
    """Read the weights of a bundle's `backbone.tflite`, int8 or float32.

    Args:
        path: the file.

    Raises:
        BadInputError: it is not a network of the recipe `finetune`.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter: Any = Interpreter(
            model_path=str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BadInputError(f"{path} is not a model that LiteRT can load: {error}.") from error
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    layers: dict[str, list[tuple[tuple[int, ...], np.ndarray, np.ndarray]]] = {}
    for step in interpreter._get_ops_details():  # the public interface does not list operations
        if step["op_name"] in ("CONV_2D", "FULLY_CONNECTED"):
            _, weight, bias = (details[place] for place in step["inputs"])
            values = (_read_tensor(interpreter, weight), _read_tensor(interpreter, bias))
            layers.setdefault(step["op_name"], []).append((_number(weight["name"]), *values))
    # Keras numbers layers as it makes them; LiteRT runs, and lists, them in another order
    convolutions = sorted(layers.get("CONV_2D", []), key=lambda layer: layer[0])
    projections = layers.get("FULLY_CONNECTED", [])
    if not convolutions or len(projections) != 1:
        raise BadInputError(f"{path} is not a network of the recipe finetune.")
    _, weight, bias = projections[0]
    return FoldedWeights(
        tuple((kernel.transpose(1, 2, 3, 0), shift) for _, kernel, shift in convolutions),
        (weight.T, bias),
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

    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    convolutions, norms = ([one for one in model.layers if isinstance(one, kind)] for kind in kinds)
    convolutions, norms = (sorted(layers, key=_layer_number) for layers in (convolutions, norms))
    try:
        for layer, norm, (kernel, bias) in zip(convolutions, norms, weights.convolutions, strict=True):
            layer.set_weights([kernel])
            norm.set_weights([bias, 0 * bias, np.full_like(bias, 1 - norm.epsilon)])
        model.get_layer("projection").set_weights(list(weights.projection))
    except ValueError as error:
        raise BadInputError(f"The start weights are of another network: {error}.") from error
    pool = keras.layers.GlobalAveragePooling2D(dtype="float32")
    watcher: Any = keras.Model(model.input, [pool(layer.output) for layer in convolutions])
    means = watcher.predict(pictures, batch_size=32, verbose=0)
    for norm, mean in zip(norms, means, strict=True):
        beta, _, variance = norm.get_weights()
        mean = mean.mean(axis=0)
        norm.set_weights([beta + mean, mean, variance])


def _layer_number(layer: Any) -> int:
    return int(re.sub(r"\D", "", layer.name.removeprefix("conv2d")) or 0)


def load_start(model: Any, start: Path) -> None:
    """Copy the Inception-v3 of an earlier model into this one, layer by layer in order.

    Args:
        model: a Keras model built on `networks.build_inception`.
        start: the nsfwjs package, or a `.keras` file of any run.

    Raises:
        BadInputError: it is neither.
    """
    import keras

    if start.suffix != ".keras":
        assign_nsfwjs_weights(model, read_nsfwjs_weights(start))
        return
    from kyara.training import networks  # noqa: F401  registers the layers that the file may name

    earlier: Any = keras.models.load_model(start, compile=False)

    def learned(network: Any) -> list[Any]:
        kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
        return [layer for layer in network.layers if isinstance(layer, kinds)]

    for layer, source in zip(learned(model), learned(earlier), strict=True):
        layer.set_weights(source.get_weights())
