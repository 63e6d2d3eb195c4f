"""Second stage: pixels → features, by the network of the bundle in LiteRT.

A crop is shown to the network in every view of the bundle's preprocessing; the views' features are
averaged. Views run side by side, one on each core: LiteRT gains less from several threads for one view.
A view without colours is run twice, if the bundle has a layer for such; see `colourless`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kyara.errors import BundleError
from kyara.recognition.bundle import Bundle, Preprocessing, View
from kyara.recognition.colourless import ColourlessLayer, is_colourless, show_without_colours
from kyara.vision.boxes import Box
from kyara.vision.images import crop_pixels, resize_pixels

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

MAX_THREADS = 4
_AHEAD = 2
"""Views in flight per worker thread and request."""
_Item = TypeVar("_Item")


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
    return np.stack([_prepare_view(pixels, view, preprocessing) for view in preprocessing.views])


def _prepare_view(pixels: np.ndarray, view: View, preprocessing: Preprocessing) -> np.ndarray:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"A crop is uint8 (H, W, 3); received {pixels.dtype} {pixels.shape}.")
    height, width = pixels.shape[:2]
    dx, dy = int(width * view.inset), int(height * view.inset)
    inner = crop_pixels(pixels, Box(dx, dy, width - 2 * dx, height - 2 * dy))
    resized = resize_pixels(np.ascontiguousarray(inner), preprocessing.input_px)
    low, high = preprocessing.scale
    shown = resized[:, ::-1] if view.mirror else resized
    return shown.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


class Backbone:
    """The loaded network, for a whole process: each of its threads has an interpreter of its own.

    Attributes:
        preprocessing: how crops become its input.
        dimension: length of a feature vector.
    """

    def __init__(
        self,
        path: Path,
        preprocessing: Preprocessing,
        *,
        threads: int | None = None,
        colourless: ColourlessLayer | None = None,
    ) -> None:
        """Load the LiteRT file.

        Args:
            path: a `.tflite` file: `float32 (1, input_px, input_px, 3)` → `float32 (1, features)`.
            preprocessing: how crops become its input.
            threads: views at once, a CPU thread each; by default those the process may use, up to 4.
            colourless: what the features of views without colours go through.

        Raises:
            BundleError: the file cannot be loaded or takes another input size.
        """
        self.preprocessing = preprocessing
        self._colourless = colourless
        self._takes_for_colourless: bool | None = None
        self._threads = threads or min(MAX_THREADS, len(os.sched_getaffinity(0)))
        self._own = threading.local()
        self._pool: tuple[int, ThreadPoolExecutor] | None = None
        self._asking: set[object] = set()
        self._turn = threading.Lock()
        try:
            # Read, not mapped: a file that is overwritten under a running site must not change answers.
            self._content = path.read_bytes()
            given, made = self._workers().submit(self._describe).result()
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a model that LiteRT can load: {error}.") from error
        self.dimension = made[-1]
        expected = [1, preprocessing.input_px, preprocessing.input_px, 3]
        if given != expected:
            raise BundleError(f"{path} takes {given}; the bundle says {expected}.")

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of the network and of how crops become its input: same hash, same features."""
        return fingerprint_network(self._content, self.preprocessing, self._colourless)

    def extract(self, crops: Iterable[np.ndarray]) -> np.ndarray:
        """Turn crops into features.

        Args:
            crops: `uint8 (H, W, 3)` each; a generator is read not much faster than the network works.

        Returns:
            `float32 (N, features)`: the average over the views.
        """
        return self.extract_each(crops).mean(axis=1)

    def extract_each(self, crops: Iterable[np.ndarray], which: slice = slice(None)) -> np.ndarray:
        """Turn crops into the features of each view.

        Args:
            crops: as `extract` takes them.
            which: of the preprocessing's views.

        Returns:
            `float32 (N, views, features)`.
        """
        views = self.preprocessing.views[which]
        shown = list(self.see((crop, view) for crop in crops for view in views))
        return np.array(shown, np.float32).reshape(-1, len(views), self.dimension)

    def see(self, shown: Iterable[tuple[np.ndarray, View]]) -> Iterator[np.ndarray]:
        """Show crops to the network, each in a view.

        Args:
            shown: `uint8 (H, W, 3)` and how it is shown; read as by `extract`.

        Yields:
            `float32 (features,)` of each, in order.
        """
        return self._run_side_by_side(
            lambda one: self._run(_prepare_view(*one, self.preprocessing)), shown
        )

    def count_spare(self, views: int) -> int:
        """Return how many more views take no more time than so many; none if others ask as well."""
        return -views % self._threads if len(self._asking) <= 1 else 0

    def extract_views(self, views: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Run the network on views that are ready.

        Args:
            views: `float32 (input_px, input_px, 3)` each, scaled; read as by `extract`.

        Yields:
            `float32 (features,)`, one a view, in order.
        """
        return self._run_side_by_side(self._run, views)

    def deciding_by(self, crop: np.ndarray) -> Backbone:
        """Return this network for parts of a crop: all have colours, or none, as the crop does.

        Args:
            crop: `uint8 (H, W, 3)`.
        """
        view = _prepare_view(crop, self.preprocessing.views[0], self.preprocessing)
        decided = copy(self)
        decided._takes_for_colourless = is_colourless(view, self.preprocessing.scale)
        return decided

    def _run_side_by_side(
        self, call: Callable[[_Item], np.ndarray], items: Iterable[_Item]
    ) -> Iterator[np.ndarray]:
        """Yield `call(item)` in order, few in flight: a large request leaves threads to others."""
        workers = self._workers()
        pending: deque[Future[np.ndarray]] = deque()
        self._asking.add(asker := object())
        try:
            for item in items:
                pending.append(workers.submit(call, item))
                if len(pending) > _AHEAD * self._threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            self._asking.discard(asker)
            for future in pending:
                future.cancel()

    def _workers(self) -> ThreadPoolExecutor:
        """Return this process' threads: those of the process that it was forked off are not here."""
        with self._turn:
            if self._pool is None or self._pool[0] != os.getpid():
                self._pool = os.getpid(), ThreadPoolExecutor(self._threads, "network")
                self._asking.clear()
            return self._pool[1]

    def _interpreter(self) -> Interpreter:
        """Return the interpreter of the calling thread."""
        from ai_edge_litert.interpreter import Interpreter

        if not hasattr(self._own, "interpreter"):
            interpreter = Interpreter(model_content=self._content, num_threads=1)
            interpreter.allocate_tensors()
            self._own.interpreter = interpreter
        return self._own.interpreter

    def _describe(self) -> tuple[list[int], list[int]]:
        """Return the shapes of input and output."""
        interpreter = self._interpreter()
        given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        return [int(side) for side in given["shape"]], [int(side) for side in made["shape"]]

    def _run(self, view: np.ndarray) -> np.ndarray:
        scale, taken = self.preprocessing.scale, self._takes_for_colourless
        if self._colourless is None or not (is_colourless(view, scale) if taken is None else taken):
            return self._infer(view)
        sharp, blurred = (self._infer(one)[None] for one in show_without_colours(view, scale))
        return self._colourless.apply(sharp, blurred)[0]

    def _infer(self, view: np.ndarray) -> np.ndarray:
        interpreter = self._interpreter()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], view[None])
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


def fingerprint_network(
    content: bytes, preprocessing: Preprocessing, colourless: ColourlessLayer | None = None
) -> str:
    """Return `Backbone.fingerprint` of a network that need not be loaded.

    Args:
        content: of the `.tflite` file.
        preprocessing: how crops become its input.
        colourless: as `Backbone` takes it.
    """
    digest = hashlib.sha256(content)
    digest.update(json.dumps(asdict(preprocessing), sort_keys=True).encode())
    for part in vars(colourless).values() if colourless else ():
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def load_backbone(bundle: Bundle, *, threads: int | None = None) -> Backbone:
    """Load a bundle's network, and see that head and gallery are made for its features.

    Args:
        bundle: the model.
        threads: as `Backbone` takes them.

    Raises:
        BundleError: it cannot be loaded, or gives features of another length than the head takes, or
            features that are not finite.
    """
    backbone = Backbone(
        bundle.backbone, bundle.preprocessing, threads=threads, colourless=bundle.colourless
    )
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
