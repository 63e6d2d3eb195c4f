"""Files, folders and patterns → the files to look at."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from kyara.errors import BadInputError
from kyara.vision.animations import is_animation
from kyara.vision.frames import Frame
from kyara.vision.images import read_image
from kyara.vision.picture_files import SUFFIXES, is_picture_name
from kyara.vision.video import VIDEO_SUFFIXES, Sampling, describe_video, read_frames

SHARD_PICTURES = 32
"""Pictures that a worker is handed at a time."""


def list_sources(named: Iterable[Path]) -> list[Path]:
    """Return the files that are named: a folder gives its videos and pictures, a pattern its matches.

    Each file comes once, in the order in which it was named; those of a folder or a pattern sorted.

    Raises:
        BadInputError: a folder or a pattern gives nothing. A file that is not there is reported when
            it is read.
    """
    found: dict[Path, None] = {}
    for path in named:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if _is_wanted(p))
        elif not path.exists() and glob.has_magic(str(path)):
            files = sorted(p for p in map(Path, glob.glob(str(path), recursive=True)) if p.is_file())
        else:
            files = [path]
        if not files:
            raise BadInputError(f"{path} has no video and no picture.")
        found.update(dict.fromkeys(files))
    return list(found)


def _is_wanted(path: Path) -> bool:
    """Tell whether a file of a folder is a video or a picture, by its name."""
    is_video = path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("._")
    return (is_video or is_picture_name(path.name)) and path.is_file()


def split_sources(files: Iterable[Path]) -> Iterator[list[str]]:
    """Return the shards for bulk work: each video alone, pictures that follow each other together."""
    pictures: list[str] = []
    for file in files:
        alone = not is_picture(file)
        if not alone:
            pictures.append(str(file))
        if pictures and (alone or len(pictures) == SHARD_PICTURES):
            yield pictures
            pictures = []
        if alone:
            yield [str(file)]
    if pictures:
        yield pictures


def is_picture(path: Path) -> bool:
    """Return whether a file is taken for a single picture: by its name, and not being an animation."""
    return path.suffix.lower() in SUFFIXES - VIDEO_SUFFIXES and not is_animation(path)


def measure_duration(path: Path) -> float:
    """Return the length of a source in seconds; 1 for a picture, and where the file does not tell.

    Raises:
        KyaraError: the file cannot be read.
    """
    if is_picture(path):
        return 1.0
    return describe_video(path).duration_s or 1.0


def read_source(path: Path, sampling: Sampling, first: int = 0) -> Iterator[Frame]:
    """Give the wanted frames of a video, an animation or a picture (its only frame, number 0).

    Raises:
        KyaraError: as `read_frames` and `read_image`.
    """
    if not is_picture(path):
        yield from read_frames(path, sampling, first=first)
    elif first == 0:
        yield shrink_frame(Frame(0, 0.0, read_image(path)), sampling.longest_px)


def shrink_frame(frame: Frame, longest_px: int | None) -> Frame:
    """Return a frame whose longer side is at most so long."""
    import numpy as np
    from PIL import Image

    height, width = frame.pixels.shape[:2]
    if longest_px is None or max(height, width) <= longest_px:
        return frame
    scale = longest_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(frame.pixels).resize(size, Image.Resampling.BOX)
    return Frame(frame.number, frame.time_s, np.asarray(small), scale)
