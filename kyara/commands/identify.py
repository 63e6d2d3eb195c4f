"""`identify`: who is in these pictures, or in this video?"""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from classification import Classifier
from kyara.answers import FaceAnswers
from kyara.bundle import LANGUAGES
from kyara.commands.identify_video import identify_video, is_video
from kyara.drawing import BoxLabel, draw_labels
from kyara.errors import BadInputError, KyaraError
from kyara.images import Box, crop_pixels, list_pictures, read_image


@dataclass(frozen=True)
class IdentifiedImage:
    """One picture with its faces."""

    source: Path
    pixels: np.ndarray
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
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of the names.",
)
def identify(
    images: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    annotate: Path | None,
    whole: bool,
    top_k: int,
    level: int | None,
    every_s: float,
    webvtt: Path | None,
    model: Path | None,
    language: str,
) -> None:
    """Say who is in each of IMAGES: picture files, or folders of them; or who appears when in one video.

    An animation (GIF) that is named itself is a video; in a folder its first frame counts.

    A picture that cannot be read is reported on stderr and the rest goes on; the exit status is 1 then.
    """
    if as_json and as_csv:
        raise click.UsageError("Give --json or --csv, not both.")
    videos = [] if whole else [path for path in images if is_video(path)]
    if videos:
        if len(images) != 1:
            raise click.UsageError("Give one video at a time, or pictures.")
        identify_video(
            videos[0],
            Classifier(model),
            every_s=every_s,
            level=level,
            top_k=top_k,
            language=language,
            annotate=annotate,
            webvtt=webvtt,
            as_json=as_json,
            as_csv=as_csv,
        )
        return
    if webvtt is not None:
        raise click.UsageError("--webvtt is for a video.")
    if annotate is not None and annotate.is_file():
        raise click.UsageError(f"--annotate takes a folder for pictures; {annotate} is a file.")
    sources = _list_sources(images)
    classifier = Classifier(model)
    found: list[IdentifiedImage] = []
    failed = False
    quiet = len(sources) < 3
    with click.progressbar(sources, label="Identifying", hidden=quiet, file=sys.stderr) as bar:
        for source in bar:
            try:
                image = identify_image(source, classifier, whole=whole, level=level, top_k=top_k)
                if annotate is not None:
                    _write_annotated(image, annotate, language)
            except KyaraError as error:
                click.echo(f"kyara: {source}: {error}", err=True)
                failed = True
                continue
            found.append(image)
    _print(found, classifier, language, as_json=as_json, as_csv=as_csv)
    if failed:
        raise click.exceptions.Exit(1)


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
    *,
    whole: bool = False,
    level: int | None = None,
    top_k: int = 5,
) -> IdentifiedImage:
    """Find the faces of one picture file and say who they are.

    Raises:
        KyaraError: the file cannot be read or decoded.
    """
    pixels = read_image(source)
    if whole:
        boxes = [Box(0, 0, pixels.shape[1], pixels.shape[0])]
    else:
        from kyara.faces import propose_faces

        boxes = propose_faces(pixels, level=level)
    answers = classifier.identify((crop_pixels(pixels, box) for box in boxes), top_k=top_k)
    return IdentifiedImage(source, pixels, tuple(zip(boxes, answers, strict=True)))


def describe_image(image: IdentifiedImage, classifier: Classifier, language: str) -> dict[str, Any]:
    """Return one picture as the JSON document has it."""
    height, width = image.pixels.shape[:2]
    return {
        "source": str(image.source),
        "width": width,
        "height": height,
        "faces": [
            {"box": box.to_json(), **classifier.describe(face, language)} for box, face in image.faces
        ],
    }


def _print(
    found: list[IdentifiedImage], classifier: Classifier, language: str, *, as_json: bool, as_csv: bool
) -> None:
    images = [describe_image(image, classifier, language) for image in found]
    if as_json:
        model = {"name": classifier.bundle.name, "version": classifier.bundle.version}
        click.echo(json.dumps({"model": model, "images": images}, ensure_ascii=False, indent=1))
    elif as_csv:
        click.echo(_format_csv(images), nl=False)
    else:
        for image in images:
            click.echo(_format_text(image))


def _format_csv(images: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "source",
            "face",
            "x",
            "y",
            "width",
            "height",
            "verdict",
            "rank",
            "label",
            "name",
            "work",
            "confidence",
            "similarity",
        ]
    )
    for image in images:
        for number, face in enumerate(image["faces"], start=1):
            for rank, answer in enumerate(face["answers"], start=1):
                writer.writerow(
                    [
                        image["source"],
                        number,
                        *face["box"].values(),
                        face["verdict"],
                        rank,
                        *answer.values(),
                    ]
                )
    return text.getvalue()


def _format_text(image: dict[str, Any]) -> str:
    lines = [
        f"{image['source']}: "
        + (f"{len(image['faces'])} face(s)" if image["faces"] else "no face found")
    ]
    for number, face in enumerate(image["faces"], start=1):
        box = face["box"]
        place = f"{box['width']}×{box['height']} at {box['x']},{box['y']}"
        lines.append(f"  {number}. {face['verdict']} ({place})")
        for answer in face["answers"]:
            work = f" — {answer['work']}" if answer["work"] else ""
            lines.append(f"     {answer['confidence']:6.1%}  {answer['name']}{work}")
    return "\n".join(lines)


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
    Image.fromarray(draw_labels(image.pixels, labels, language)).save(target)
