"""A worker's side of a scan: a picture file → its faces, and an embedding of each."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from kyara.dataset.library.sources import find_source
from kyara.dataset.library.tables import EMBEDDING
from kyara.errors import KyaraError
from kyara.recognition.backbone import Backbone
from kyara.recognition.bundle import Bundle
from kyara.recognition.embeddings import load_worker_backbone
from kyara.recognition.pictures import find_faces
from kyara.storage.parallel import Record, Task
from kyara.vision.detectors.base import FaceDetector, open_detector
from kyara.vision.images import MAX_IMAGE_PIXELS, decode_image, tell_nobody
from kyara.vision.picture_files import FILE_FORMATS

SHARD_PICTURES = 32
"""Pictures that a worker is handed at a time, and that a commit has: what a kill may cost."""


def plan_looking(bundle: Bundle, detector: str | None, level: int | None) -> Task:
    """Return the task of looking at pictures.

    Args:
        bundle: whose network is used; every worker finds it at the same place.
        detector: name of what finds the faces.
        level: its strictness.
    """
    options = {"bundle": str(bundle.backbone.parent.resolve()), "version": bundle.version}
    return Task(
        "kyara.dataset.library.looking:open_looker", {**options, "detector": detector, "level": level}
    )


def name_detector(detector: str | None, level: int | None) -> str:
    """Return what tells whether a picture would get the same boxes again.

    Raises:
        KyaraError: there is no such detector or level, or it does not work.
    """
    with open_detector(detector) as finder:
        if level is not None:  # else every picture would be to blame
            finder.find(np.full((32, 32, 3), 255, np.uint8), level=level)
        return f"{finder.name}-{finder.version}" + ("" if level is None else f"-{level}")


@contextmanager
def open_looker(options: Mapping[str, Any]) -> Iterator[Callable[[str], Iterator[Record]]]:
    """Give the function that looks at one picture file.

    Its record has `size`, `mtime_ns` and `sha256` of the file, `seconds` of each stage (`decode`: read,
    hash and decode it; `find` faces and cut them out; `embed` them), and either `error` or `width`,
    `height`, `boxes` and `scores`; its data are the embeddings. Of a file that is no longer there it has
    `gone` alone.

    Raises:
        BundleError: the model is not there, or not the one that was meant.
    """
    backbone = load_worker_backbone(options)
    with open_detector(options["detector"]) as finder:
        looker = _Looker(backbone, finder, options["level"])
        yield looker.look


@dataclass(frozen=True)
class _Looker:
    backbone: Backbone
    finder: FaceDetector
    level: int | None

    def look(self, name: str) -> Iterator[Record]:
        clock = _StopWatch()
        try:
            found, data = find_source(name).read(name)
        except FileNotFoundError:
            yield Record({"gone": True})
            return
        except OSError as error:
            said = f"It cannot be read ({error.strerror or type(error).__name__})."
            # a size that no file has: the next scan tries again, whatever the file looks like then
            yield Record({"size": -1, "mtime_ns": 0, "sha256": "", "seconds": {}, "error": said})
            return
        entry: dict[str, Any] = {
            "size": found.size,
            "mtime_ns": found.mtime_ns,
            "sha256": hashlib.sha256(data).hexdigest(),
            "seconds": clock.seconds,
        }
        try:
            pixels = decode_image(
                data, formats=FILE_FORMATS, max_pixels=4 * MAX_IMAGE_PIXELS, tell=tell_nobody
            )
        except KyaraError as error:
            clock.note("decode")
            yield Record({**entry, "error": str(error)})
            return
        clock.note("decode")
        find_window = self.backbone.preprocessing.find_window
        faces = find_faces(pixels, self.finder, find_window, self.level)
        clock.note("find")
        embeddings = self.backbone.extract(faces.crops).astype(EMBEDDING)
        clock.note("embed")
        height, width = pixels.shape[:2]
        boxes = [[box.x, box.y, box.width, box.height] for box in faces.boxes]
        entry |= {"width": width, "height": height, "boxes": boxes, "scores": list(faces.scores)}
        yield Record(entry, embeddings.tobytes())


class _StopWatch:
    """How long each stage took.

    Attributes:
        seconds: stage → seconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def note(self, stage: str) -> None:
        """Say that a stage has ended."""
        now = time.perf_counter()
        self.seconds[stage], self._since = now - self._since, now
