"""Somebody whom the tiny model has never seen, for tests that teach."""

from __future__ import annotations

import numpy as np

NEW = "drawn/five"


def draw_stranger(seed: int, size_px: int = 80) -> np.ndarray:
    """Draw stripes, a little different each time: `uint8 (size_px, size_px, 3)`."""
    stripes = np.zeros((size_px, size_px, 3), np.int64)
    stripes[:, ::2] = 255
    noise = np.random.default_rng(seed).integers(-40, 40, stripes.shape)
    return np.clip(stripes + noise, 0, 255).astype(np.uint8)


STRANGERS = [draw_stranger(seed) for seed in range(4)]
