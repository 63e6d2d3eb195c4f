"""Pictures to scan, and what a scan tells and has written down so far."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image
from videos import EXAMPLE

from kyara.vision.images import encode_png

COUNTS = ("pictures", "new", "changed", "moved", "missing", "failed", "looked", "forgotten")


def draw_narrow(seed: int) -> bytes:
    """Return a picture in which faces are looked for quickly; all have the same length."""
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 4, 3), np.uint8)
    return encode_png(pixels)


def draw_faces(tint: int = 0) -> bytes:
    """Return a picture with three faces; each tint is another file."""
    with Image.open(EXAMPLE) as image:
        pixels = np.asarray(image.convert("RGB").reduce(3)).copy()
    pixels[0, 0] = tint
    return encode_png(pixels)


def count(summary: dict[str, int]) -> dict[str, int]:
    """Return the counts of a scan's summary that are not 0."""
    return {name: summary[name] for name in COUNTS if summary[name]}


def count_rows(library: Path) -> int:
    """Return how many pictures a library has, which may not be there yet."""
    if not library.exists():
        return 0
    with closing(sqlite3.connect(f"file:{library}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM library_pictures").fetchone()[0]
        except sqlite3.OperationalError:  # its tables are still to come
            return 0
