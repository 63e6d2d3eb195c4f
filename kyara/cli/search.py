"""`search`: the pictures of a library with somebody in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.identify_output import echo, print_lists
from kyara.cli.library_options import find_label, library_option, say_faces
from kyara.cli.options import json_option, language_option, model_option, path_option
from kyara.errors import BadInputError
from kyara.storage.paths import show_path

if TYPE_CHECKING:
    from kyara.dataset.library.reading import Library, LibraryPicture

Found = tuple[float | None, "LibraryPicture"]
_MOST_BY_FACE = 50


@click.command()
@click.argument("character", required=False)
@click.option("--with", "others", multiple=True, metavar="OTHER", help="Who is in them, too.")
@click.option("--work", help="A series, or a part of its title: somebody of it is in them.")
@path_option("--face", metavar="PICTURE", help="Instead: faces like the largest one in PICTURE.")
@click.option(
    "--min-confidence", default=0.0, type=click.FloatRange(0, 1), help="Least confidence of a name."
)
@click.option(
    "--limit", type=click.IntRange(1), help=f"Most pictures.  [default: all; {_MOST_BY_FACE} by a face]"
)
@library_option
@detector_option
@model_option
@language_option
@json_option
def search(
    character: str | None,
    others: tuple[str, ...],
    work: str | None,
    face: Path | None,
    min_confidence: float,
    limit: int | None,
    place: str,
    detector: str | None,
    model: Path | None,
    language: str,
    as_json: bool,
) -> None:
    """List the pictures of a library with CHARACTER (a name or a label), the most confident first.

    --detector and --model are of --face, and default to those that serve.
    """
    from kyara.dataset.library.reading import Library

    asked = character is not None or bool(others) or work is not None
    if asked == (face is not None):
        raise click.UsageError("Give CHARACTER, --with or --work; or --face.")
    if face is not None and min_confidence > 0:
        raise click.UsageError("--min-confidence is of names; --face finds faces without any.")
    with Library.open(place) as library:
        if face is not None:
            found = _find_by_face(library, face, model, detector, limit or _MOST_BY_FACE)
        else:
            found = _find_by_name(library, character, others, work, min_confidence)
        some = islice(found, limit)
        if as_json:
            key = "confidence" if face is None else "similarity"
            print_lists({}, {"pictures": (_describe(one, key, language) for one in some)})
        else:
            _print(some, language)


def _find_by_name(
    library: Library,
    character: str | None,
    others: tuple[str, ...],
    work: str | None,
    min_confidence: float,
) -> Iterator[Found]:
    label = None if character is None else find_label(library, character)
    together = [find_label(library, other) for other in others]
    pictures = library.read_pictures(
        character=label, work=work, together=together, min_confidence=min_confidence
    )
    for picture in pictures:
        own = [face.confidence for face in picture.faces if label and face.label == label]
        yield max(own, default=None), picture


def _find_by_face(
    library: Library, path: Path, model: Path | None, detector: str | None, count: int
) -> Iterator[Found]:
    from kyara.dataset.library.answering import choose_answerer
    from kyara.dataset.library.searching import find_nearest
    from kyara.recognition.backbone import load_backbone
    from kyara.recognition.pictures import find_faces
    from kyara.vision.detectors.base import open_detector
    from kyara.vision.images import read_image

    bundle = choose_answerer(model).bundle
    pixels = read_image(path)
    backbone = load_backbone(bundle)
    with open_detector(detector) as finder:
        crops = find_faces(pixels, finder, bundle.preprocessing.find_window).crops
    if not crops:
        raise BadInputError(f"No face was found in {show_path(path)}.")
    embedding = backbone.extract(crops[:1])[0]  # the largest comes first
    yield from find_nearest(library, embedding, backbone.fingerprint, count)


def _describe(found: Found, key: str, language: str) -> dict[str, Any]:
    from kyara.dataset.library.describing import describe_picture

    measure, picture = found
    return {key: None if measure is None else round(measure, 4), **describe_picture(picture, language)}


def _print(found: Iterator[Found], language: str) -> None:
    empty = True
    for measure, picture in found:
        empty = False
        shown = "    " if measure is None else f"{measure:.2f}"
        echo(f"{shown}  {show_path(picture.path)}  {say_faces(picture, language)}")
    if empty:
        echo("No pictures.", err=True)
