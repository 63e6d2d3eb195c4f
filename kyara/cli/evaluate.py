"""`evaluate`: measure a bundle on a dataset."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.detector_options import detector_option
from kyara.cli.options import path_option, print_json, show_bar
from kyara.evaluation.protocols import PROTOCOLS
from kyara.storage.atomic import replace_file
from kyara.vision.detectors.base import DETECTORS, open_detector

if TYPE_CHECKING:
    from kyara.dataset.manifest import Manifest
    from kyara.evaluation.pictures import PicturesEvaluation
    from kyara.evaluation.protocols import Options, Unknowns
    from kyara.evaluation.running import Evaluation
    from kyara.evaluation.tagging import TagEvaluation
    from kyara.recognition.classifier import Classifier

REPORT_FILE = "report.html"
REPORT_FOLDER = Path("runs") / "evaluation"


def _folder(name: str, help: str) -> Any:
    return path_option(name, metavar="FOLDER", help=help)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="closed",
    help="closed: everybody is known. open-set: strangers too. one-shot, few-shot: first taught. "
    "pictures: whole ones, from detector to name; whoever the model does not know is a stranger.",
)
@click.option(
    "--split",
    help="Of the dataset.  [default: test; for one-shot and few-shot novel, where the data has it]",
)
@click.option("--kind", help="Ask only drawings of this kind, where the index tells the kind.")
@click.option(
    "--references",
    default=3,
    type=click.IntRange(1, 20),
    help="few-shot: faces taught per character.",
)
@click.option("--reference-kind", help="few-shot: kind of the faces taught beside the reference.")
@click.option(
    "--draws",
    default=1,
    type=click.IntRange(1, 100),
    help="Choices of references to average over, where there is a choice.",
)
@click.option("--seed", default=1, type=int, help="Of the first choice.")
@_folder("--unknown", 'Faces of nobody whom the model knows: measures "unknown".')
@_folder("--unknown-data", "Strangers from a dataset: their characters are taken out of the model.")
@click.option("--unknown-split", default="novel", help="Of --unknown-data.")
@click.option("--no-gallery", is_flag=True, help="Leave the reference gallery out.")
@click.option("--boxes", is_flag=True, help="Measure on what the face detector cuts out as well.")
@click.option(
    "--robust",
    is_flag=True,
    help="Measure in grey, screentone, JPEG 20, 40 px, tilted and mirrored as well.",
)
@detector_option
@path_option(
    "--same-as",
    metavar="JSON",
    help="{label of the data: label of the model}, beside those that the bundle names.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@click.option("--save", is_flag=True, help="Write them into the bundle as metrics.json.")
@click.option("--save-under", metavar="NAME", help="Add them to the bundle's metrics.json under a name.")
@_folder("--out", "For metrics.json and report.html.  [default: runs/evaluation/…]")
def evaluate(
    bundle: Path,
    data: tuple[Path, ...],
    unknown: Path | None,
    unknown_data: Path | None,
    unknown_split: str,
    same_as: Path | None,
    no_gallery: bool,
    as_json: bool,
    save: bool,
    save_under: str | None,
    out: Path | None,
    **settings: Any,
) -> None:
    """Measure BUNDLE (its folder) on DATA (one dataset or several), through the code that serves.

    Writes metrics.json and report.html, one page with plots and pictures. If BUNDLE is a face detector
    (a folder, or cascade or animeface-2009), DATA is folders of pictures with boxed faces (boxes.json).
    """
    from kyara.vision.detector_bundle import BUNDLE_FILE as DETECTOR_FILE

    if (bundle / DETECTOR_FILE).is_file() or str(bundle) in DETECTORS:
        _evaluate_detector(bundle, data, settings["split"] or "test", as_json=as_json, save=save)
        return
    from kyara.dataset.manifest import read_manifests
    from kyara.evaluation.protocols import Options, find_unknowns
    from kyara.evaluation.report.page import write_report
    from kyara.recognition.bundle import METRICS_FILE
    from kyara.recognition.classifier import Classifier

    options = Options(**settings, gallery=not no_gallery)
    classifier = Classifier(bundle)
    if classifier.bundle.task == "multi":
        evaluation = _evaluate_tags(classifier, data, options)
    else:
        pairs = _read_same_as(classifier, same_as)
        manifest = read_manifests(data, pairs)
        others = read_manifests([unknown_data], pairs) if unknown_data else None
        unknowns = find_unknowns(unknown, others, unknown_split, options.kind)
        evaluation = _evaluate_manifest(classifier, manifest, options, unknowns)
    metrics = evaluation.metrics
    out = out or REPORT_FOLDER / f"{bundle.resolve().name}-{metrics['protocol']}-{metrics['split']}"
    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / METRICS_FILE, json.dumps(metrics, ensure_ascii=False, indent=1) + "\n")
    write_report(evaluation, _describe_command(), out / REPORT_FILE)
    _save(metrics, bundle, save, save_under)
    if as_json:
        print_json(metrics)
        return
    for line in describe_metrics(metrics):
        click.echo(line)
    click.echo(f"\n{out / REPORT_FILE}")


def _evaluate_detector(
    bundle: Path, data: tuple[Path, ...], split: str, *, as_json: bool, save: bool
) -> None:
    from kyara.dataset.boxed import read_boxed_pictures
    from kyara.errors import BadInputError
    from kyara.evaluation.detectors import measure_detector, save_metrics
    from kyara.vision.detectors.network import load_network

    named = str(bundle) in DETECTORS
    if named and save:
        raise BadInputError(f"{bundle} is no folder that figures could be saved in.")
    pictures = [picture for folder in data for picture in read_boxed_pictures(folder)]
    chosen = [picture for picture in pictures if picture.split == split]
    if not chosen:
        raise BadInputError(f"The data has no picture of the split {split}.")
    opened = open_detector(str(bundle)) if named else nullcontext(load_network(bundle))
    with opened as finder, show_bar(len(chosen), "Measuring") as bar:
        metrics = measure_detector(finder, chosen, bar.update)
    if save:
        save_metrics(bundle, {split: metrics})
    if as_json:
        print_json({split: metrics})
        return
    for line in describe_metrics({split: metrics}):
        click.echo(line)


def _evaluate_manifest(
    classifier: Classifier, manifest: Manifest, options: Options, unknowns: list[Unknowns]
) -> Evaluation | PicturesEvaluation:
    from kyara.evaluation.pictures import count_pictures, evaluate_pictures
    from kyara.evaluation.running import count_faces, evaluate_bundle

    whole = options.protocol == "pictures"
    count, judge = (count_pictures, evaluate_pictures) if whole else (count_faces, evaluate_bundle)
    with show_bar(count(manifest, options, unknowns), "Measuring") as bar:
        return judge(classifier, manifest, options, unknowns=unknowns, progress=bar.update)


def _evaluate_tags(classifier: Classifier, data: tuple[Path, ...], options: Options) -> TagEvaluation:
    from kyara.dataset.tagged import read_tagged
    from kyara.errors import BadInputError
    from kyara.evaluation.tagging import evaluate_tags

    folder, *more = data
    if more or options.protocol != "closed":
        raise BadInputError("A model of several labels is measured on one dataset, with closed alone.")
    tagged = read_tagged(folder)
    split = options.split or "test"
    with show_bar(len(tagged.of_split(split).paths), "Measuring") as bar:
        return evaluate_tags(classifier, tagged, split, bar.update)


def _read_same_as(classifier: Classifier, path: Path | None) -> dict[str, str]:
    from kyara.errors import BadInputError

    pairs = dict(classifier.bundle.provenance.get("same_as") or {})
    if path is None:
        return pairs
    try:
        return {**pairs, **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise BadInputError(f"{path} is not a JSON object of labels: {error}.") from error


def _save(metrics: Mapping[str, Any], bundle: Path, save: bool, save_under: str | None) -> None:
    """Write metrics into the bundle; further protocols of the same model stay beside them."""
    from kyara.recognition.bundle import METRICS_FILE

    path = bundle / METRICS_FILE
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same_model = stored.get("model_version") == metrics["model_version"]
    further = stored.get("further", {}) if same_model else {}
    if save:
        stored = {**metrics, **({"further": further} if further else {})}
    if save_under:
        short = {name: value for name, value in metrics.items() if name != "details"}
        stored = {**stored, "further": {**further, save_under: short}}
    if save or save_under:
        replace_file(path, json.dumps(stored, ensure_ascii=False, indent=1) + "\n")


def describe_metrics(metrics: Mapping[str, Any], indent: str = "") -> list[str]:
    """Return the numbers as lines of text, without details and what is not measured."""
    lines = []
    for name, value in metrics.items():
        if name in ("details", "draws") or value is None:
            continue
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}", *describe_metrics(value, indent + "  ")]
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else value
            lines.append(f"{indent}{name:<20}  {shown}")
    boxes = metrics.get("details", {}).get("boxes")
    return [*lines, "boxes", *describe_metrics(boxes, "  ")] if boxes else lines


def _describe_command() -> str:
    """Return the command line; of a place outside the working folder only its name is told."""
    words = []
    for word in sys.argv[1:]:
        absolute = Path(word).is_absolute() or word.startswith("..")
        words.append(shlex.quote(Path(word).name if absolute else word))
    return " ".join(["python -m kyara", *words])
