"""`identify` of pictures: what is there → what is said of each, and copies with names drawn."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from PIL import Image

from kyara.cli.identify_many import Place, look_at_pictures
from kyara.cli.identify_output import Failures, say_who
from kyara.cli.identify_sources import STANDARD_INPUT, Source, Sources
from kyara.errors import KyaraError
from kyara.recognition.classifier import Classifier
from kyara.recognition.embeddings import SHARD_PICTURES
from kyara.recognition.pictures import IdentifiedPicture, identify_pixels
from kyara.storage.atomic import explain_os_error, open_replacement
from kyara.storage.paths import choose_free_picture, show_path
from kyara.vision.detectors.base import open_detector
from kyara.vision.drawing import BoxLabel, draw_labels
from kyara.vision.images import read_image, tell_nobody

if TYPE_CHECKING:
    from kyara.vision.detectors.base import FaceDetector

Found = tuple[Source, IdentifiedPicture]
MAX_STEM_BYTES = 200
"""Of the name of a copy; file systems take 255 bytes, and a number and an ending have to fit."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    """How pictures are looked at; as the options of the command."""

    whole: bool
    detector: str | None
    level: int | None
    top_k: int
    language: str


class Looking:
    """Looks at pictures, by workers where there are many."""

    def __init__(self, classifier: Classifier, failures: Failures, **options: Any) -> None:
        """Take who says who it is, where complaints go, and the options of `_Options`."""
        self._classifier, self._failures = classifier, failures
        self._options = _Options(**options)

    def describe(
        self, sources: Sources, place: Place, annotate: Path | None
    ) -> Iterator[dict[str, Any]]:
        """Give pictures as the JSON document has them; draw copies of them if asked.

        Args:
            sources: the pictures are looked at.
            place: who does the work.
            annotate: a folder for the copies.
        """
        shards = -(-len(sources.pictures) // SHARD_PICTURES)
        is_alone = place.folder is None and place.engine.is_alone(shards)
        if is_alone or not sources.is_kept:
            found = iter(self._look_in_turn(sources.pictures))
        else:
            found = self._look_by_workers(sources.pictures, place)
        for source, picture in found:
            if annotate is not None:
                self._write_annotated(source, picture, annotate)
            yield {
                "source": show_path(source.name),
                **picture.describe(self._classifier, self._options.language),
            }

    def _look_in_turn(self, sources: list[Source]) -> list[Found]:
        """Look at one picture after the other in this process, with one detector for all."""
        found: list[Found] = []
        if not sources:
            return found
        options, quiet = self._options, len(sources) < 3
        with (
            nullcontext() if options.whole else open_detector(options.detector) as finder,
            click.progressbar(sources, label="Identifying", hidden=quiet, file=sys.stderr) as bar,
        ):
            for source in bar:
                try:
                    found.append((source, self._look(source, finder)))
                except KyaraError as error:
                    self._failures.tell(source.name, str(error))
        return found

    def _look(self, source: Source, finder: FaceDetector | None) -> IdentifiedPicture:
        pixels = read_image(source.path, lambda sentence: self._failures.warn(source.name, sentence))
        options = self._options
        return identify_pixels(
            pixels, self._classifier, finder, level=options.level, top_k=options.top_k
        )

    def _look_by_workers(self, sources: list[Source], place: Place) -> Iterator[Found]:
        options = self._options
        for path, (width, height), faces in look_at_pictures(
            [source.path for source in sources],
            self._classifier,
            place,
            self._failures,
            whole=options.whole,
            detector=options.detector,
            level=options.level,
            top_k=options.top_k,
        ):
            yield Source(path, str(path)), IdentifiedPicture(width, height, tuple(faces))

    def _write_annotated(self, source: Source, picture: IdentifiedPicture, folder: Path) -> None:
        language = self._options.language
        labels = [
            BoxLabel(box, say_who(face, language), face.verdict == "known")
            for box, face in picture.faces
        ]
        drawn = draw_labels(read_image(source.path, tell_nobody), labels, language)
        target = choose_free_picture(folder, _choose_stem(source))
        try:
            with open_replacement(target, new=True) as file:
                Image.fromarray(drawn).save(file, "PNG")
        except OSError as error:
            raise explain_os_error(error, str(target), "The copies before it are there.") from error


def _choose_stem(source: Source) -> str:
    """Return the name of a copy, without its ending; so short that a number fits."""
    if source.name == STANDARD_INPUT:
        return "stdin"
    is_file = source.name == str(source.path)
    stem = source.path.stem if is_file else Path(urlsplit(source.name).path).stem
    while len(os.fsencode(stem)) > MAX_STEM_BYTES:
        stem = stem[:-1]
    return stem or "picture"
