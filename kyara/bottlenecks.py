"""Features of picture files, each computed once: the cache of bottlenecks.

A feature is found again by the content of its picture and by what made it (the network, and how crops
become its input), so files may move, and another network never gets the features of this one.

Source: the bottleneck cache of TensorFlow's image retraining example,
https://github.com/tensorflow/hub/blob/master/examples/image_retraining/retrain.py
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from kyara.backbone import Backbone
from kyara.errors import BadInputError, KyaraError
from kyara.images import FILE_FORMATS, MAX_IMAGE_PIXELS, decode_image


def extract_cached(
    backbone: Backbone,
    paths: Iterable[Path],
    cache: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """Return the features of picture files, each taken as one crop.

    Args:
        backbone: the network.
        paths: of the pictures.
        cache: folder for the features; a kill costs none that were finished.
        progress: called with 1 after each picture.

    Returns:
        `float32 (N, features)`.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    folder = cache / backbone.fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in paths:
        rows.append(_recall(backbone, path, folder))
        progress(1)
    return np.stack(rows) if rows else np.zeros((0, backbone.dimension), np.float32)


def _recall(backbone: Backbone, path: Path, folder: Path) -> np.ndarray:
    try:
        data = path.read_bytes()
        kept = folder / f"{hashlib.sha256(data).hexdigest()}.npy"
        if kept.exists():
            return np.load(kept, allow_pickle=False)
        pixels = decode_image(data, formats=FILE_FORMATS, max_pixels=4 * MAX_IMAGE_PIXELS)
    except (OSError, ValueError, KyaraError) as error:
        raise BadInputError(f"{path}: {error}") from error
    features = backbone.extract([pixels])[0].astype(np.float32)
    buffer = io.BytesIO()
    np.save(buffer, features)
    partial = kept.with_suffix(f".{os.getpid()}.partial")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, kept)
    return features
