"""FFmpeg's frames → upright `uint8 (H, W, 3)` sRGB, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kyara.errors import TooLargeError
from kyara.vision.images import MAX_IMAGE_PIXELS

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_FRAME_PIXELS = 4 * MAX_IMAGE_PIXELS


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        number: of the frame in the video, from 0.
        time_s: when it is shown, from the start of the video.
        pixels: `uint8 (H, W, 3)` sRGB, upright.
        scale: of the pixels; 1 where the frame was not made smaller.
    """

    number: int
    time_s: float
    pixels: np.ndarray
    scale: float = 1.0


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a video whose frames are too large.

    Raises:
        TooLargeError: they are.
    """
    if width * height > MAX_FRAME_PIXELS:
        raise TooLargeError(
            f"{path.name} has frames of {width}×{height} pixels; at most {MAX_FRAME_PIXELS:,} in all "
            "are accepted."
        )


def show_size(path: Path, frame: VideoFrame, stream: VideoStream | None) -> tuple[int, int]:
    """Return width and height as shown, before the turn: pixels need not be square.

    Raises:
        TooLargeError: more pixels are shown than Kyara accepts.
    """
    ratio = stream.sample_aspect_ratio if stream is not None else None
    if not ratio or not 1 / 8 < ratio < 8:
        return frame.width, frame.height
    width = max(1, round(frame.width * ratio))
    check_size(path, width, frame.height)
    return width, frame.height


def make_frame(
    number: int, time_s: float, frame: VideoFrame, size: tuple[int, int], longest_px: int | None
) -> Frame:
    """Turn a decoded frame upright, with at most `longest_px` a side."""
    width, height = size
    scale = 1.0 if longest_px is None else min(1.0, longest_px / max(width, height))
    pixels = _to_rgb(frame, max(1, round(width * scale)), max(1, round(height * scale)))
    turns = round(frame.rotation / 90) % 4
    if turns:
        pixels = np.rot90(pixels, turns)
    return Frame(number, time_s, np.ascontiguousarray(pixels), scale)


def _to_rgb(frame: VideoFrame, width: int, height: int) -> np.ndarray:
    """Convert to `uint8 (height, width, 3)`; what is transparent becomes white."""
    from av.video.reformatter import Interpolation

    clear = any(component.is_alpha for component in frame.format.components)
    pixels = frame.to_ndarray(
        format="rgba" if clear else "rgb24",
        width=width,
        height=height,
        interpolation=Interpolation.AREA,
    )
    if not clear:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
