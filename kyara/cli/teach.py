"""`teach` and `forget`: characters that are known by a few reference crops, without training."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from kyara.cli.detector_options import detector_option
from kyara.cli.known import load_classifier, place_options, refuse_name
from kyara.cli.options import print_json, stack
from kyara.errors import BadInputError
from kyara.recognition.characters import is_label
from kyara.recognition.pictures import find_faces
from kyara.storage.events import TAUGHT, announce
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import FaceDetector, open_detector
from kyara.vision.images import crop_pixels, read_image
from kyara.vision.languages import LANGUAGES
from kyara.vision.picture_files import list_pictures

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier


_text_options: Any = stack(
    *(
        click.option(f"--{what}-{language.code}", help=f"{meaning} {language.english}.")
        for what, meaning in (("name", "What people read, in"), ("work", "The series, in"))
        for language in LANGUAGES.values()
    )
)
"""`--name-en` … `--work-ja`."""


@click.command()
@click.argument("label")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@_text_options
@click.option("--whole", is_flag=True, help="Take each picture as one face crop.")
@detector_option
@place_options
def teach(
    label: str,
    images: tuple[Path, ...],
    whole: bool,
    detector: str | None,
    models: Path,
    taught: str | None,
    as_json: bool,
    **texts: str | None,
) -> None:
    """Teach the character LABEL from IMAGES: 1 to 20 pictures, or folders of them.

    Where the face detector finds exactly one face in a picture, that is cut out, else the whole picture
    is taken. The character is answered from then on, by a running site too; nothing is trained. A label
    that the model knows gets more references.
    """
    from kyara.recognition.enrolment import MAX_TAUGHT_CROPS

    sources = [path for image in images for path in _list_sources(image)]
    if len(sources) > MAX_TAUGHT_CROPS:
        raise BadInputError(f"Give 1 to {MAX_TAUGHT_CROPS} pictures at a time; received {len(sources)}.")
    classifier = load_classifier(models, taught)
    if not is_label(label):
        refuse_name(classifier, label)
    found: list[dict[str, Any]] = []
    name, work = (
        {code: text for code in LANGUAGES if (text := texts[f"{what}_{code}"])}
        for what in ("name", "work")
    )
    hidden = len(sources) < 3
    with (
        nullcontext() if whole else open_detector(detector) as finder,
        click.progressbar(sources, label="Looking for faces", hidden=hidden, file=sys.stderr) as bar,
    ):
        references = classifier.teach(label, _cut_crops(bar, classifier, finder, found), name, work)
    announce(TAUGHT)
    if as_json:
        document = {"label": label, "references": references, "images": found}
        print_json(document)
        return
    for image in found:
        click.echo(f"{image['source']}: {image['taken']}")
    called = classifier.character(label).name_in("en")
    click.echo(f"{label} ({called}) is known by {references} taught reference(s).")


def _list_sources(path: Path) -> list[Path]:
    pictures = list_pictures(path) if path.is_dir() else [path]
    if not pictures:
        raise BadInputError(f"The folder {path} has no pictures.")
    return pictures


def _cut_crops(
    sources: Iterable[Path],
    classifier: Classifier,
    finder: FaceDetector | None,
    found: list[dict[str, Any]],
) -> Iterator[np.ndarray]:
    """Give one crop of each picture, and add to `found` what it is: whole pictures are not kept."""
    for source in sources:
        crop, box, why = choose_crop(read_image(source), classifier, finder)
        found.append({"source": str(source), "box": box.to_json(), "taken": why})
        yield crop


def choose_crop(
    pixels: np.ndarray, classifier: Classifier, finder: FaceDetector | None
) -> tuple[np.ndarray, Box, str]:
    """Return what is taken of a picture, where it lies, and why."""
    found = find_faces(pixels, finder, classifier.bundle.preprocessing.find_window)
    if finder is None:
        return pixels, found.part, "the whole picture"
    if len(found.boxes) == 1:
        return found.crops[0], found.windows[0].box, "the face that was found"
    count = f"{len(found.boxes)} faces were found" if found.boxes else "no face was found"
    return crop_pixels(pixels, found.part), found.part, f"the whole picture, because {count}"


@click.command()
@click.argument("label")
@click.option(
    "--reference", metavar="ID", help="Forget this taught reference only; `explain` tells the ids."
)
@place_options
def forget(label: str, reference: str | None, models: Path, taught: str | None, as_json: bool) -> None:
    """Forget the character LABEL: what was taught of it is deleted, and it is answered no more.

    A character of the model itself is hidden; teaching it brings it back.
    """
    classifier = load_classifier(models, taught)
    refuse_name(classifier, label)
    references = classifier.forget(label, reference)
    announce(TAUGHT)
    if as_json:
        click.echo(json.dumps({"label": label, "references": references}))
    elif reference is None:
        click.echo(f"{label} is forgotten.")
    else:
        click.echo(f"{label} has {references} taught reference(s) left.")
