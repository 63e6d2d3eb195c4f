"""`identify`: who is in these pictures, or in this video?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from PIL import Image

from kyara.cli.detector_options import detector_option
from kyara.cli.engine_options import engine_options
from kyara.cli.identify_many import Failures, Place, identify_videos, look_at_pictures, tell_model
from kyara.cli.identify_output import Form, print_images
from kyara.cli.identify_video import identify_video, is_video
from kyara.errors import BadInputError, KyaraError
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.classifier import Classifier
from kyara.recognition.embeddings import SHARD_PICTURES
from kyara.registry.serving import ServingClassifier
from kyara.storage.parallel import Engine
from kyara.storage.parallel.choosing import EngineName
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import FaceDetector, open_detector
from kyara.vision.drawing import BoxLabel, draw_labels
from kyara.vision.images import list_pictures, read_image
from kyara.vision.languages import LANGUAGES


@dataclass(frozen=True)
class IdentifiedImage:
    """One picture with its faces."""

    source: Path
    width: int
    height: int
    faces: tuple[tuple[Box, FaceAnswers], ...]


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one CSV row an answer.")
@click.option(
    "--annotate",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Draw boxes and names: a folder for pictures (PNG); OUT.mp4 or OUT.webm for a video.",
)
@click.option("--whole", is_flag=True, help="Take each picture as one face crop.")
@click.option(
    "--top-k", default=5, show_default=True, type=click.IntRange(1, 50), help="Answers a face."
)
@detector_option
@click.option("--level", type=int, help="Strictness of the face detector, from 0 (fewest faces).")
@click.option(
    "--every",
    "every_s",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0.02),
    help="Of a video: seconds between the frames that are looked at.",
)
@click.option(
    "--webvtt",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.vtt",
    help="Of a video: write who appears when as subtitles.",
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="A bundle's folder; by default what serves."
)
@click.option(
    "--language",
    type=click.Choice(list(LANGUAGES)),
    default="en",
    show_default=True,
    help="Language of the names.",
)
@engine_options
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep here what is done, so that the same command goes on after a kill; gone at the end.",
)
def identify(
    images: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    annotate: Path | None,
    whole: bool,
    top_k: int,
    detector: str | None,
    level: int | None,
    every_s: float,
    webvtt: Path | None,
    model: Path | None,
    language: str,
    engine_name: EngineName,
    workers: int | None,
    work: Path | None,
) -> None:
    """Say who is in each of IMAGES: picture files, or folders of them; or who appears when in videos.

    An animation (GIF) that is named itself is a video; in a folder its first frame counts.

    What cannot be read is reported on stderr and the rest goes on; the exit status is 1 then.
    """
    if as_json and as_csv:
        raise click.UsageError("Give --json or --csv, not both.")
    if engine_name == "ray" and work is None:
        raise click.UsageError("--engine ray needs --work: a folder that every node sees.")
    form: Form = "json" if as_json else "csv" if as_csv else "text"
    place = Place(Engine(engine_name, workers), work)
    videos = [] if whole else [path for path in images if is_video(path)]
    if videos and len(videos) != len(images):
        raise click.UsageError("Give videos or pictures, not both.")
    if videos:
        options = {
            "every_s": every_s,
            "detector": detector,
            "level": level,
            "top_k": top_k,
            "language": language,
        }
        if len(videos) == 1 and engine_name == "local":
            drawn = {"annotate": annotate, "webvtt": webvtt, "as_json": as_json, "as_csv": as_csv}
            identify_video(videos[0], ServingClassifier(model), **options, **drawn)
            return
        if annotate is not None or webvtt is not None:
            raise click.UsageError("Give one video at a time with --annotate or --webvtt.")
        identify_videos(videos, model, place, form, **options)
        return
    if webvtt is not None:
        raise click.UsageError("--webvtt is for a video.")
    if annotate is not None and annotate.is_file():
        raise click.UsageError(f"--annotate takes a folder for pictures; {annotate} is a file.")
    classifier = ServingClassifier(model)
    failures = Failures()
    looking = {"whole": whole, "detector": detector, "level": level, "top_k": top_k}
    sources = _list_sources(images)
    if work is None and place.engine.is_alone(-(-len(sources) // SHARD_PICTURES)):
        found = _look_in_turn(sources, classifier, failures, **looking)
    else:
        found = (
            IdentifiedImage(source, *size, tuple(faces))
            for source, size, faces in look_at_pictures(sources, classifier, place, failures, **looking)
        )
    print_images(_describe_all(found, classifier, annotate, language), tell_model(classifier), form)
    if failures.count:
        raise click.exceptions.Exit(1)


def _look_in_turn(
    sources: list[Path],
    classifier: Classifier,
    failures: Failures,
    *,
    whole: bool,
    detector: str | None,
    level: int | None,
    top_k: int,
) -> list[IdentifiedImage]:
    """Look at one picture after the other in this process, with one detector for all."""
    found = []
    quiet = len(sources) < 3
    with (
        nullcontext() if whole else open_detector(detector) as finder,
        click.progressbar(sources, label="Identifying", hidden=quiet, file=sys.stderr) as bar,
    ):
        for source in bar:
            try:
                found.append(identify_image(source, classifier, finder, level=level, top_k=top_k))
            except KyaraError as error:
                failures.tell(str(source), str(error))
    return found


def _describe_all(
    found: Iterable[IdentifiedImage], classifier: Classifier, annotate: Path | None, language: str
) -> Iterator[dict[str, Any]]:
    """Give pictures as the JSON document has them; draw copies of them if asked."""
    for image in found:
        if annotate is not None:
            _write_annotated(image, annotate, language)
        yield describe_image(image, classifier, language)


def _list_sources(images: tuple[Path, ...]) -> list[Path]:
    sources: list[Path] = []
    for path in images:
        pictures = list_pictures(path) if path.is_dir() else [path]
        if not pictures:
            raise BadInputError(f"The folder {path} has no pictures.")
        sources += pictures
    return sources


def identify_image(
    source: Path,
    classifier: Classifier,
    finder: FaceDetector | None,
    *,
    level: int | None = None,
    top_k: int = 5,
) -> IdentifiedImage:
    """Find the faces of one picture file and say who they are; without a detector all of it is one crop.

    Raises:
        KyaraError: the file cannot be read or decoded.
    """
    pixels = read_image(source)
    height, width = pixels.shape[:2]
    if finder is None:
        boxes, crops = [Box(0, 0, width, height)], [pixels]
    else:
        faces = finder.find(pixels, level=level)
        boxes = [face.box for face in faces]
        crops = [classifier.cut(pixels, face, finder.box_scale) for face in faces]
    answers = classifier.identify(crops, top_k=top_k)
    return IdentifiedImage(source, width, height, tuple(zip(boxes, answers, strict=True)))


def describe_image(image: IdentifiedImage, classifier: Classifier, language: str) -> dict[str, Any]:
    """Return one picture as the JSON document has it."""
    return {
        "source": str(image.source),
        "width": image.width,
        "height": image.height,
        "faces": [
            {"box": box.to_json(), **classifier.describe(face, language)} for box, face in image.faces
        ],
    }


def _write_annotated(image: IdentifiedImage, folder: Path, language: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labels = []
    for box, face in image.faces:
        known = face.verdict == "known"
        text = "unknown"
        if known:
            text = f"{face.answers[0].character.name_in(language)} {face.answers[0].confidence:.0%}"
        labels.append(BoxLabel(box, text, known))
    target = folder / f"{image.source.stem}.png"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{image.source.stem}-{number}.png"
    Image.fromarray(draw_labels(read_image(image.source), labels, language)).save(target)
