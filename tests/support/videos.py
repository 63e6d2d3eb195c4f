"""Videos that the tests encode themselves."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).resolve().parents[2] / "static" / "vendor" / "example.png"


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    rate: int = 10,
    *,
    sound: bool = False,
    turned: int = 0,
    pixel_ratio: Fraction | None = None,
) -> Path:
    """Encode frames: VP8 for `.webm`, animation for `.gif`, H.264 else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, pixel_format = {".webm": ("libvpx", "yuv420p"), ".gif": ("gif", "rgb8")}.get(
        path.suffix, ("libx264", "yuv420p")
    )
    # the index first, so that the beginning of a file that is cut short can be read
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.time_base = Fraction(1, rate)
        if pixel_ratio:
            stream.codec_context.sample_aspect_ratio = pixel_ratio
        if turned:
            stream.set_display_rotation(turned)
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "20", "g": "5"}
        voice = container.add_stream("aac", rate=16_000) if sound else None
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if voice is not None:
            _add_tone(container, voice, len(frames) / rate)
    return path


def write_sound(path: Path) -> Path:
    """Encode a second of a tone without a picture."""
    with av.open(str(path), "w") as container:
        _add_tone(container, container.add_stream("aac", rate=16_000), 1.0)
    return path


def _add_tone(container: Any, stream: Any, seconds: float) -> None:
    samples = (np.sin(np.arange(int(16_000 * seconds)) / 6) * 8000).astype(np.int16)
    for start in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def read_example(longest_px: int = 480) -> np.ndarray:
    """Return the picture that has three drawn faces, made smaller."""
    with Image.open(EXAMPLE) as image:
        image.thumbnail((longest_px, longest_px))
        return np.asarray(image.convert("RGB"))


def draw_number(number: int) -> np.ndarray:
    """Return a frame of one grey that tells its number (0 to 12)."""
    return np.full((48, 64, 3), 20 + number * 18, np.uint8)


def slide_example(count: int, step_px: int = 8) -> list[np.ndarray]:
    """Return frames in which the three faces move to the left."""
    pixels = read_example(560)
    width = (pixels.shape[1] - count * step_px) // 2 * 2
    height = pixels.shape[0] // 2 * 2
    return [pixels[:height, step_px * n : step_px * n + width] for n in range(count)]
