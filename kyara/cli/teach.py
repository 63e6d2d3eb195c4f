"""`teach` and `forget`: characters that are known by a few reference crops, without training."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from kyara.cli.detector_options import detector_option
from kyara.errors import BadInputError
from kyara.registry import MODEL_FOLDER, TAUGHT_VARIABLE, find_serving, find_taught
from kyara.storage.events import TAUGHT, announce
from kyara.vision.boxes import Box, Window
from kyara.vision.detectors.base import FaceDetector, open_detector
from kyara.vision.images import cut_window, list_pictures, read_image
from kyara.vision.languages import LANGUAGES

if TYPE_CHECKING:
    from kyara.recognition.classifier import Classifier


def _place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the model and the file of taught characters are."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--taught",
            envvar=TAUGHT_VARIABLE,
            metavar="PLACE",
            help="Where taught characters are, file or URL.  [default: taught.db beside the models]",
        ),
        click.option(
            "--models",
            type=click.Path(path_type=Path),
            default=MODEL_FOLDER,
            envvar="KYARA_MODEL_FOLDER",
            show_default="model/",
            help="The model folder; what serves there is taught.",
        ),
    ):
        command = option(command)
    return command


def _text_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--name-en` … `--work-ja`."""
    for what, meaning in (("work", "The series, in"), ("name", "What people read, in")):
        for language in reversed(LANGUAGES.values()):
            option = click.option(f"--{what}-{language.code}", help=f"{meaning} {language.english}.")
            command = option(command)
    return command


def _load_classifier(models: Path, taught: str | None) -> Any:
    from kyara.recognition.classifier import Classifier

    return Classifier(find_serving(models), taught=find_taught(models, place=taught))


@click.command()
@click.argument("label")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@_text_options
@click.option("--whole", is_flag=True, help="Take each picture as one face crop.")
@detector_option
@_place_options
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
    classifier = _load_classifier(models, taught)
    crops: list[np.ndarray] = []
    found: list[dict[str, Any]] = []
    hidden = len(sources) < 3
    with (
        nullcontext() if whole else open_detector(detector) as finder,
        click.progressbar(sources, label="Looking for faces", hidden=hidden, file=sys.stderr) as bar,
    ):
        for source in bar:
            pixels = read_image(source)
            window, why = _choose_window(pixels, classifier, finder)
            crops.append(cut_window(pixels, window))
            found.append({"source": str(source), "box": window.box.to_json(), "taken": why})
    name, work = (
        {code: text for code in LANGUAGES if (text := texts[f"{what}_{code}"])}
        for what in ("name", "work")
    )
    references = classifier.teach(label, crops, name, work)
    announce(TAUGHT)
    if as_json:
        document = {"label": label, "references": references, "images": found}
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
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


def _choose_window(
    pixels: np.ndarray, classifier: Classifier, finder: FaceDetector | None
) -> tuple[Window, str]:
    """Return what to cut out of a picture, and why."""
    everything = Window(Box(0, 0, pixels.shape[1], pixels.shape[0]))
    if finder is None:
        return everything, "the whole picture"
    faces = finder.find(pixels)
    if len(faces) == 1:
        return classifier.find_seen(pixels, faces[0], finder.box_scale), "the face that was found"
    count = f"{len(faces)} faces were found" if faces else "no face was found"
    return everything, f"the whole picture, because {count}"


@click.command()
@click.argument("label")
@click.option(
    "--reference", metavar="ID", help="Forget this taught reference only; `explain` tells the ids."
)
@_place_options
def forget(label: str, reference: str | None, models: Path, taught: str | None, as_json: bool) -> None:
    """Forget the character LABEL: what was taught of it is deleted, and it is answered no more.

    A character of the model itself is hidden; teaching it brings it back.
    """
    classifier = _load_classifier(models, taught)
    references = classifier.forget(label, reference)
    announce(TAUGHT)
    if as_json:
        click.echo(json.dumps({"label": label, "references": references}))
    elif reference is None:
        click.echo(f"{label} is forgotten.")
    else:
        click.echo(f"{label} has {references} taught reference(s) left.")
