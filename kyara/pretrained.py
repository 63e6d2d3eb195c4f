"""Start weights for training: the Inception-v3 that the npm package nsfwjs carries.

The package holds a TensorFlow.js layers model as JavaScript: a manifest (name, shape, quantisation)
and shards of base64. Its input is scaled to [0, 1].
"""

from __future__ import annotations

import base64
import re
import tarfile
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
