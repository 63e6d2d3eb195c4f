"""Learning's way out: a TensorFlow network → the LiteRT file that serves.

Keras models and SavedModels go the same way, through a SavedModel with a fixed batch of one, so that
LiteRT can plan its memory once. Importing this module imports nothing heavy.
"""

from __future__ import annotations

import tempfile
from typing import Any

from kyara.errors import BadInputError

HUB_SIGNATURES = ("image_feature_vector", "default", "serving_default")
"""Signatures that give an image's features, the most specific first.

Source: https://www.tensorflow.org/hub/common_signatures/images
"""
HUB_OUTPUTS = ("default", "feature_vector", "features", "output_0")


def convert_keras(network: Any, *, quantise: bool = True) -> bytes:
    """Convert a Keras model: `float32 (N, S, S, 3)` → `(N, features)`.

    Args:
        network: the model; its input size is fixed.
        quantise: dynamic-range int8 weights: a quarter of the size, and much faster on a CPU.

    Returns:
        A LiteRT file that takes one picture.

    Source: https://ai.google.dev/edge/litert/models/post_training_quantization
    """
    import keras

    pixels = keras.Input(batch_shape=(1, *network.input_shape[1:]), name="pixels")
    with tempfile.TemporaryDirectory() as folder:
        one = keras.Model(pixels, network(pixels), name="one_picture")
        one.export(folder, format="tf_saved_model", verbose=False)
        return _convert_folder(folder, quantise)


def convert_hub(handle: str, input_px: int, *, quantise: bool = True) -> tuple[bytes, int]:
    """Convert a TensorFlow Hub module or a SavedModel that turns images into features.

    Args:
        handle: a TensorFlow Hub handle (URL), a SavedModel's folder or its .tar.gz.
        input_px: side of the input, where the module takes any.
        quantise: as in `convert_keras`.

    Returns:
        A LiteRT file that takes one picture, and the side of that picture.

    Raises:
        BadInputError: it cannot be loaded, or does not turn images into features.
    """
    import tensorflow as tf

    module = load_hub(handle)
    extract, side = _find_signature(module, handle)
    side = side or input_px
    picture = tf.TensorSpec((1, side, side, 3), tf.float32)  # type: ignore[arg-type]
    wrapper: Any = tf.Module()
    wrapper.module = module  # keeps the variables with the function that reads them
    wrapper.extract = tf.function(extract, input_signature=[picture])
    try:
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(wrapper, folder, signatures={"serving_default": wrapper.extract})
            return _convert_folder(folder, quantise), side
    except (ValueError, TypeError, RuntimeError) as error:
        raise BadInputError(f"{handle} does not turn pictures into features: {error}.") from error


def load_hub(handle: str) -> Any:
    """Load a TensorFlow Hub module or a SavedModel.

    Raises:
        BadInputError: it cannot be loaded.
    """
    import tensorflow_hub as hub

    try:
        return hub.load(handle)
    except Exception as error:  # the network, tar, protobuf and TensorFlow raise their own each
        raise BadInputError(f"{handle} cannot be loaded as a SavedModel: {error}.") from error


def _find_signature(module: Any, handle: str) -> tuple[Any, int | None]:
    """Return a function `float32 (1, S, S, 3)` → `(1, features)`, and S where it is fixed."""
    signatures = dict(module.signatures)
    names = [name for name in HUB_SIGNATURES if name in signatures] or list(signatures)[:1]
    if not names:
        raise BadInputError(f"{handle} has no signature that takes pictures.")
    call = signatures[names[0]]
    inputs = call.structured_input_signature[1]
    if len(inputs) != 1:
        raise BadInputError(
            f"{handle}: its signature {names[0]} takes {len(inputs)} inputs instead of one."
        )
    ((argument, spec),) = inputs.items()
    output = next((name for name in HUB_OUTPUTS if name in call.structured_outputs), None)

    def extract(pixels: Any) -> dict[str, Any]:
        import tensorflow as tf

        outputs = call(**{argument: pixels})
        features = outputs[output or next(iter(outputs))]
        while len(features.shape) > 2:  # a feature map: average over its places
            features = tf.reduce_mean(features, axis=1)
        return {"features": features}

    shape = spec.shape.as_list() if spec.shape.rank == 4 else [None] * 4
    return extract, shape[1]


def _convert_folder(folder: str, quantise: bool) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if quantise:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()
