"""What every face detector is: a function from pixels to boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kyara.vision.boxes import Box

Detect = Callable[[np.ndarray], list[tuple[Box, float]]]
"""`uint8 (H, W, 3)` → bare boxes with their scores, in a steady order."""
