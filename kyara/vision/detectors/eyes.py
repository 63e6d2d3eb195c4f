"""The eye network: a face that was found → where its eyes are, if that is sure.

A second file of the face network's bundle. LiteRT runs here what OpenCV.js runs in
`static/js/faces/opencv-search.js`; both cut the same window and find the same eyes.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from kyara.vision.boxes import Box
from kyara.vision.images import crop_pixels

OUTPUTS = 5
"""x and y of both eyes from the window's middle, in its sides; the logarithm of the error to expect."""
Eyes = tuple[float, float, float, float]


class EyeFinder:
    """Finds the eyes of faces. Threads may share it; their calls to the network take turns."""

    def __init__(self, network: bytes, settings: dict[str, Any], fill: int) -> None:
        """Load the network.

        Args:
            network: the LiteRT file.
            settings: the bundle's `eyes`; see `kyara.vision.detector_bundle.DetectorBundle`.
            fill: value of what lies outside the picture.
        """
        from ai_edge_litert.interpreter import Interpreter

        self._settings, self._fill = settings, fill
        self.most_error: float = settings["most_error"]
        self._interpreter = Interpreter(model_content=network, num_threads=1)
        self._is_ready = False
        self._lock = threading.Lock()

    def ask(self, face: np.ndarray) -> tuple[Eyes, float]:
        """Return what the network says of `draw_window`'s result.

        Returns:
            x and y of both eyes from the window's middle, and the error to expect, in its sides.
        """
        with self._lock:
            if not self._is_ready:
                self._interpreter.allocate_tensors()
                self._is_ready = True
            self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], face)
            self._interpreter.invoke()
            said = self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])
        x1, y1, x2, y2, log_error = said.ravel().tolist()
        return (x1, y1, x2, y2), math.exp(log_error)

    def find(self, pixels: np.ndarray, box: Box) -> Eyes | None:
        """Return x and y of both eyes in pixels, the one further left in an upright face first.

        Args:
            pixels: `uint8 (H, W, 3)` RGB.
            box: the tight face in them.

        Returns:
            None where the network is not sure enough.
        """
        window = plan_window(box, self._settings["margin"])
        face = draw_window(pixels, window, self._settings["side_px"], self._fill)
        (x1, y1, x2, y2), error = self.ask(face)
        if error > self.most_error:
            return None
        across, down = window.x + window.width / 2, window.y + window.height / 2
        return (
            across + x1 * window.width,
            down + y1 * window.height,
            across + x2 * window.width,
            down + y2 * window.height,
        )


def plan_window(box: Box, margin: float) -> Box:
    """Return the square about a face's middle that the network sees; it may reach over the edge."""
    side = max(1, math.floor(max(box.width, box.height) * margin + 0.5))
    x = math.floor(box.x + (box.width - side) / 2 + 0.5)
    return Box(x, math.floor(box.y + (box.height - side) / 2 + 0.5), side, side)


def draw_window(pixels: np.ndarray, window: Box, side_px: int, fill: int) -> np.ndarray:
    """Cut, fill up and scale: `uint8 (H, W, 3)` → `float32 (1, side, side, 3)` in [0, 1]."""
    import cv2

    height, width = pixels.shape[:2]
    above, left = max(0, -window.y), max(0, -window.x)
    below, right = (
        max(0, window.y + window.height - height),
        max(0, window.x + window.width - width),
    )
    within = np.ascontiguousarray(crop_pixels(pixels, window))
    whole = cv2.copyMakeBorder(
        within, above, below, left, right, cv2.BORDER_CONSTANT, value=(fill, fill, fill)
    )
    way = cv2.INTER_AREA if window.width > side_px else cv2.INTER_LINEAR
    return cv2.resize(whole, (side_px, side_px), interpolation=way)[None] / np.float32(255)


def measure_roll(eyes: Eyes) -> float:
    """Return how far a face with these eyes leans clockwise, in degrees, -180 to 180."""
    x1, y1, x2, y2 = eyes
    return math.degrees(math.atan2(y2 - y1, x2 - x1))
