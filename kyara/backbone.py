"""Second stage: pixels → features, by Inception-v3 in LiteRT.

A crop is shown to the network in every view of the bundle's preprocessing; the views' features are
averaged.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kyara.bundle import Preprocessing, View
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
            self._interpreter = Interpreter(model_path=str(path), num_threads=count)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a model that LiteRT can load: {error}.") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        expected = [1, preprocessing.input_px, preprocessing.input_px, 3]
        if list(self._input["shape"]) != expected:
            raise BundleError(f"{path} takes {list(self._input['shape'])}; the bundle says {expected}.")

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
