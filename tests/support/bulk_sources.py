"""Videos and folders of pictures in any number, each another, one of them broken, two of them twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from videos import slide_example, write_video

from kyara.vision.images import encode_png

TINTS = ((255, 90, 90), (90, 255, 90), (90, 90, 255), (255, 255, 90), (255, 90, 255), (90, 255, 255))


def draw_frames(seed: int, count: int = 3) -> list[np.ndarray]:
    """Return frames with three faces that move, in a colour and a place of the seed's own."""
    frames = slide_example(count + seed % 4, 8)[-count:]
    tint = np.array(TINTS[seed % len(TINTS)], float) / 255
    share = 0.2 + 0.05 * (seed // len(TINTS) % 8)
    return [(frame * (1 - share + share * tint)).astype(np.uint8) for frame in frames]


def write_sources(folder: Path, count: int) -> list[Path]:
    """Write `count` sources, at least 6: videos, animations and folders of three pictures."""
    sources = []
    for seed in range(count):
        frames = draw_frames(seed)
        if seed % 4 == 3:
            source = folder / f"pictures{seed:02}"
            source.mkdir(parents=True)
            for number, frame in enumerate(frames):
                (source / f"{number}.png").write_bytes(encode_png(frame))
        else:
            suffix = ".gif" if seed % 4 == 2 else ".mp4"
            source = write_video(folder / f"video{seed:02}{suffix}", frames, rate=2)
        sources.append(source)
    write_video(sources[4], draw_frames(4, 8), rate=2)
    sources[4].write_bytes(sources[4].read_bytes()[: sources[4].stat().st_size * 3 // 4])
    sources[5].write_bytes(sources[0].read_bytes())
    return sources
