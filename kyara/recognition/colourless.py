"""Drawings without colours: manga, pencil, tinted prints.

A network that was trained on colours puts them somewhere else than the same face in colours, and takes
the dots of a screentone for a texture. A bundle may have a small layer that undoes that: it sees the
features of the drawing in greys as it is and blurred, and returns those that the drawing would have in
colours. References in colours are compared with it then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from kyara.vision.tracking import scale_to_unit

LEAST_COLOUR = 2.5
"""Of 255: the deviation of colours across the direction in which they vary most; less is no colour. A
tinted print varies along its tint alone."""
LOOKED_AT_PX = 32
SURELY = 4
"""So many times the least deviation, in a quick look at single pixels, whose noise is not averaged."""
BLUR_SHARE = 1.5 / 128
"""Of the side, the deviation of the blur: it makes greys of a screentone's dots."""
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class ColourlessLayer:
    """What features without colours → features in colours; `F` is their length.

    Attributes:
        linear: `float32 (2 F, F)`.
        hidden: `float32 (2 F, H)`.
        hidden_bias: `float32 (H,)`.
        out: `float32 (H, F)`.
    """

    linear: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray

    def apply(self, sharp: np.ndarray, blurred: np.ndarray) -> np.ndarray:
        """Return the features in colours: `float32 (N, F)`, unit length.

        Args:
            sharp: `float32 (N, F)`, unit length, of views in greys.
            blurred: the same of the blurred views.
        """
        seen = np.concatenate([sharp, blurred], axis=1)
        bent = np.maximum(seen @ self.hidden + self.hidden_bias, 0)
        return scale_to_unit(seen @ self.linear + bent @ self.out)


def is_colourless(view: np.ndarray, scale: tuple[float, float] = (0.0, 1.0)) -> bool:
    """Tell whether a view has no colours, or shades of a single one.

    Args:
        view: `float32 (S, S, 3)`.
        scale: values that bytes 0 and 255 become.
    """
    least = LEAST_COLOUR / 255 * (scale[1] - scale[0])
    step = max(1, view.shape[0] // LOOKED_AT_PX)
    if _measure_colours(view[:: 2 * step, :: 2 * step]) > SURELY * least:
        return False  # which most are, and this is soon told
    side = view.shape[0] // step
    blocks = view[: side * step, : side * step].reshape(side, step, side, step, 3)
    return _measure_colours(blocks.mean(axis=(1, 3))) < least


def _measure_colours(pixels: np.ndarray) -> float:
    """Return the deviation of colours across the direction in which they vary most."""
    colours = pixels.reshape(-1, 3).astype(np.float64)
    colours -= colours.mean(axis=0)
    across = np.linalg.eigvalsh(colours.T @ colours)[1]
    return float(np.sqrt(max(across, 0.0) / len(colours)))


def show_without_colours(
    view: np.ndarray, scale: tuple[float, float] = (0.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the network is shown of a view without colours: in greys as it is, and blurred.

    Args:
        view: `float32 (S, S, 3)`.
        scale: values that bytes 0 and 255 become.
    """
    grey = drain_view(view)
    return grey, blur_view(grey, scale)


def drain_view(view: np.ndarray) -> np.ndarray:
    """Return a view in greys: `float32 (S, S, 3)`, in the same scale."""
    return np.repeat((view @ _LUMINANCE)[..., None], 3, axis=2)


def blur_view(view: np.ndarray, scale: tuple[float, float] = (0.0, 1.0)) -> np.ndarray:
    """Return a view in greys without its finest dots: `float32 (S, S, 3)`, in the same scale."""
    low, high = scale
    grey = Image.fromarray((view[..., 0] - low) * (255 / (high - low)))
    blurred = grey.convert("L").filter(ImageFilter.GaussianBlur(view.shape[0] * BLUR_SHARE))
    values = np.asarray(blurred, np.float32) * np.float32((high - low) / 255) + np.float32(low)
    return np.repeat(values[..., None], 3, axis=2)
