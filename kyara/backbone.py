"""Second stage: pixels → features, by Inception-v3 in LiteRT.

A crop is shown to the network in every view of the bundle's preprocessing; the views' features are
averaged.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np

from kyara.bundle import Bundle, Preprocessing, View
from kyara.errors import BundleError
from kyara.images import Box, crop_pixels, resize_pixels

MAX_THREADS = 4


def prepare_crop(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Turn a crop into the network's input, one row a view.

    Args:
        pixels: `uint8 (H, W, 3)` sRGB, any size.
        preprocessing: the bundle's.

    Returns:
        `float32 (views, input_px, input_px, 3)` in `preprocessing.scale`.

    Raises:
        ValueError: the pixels have another shape or dtype.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"A crop is uint8 (H, W, 3); received {pixels.dtype} {pixels.shape}.")
    low, high = preprocessing.scale
    shown = [_show(pixels, view, preprocessing.input_px) for view in preprocessing.views]
    return np.stack(shown).astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


def _show(pixels: np.ndarray, view: View, input_px: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    dx, dy = int(width * view.inset), int(height * view.inset)
    inner = crop_pixels(pixels, Box(dx, dy, width - 2 * dx, height - 2 * dy))
    resized = resize_pixels(np.ascontiguousarray(inner), input_px)
    return resized[:, ::-1] if view.mirror else resized


class Backbone:
    """The loaded network. One instance serves a whole process: calls take turns."""

    def __init__(self, path: Path, preprocessing: Preprocessing, *, threads: int | None = None) -> None:
        """Load the LiteRT file.

        Args:
            path: a `.tflite` file: `float32 (1, input_px, input_px, 3)` → `float32 (1, features)`.
            preprocessing: how crops become its input.
            threads: CPU threads a call; by default those that the process may use, up to 4.

        Raises:
            BundleError: the file cannot be loaded or takes another input size.
        """
        from ai_edge_litert.interpreter import Interpreter

        self.preprocessing = preprocessing
        self._turn = threading.Lock()
        count = threads or min(MAX_THREADS, len(os.sched_getaffinity(0)))
        try:
            # Read, not mapped: a file that is overwritten under a running site must not change answers.
            self._content = path.read_bytes()
            self._interpreter = Interpreter(model_content=self._content, num_threads=count)
            self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a model that LiteRT can load: {error}.") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        expected = [1, preprocessing.input_px, preprocessing.input_px, 3]
        if list(self._input["shape"]) != expected:
            raise BundleError(f"{path} takes {list(self._input['shape'])}; the bundle says {expected}.")

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of the network and of how crops become its input: same hash, same features."""
        digest = hashlib.sha256(self._content)
        digest.update(json.dumps(asdict(self.preprocessing), sort_keys=True).encode())
        return digest.hexdigest()[:16]

    @property
    def dimension(self) -> int:
        """Length of a feature vector."""
        return int(self._output["shape"][-1])

    def extract(self, crops: Iterable[np.ndarray]) -> np.ndarray:
        """Turn crops into features.

        Args:
            crops: `uint8 (H, W, 3)` each; they are read one at a time.

        Returns:
            `float32 (N, features)`: the average over the views.
        """
        rows = [self._extract_one(prepare_crop(crop, self.preprocessing)) for crop in crops]
        return np.stack(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def _extract_one(self, views: np.ndarray) -> np.ndarray:
        return np.mean([self.extract_view(view) for view in views], axis=0)

    def extract_view(self, view: np.ndarray) -> np.ndarray:
        """Run the network once.

        Args:
            view: `float32 (input_px, input_px, 3)`, scaled.

        Returns:
            `float32 (features,)`.
        """
        with self._turn:
            self._interpreter.set_tensor(self._input["index"], view[None])
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._output["index"])[0]


def load_backbone(bundle: Bundle, *, threads: int | None = None) -> Backbone:
    """Load a bundle's network, and see that head and gallery are made for its features.

    Args:
        bundle: the model.
        threads: as `Backbone` takes them.

    Raises:
        BundleError: it cannot be loaded, or gives features of another length than the head takes, or
            features that are not finite.
    """
    backbone = Backbone(bundle.backbone, bundle.preprocessing, threads=threads)
    expected = bundle.head_weight.shape[0]
    if backbone.dimension != expected:
        raise BundleError(
            f"The model at {bundle.backbone.parent} does not fit together: its network gives features "
            f"of length {backbone.dimension}, its head and gallery take {expected}."
        )
    side = bundle.preprocessing.input_px
    if not np.isfinite(backbone.extract([np.full((side, side, 3), 127, np.uint8)])).all():
        raise BundleError(
            f"The network at {bundle.backbone} gives features that are not finite numbers."
        )
    return backbone
