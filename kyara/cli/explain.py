"""`explain`: which places of a face speak for an answer?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.known import find_label
from kyara.cli.options import json_option, language_option, model_option, print_json
from kyara.errors import BadInputError
from kyara.recognition.pictures import find_faces
from kyara.storage.paths import choose_free_picture
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import open_detector
from kyara.vision.images import encode_png, read_image

if TYPE_CHECKING:
    import numpy as np

    from kyara.recognition.classifier import Classifier
    from kyara.recognition.explain import Explanation

_LEGENDS = {
    "occlusion": ("hiding this changes nothing", "hiding this lowers the score by {span:.1f}"),
    "sliding-window": ("lowest score {low:.1f}", "highest {high:.1f}"),
    "rise": ("showing this changes nothing", "showing this raises the score by {span:.1f}"),
}


@click.command()
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--label", help="Whose score to explain: a label or a name.  [default: the best answer]")
@click.option(
    "--method",
    default="occlusion",
    help="occlusion, sliding-window or rise (random masks).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Where to draw the crop and its heat map.  [default: IMAGE-why.png here; none with --json]",
)
@click.option("--whole", is_flag=True, help="Take the picture as one face crop.")
@click.option(
    "--face",
    "number",
    default=1,
    type=click.IntRange(1),
    help="Which of several faces, as `identify` numbers them.",
)
@json_option
@detector_option
@model_option
@language_option
def explain(
    image: Path,
    label: str | None,
    method: str,
    out: Path | None,
    whole: bool,
    number: int,
    detector: str | None,
    as_json: bool,
    model: Path | None,
    language: str,
) -> None:
    """Draw which places of the face in IMAGE speak for a character, and tell the nearest references.

    \b
    occlusion       a patch hides one place after the other: how much does
                    the score fall? (Zeiler & Fergus 2014)
    sliding-window  windows of two sizes are cut out and enlarged: what is
                    the score of each alone?
    rise            random masks, always the same ones, hide half of the
                    face: how much higher is the score where a place is
                    shown? (RISE, Petsiuk et al. 2018)

    The score is the one that answers are ranked by. A map is faint if no single place changes it by more
    than the calibration temperature (strength below 1). A reference's id is what `forget --reference`
    takes.
    """  # noqa: D301 (click wants the backspace)
    from kyara.recognition.explain import check_method, describe_explanation, explain_crop
    from kyara.registry.serving import ServingClassifier

    check_method(method)
    pixels = read_image(image)
    classifier = ServingClassifier(model).frozen()
    box, crop, faces = _choose_crop(pixels, number, classifier, detector, whole=whole)
    label = find_label(classifier, label) if label else None
    explanation = explain_crop(classifier, crop, label, method)
    if out is None and not as_json:
        out = choose_free_picture(Path(), f"{image.stem}-why")
    if out is not None:
        _write_overlay(out, crop, explanation)
    if as_json:
        document = {
            "source": str(image),
            "box": box.to_json(),
            **describe_explanation(explanation, classifier, (box.width, box.height), language),
        }
        print_json(document)
        return
    click.echo(f"{image}: face {number} of {faces}" if faces else f"{image}: the whole picture")
    click.echo(_format_text(explanation, classifier, language))
    click.echo(f"  Drawn in {out}.")


def _choose_crop(
    pixels: np.ndarray, number: int, classifier: Classifier, detector: str | None, *, whole: bool
) -> tuple[Box, np.ndarray, int]:
    """Return what to explain, where it lies, and how many faces were found; 0 for the whole picture."""
    if whole:
        return Box(0, 0, pixels.shape[1], pixels.shape[0]), pixels, 0
    with open_detector(detector) as finder:
        found = find_faces(pixels, finder, classifier.bundle.preprocessing.find_window)
    if not found.boxes:
        raise BadInputError("No face was found; --whole takes the picture as one face crop.")
    if number > len(found.boxes):
        raise BadInputError(f"There is no face {number}: {len(found.boxes)} found.")
    return found.windows[number - 1].box, found.crops[number - 1], len(found.boxes)


def _write_overlay(path: Path, crop: np.ndarray, explanation: Explanation) -> None:
    from kyara.vision.drawing import draw_overlay

    low = float(explanation.raw.min())
    numbers = {"span": explanation.span, "low": low, "high": low + explanation.span}
    legend = [text.format(**numbers) for text in _LEGENDS[explanation.method]]
    try:
        path.write_bytes(encode_png(draw_overlay(crop, explanation.heat, legend[0], legend[1])))
    except OSError as error:
        raise BadInputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _format_text(explanation: Explanation, classifier: Classifier, language: str) -> str:
    from kyara.recognition.explain import METHODS

    who = classifier.character(explanation.label)
    work = f" — {who.work_in(language)}" if who.work_in(language) else ""
    lines = [
        f"  {who.name_in(language)}{work} ({explanation.label}), score {explanation.score:.2f}",
        f"  {explanation.method}: {METHODS[explanation.method]}",
    ]
    if explanation.strength < 1:
        lines.append("  No single place decides: the map is faint.")
    lines.append("  Nearest references:" if explanation.nearest else "  There are no references.")
    for near in explanation.nearest:
        name = classifier.character(near.label).name_in(language)
        reference = f"  {near.reference}" if near.reference else ""
        taught = " (taught)" if near.taught else ""
        lines.append(f"    {near.similarity:6.3f}  {name}{reference}{taught}")
    return "\n".join(lines)
