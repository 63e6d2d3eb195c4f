"""`train`: a dataset → a candidate bundle under model/."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import kyara
from kyara.cli.plan_options import (
    PLANS,
    bottlenecks_option,
    make_plan,
    path_option,
    plan_options,
    show_bar,
    start_weights_option,
)
from kyara.registry import MODEL_FOLDER
from kyara.storage.paths import own_models

if TYPE_CHECKING:
    from kyara.dataset.manifest import Manifest
    from kyara.recognition.bundle import Bundle
    from kyara.recognition.characters import Names
    from kyara.training.frozen import Frozen
    from kyara.training.plan import AnyPlan, LayerPlan
    from kyara.training.trained import Trained

HEAD_FROM = {"finetune": 20, "head": 1, "cnn": 1, "gallery": 1}
"""Training drawings from which a character has a column of the head."""
_OF_RECIPES = {
    "start_weights": ("finetune",),
    "features": ("head", "multilabel", "gallery"),
    "export_only": ("finetune", "cnn", "detector"),
    "names": ("finetune", "head", "cnn", "gallery"),
    "leave_out": ("finetune", "head", "cnn", "gallery"),
    "gallery_split": ("finetune", "head", "cnn", "gallery"),
    "head_from": ("finetune", "head", "cnn"),
    "false_accept": ("finetune", "head", "cnn", "gallery"),
}


@dataclass(frozen=True)
class TrainOrder:
    """What the command line asked for."""

    recipe: str
    plan: AnyPlan
    data: tuple[Path, ...]
    run: Path
    target: Path
    bottlenecks: Path
    quantise: bool = True
    start_weights: str | None = None
    features: str | None = None
    export_only: bool = False
    names: Path | None = None
    leave_out: tuple[str, ...] = ()
    gallery_split: tuple[str, ...] = ()
    head_from: int | None = None
    false_accept: float | None = None


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the candidate: the folder under --models.")
@click.option(
    "--recipe",
    type=click.Choice(list(PLANS)),
    default="finetune",
    show_default=True,
    help="finetune: a network whose features put drawings of one character together. head: a "
    "softmax layer on frozen features. cnn: a small network from scratch, as a baseline. multilabel: "
    "a picture has several labels, told by a table of 0 and 1. gallery: nothing is trained; a bundle's "
    "references and calibration are chosen anew. detector: a face detector, on pictures with boxes.",
)
@start_weights_option
@click.option(
    "--features",
    metavar="BUNDLE|FILE|BACKBONE|HANDLE",
    help="head, multilabel: the frozen network: a bundle's folder, a .keras file, a --backbone's name "
    "(from keras.applications), a SavedModel's folder or a TensorFlow Hub handle; gallery: a bundle's "
    "folder.  [default: the bundle that serves]",
)
@path_option("--names", metavar="JSON", help="Names, works and doubles (same_as) of labels.")
@click.option("--leave-out", multiple=True, metavar="WORK", help="Not trained on, only taught.")
@click.option("--gallery-split", multiple=True, help="Teach this split, too, such as novel.")
@click.option(
    "--head-from",
    type=click.IntRange(1),
    metavar="N",
    help="Characters with fewer training drawings are answered from the gallery alone.  "
    "[finetune: 20; head, cnn: 1]",
)
@click.option(
    "--false-accept",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of strangers that may be taken for known.  [default: 0.1]",
)
@click.option(
    "--quantise/--no-quantise",
    default=True,
    show_default=True,
    help="int8 weights; without, the bundle is larger and slower, to measure what int8 loses.",
)
@path_option(
    "--run", metavar="FOLDER", help="Checkpoints; a killed run goes on from here.  [default: runs/NAME]"
)
@bottlenecks_option
@path_option(
    "--models",
    metavar="FOLDER",
    help="Where the bundle goes.",
    default=MODEL_FOLDER,
    show_default="model/",
)
@click.option(
    "--export-only", is_flag=True, help="Do not train: export what the run has, by its own plan."
)
@plan_options
def train(
    data: tuple[Path, ...],
    name: str,
    recipe: str,
    run: Path | None,
    models: Path,
    quantise: bool,
    bottlenecks: Path,
    **given: Any,
) -> None:
    """Train on DATA (one dataset or several) and write the candidate bundle NAME.

    DATA has one sub-folder of faces per character, or an index.csv; for the recipe multilabel it is one
    folder of pictures with a table of labels. The candidate does not serve until it is promoted.
    """
    from kyara.training.plan import read_plan

    own = {name: given.pop(name) for name in _OF_RECIPES}
    for option, value in own.items():
        if value and recipe not in _OF_RECIPES[option]:
            raise click.UsageError(f"The recipe {recipe} has no --{option.replace('_', '-')}.")
    plan = make_plan(recipe, given)
    run = run or Path("runs") / name
    if own["export_only"] and recipe != "detector":
        plan = read_plan(run, PLANS[recipe])
    order = TrainOrder(recipe, plan, data, run, own_models(models) / name, bottlenecks, quantise, **own)
    if recipe == "detector":
        _make_detector(order)
        return
    bundle = _make_labels(order) if recipe == "multilabel" else _read_and_make(order)
    click.echo(f"Candidate {bundle.name} (version {bundle.version}) is in {order.target}.")


def _read_and_make(order: TrainOrder) -> Bundle:
    from kyara.dataset.manifest import read_manifests
    from kyara.recognition.characters import Names, read_names

    names = read_names(order.names) if order.names else Names()
    return make_characters(order, read_manifests(order.data, names.same_as), names)


def make_characters(
    order: TrainOrder, whole: Manifest, names: Names, more: Mapping[str, Any] | None = None
) -> Bundle:
    """Train and export a bundle that names one character a face.

    Args:
        order: what to do.
        whole: the data.
        names: of its labels.
        more: what else the bundle's provenance says.

    Raises:
        KyaraError: the data or the run does not fit.
    """
    from kyara.dataset.manifest import hold_out_val
    from kyara.errors import BadInputError
    from kyara.training.export import ExportSettings, choose_faces, export_bundle

    manifest = hold_out_val(whole)
    strange = set(order.leave_out) - {face.work for face in manifest.faces if face.work}
    if strange:
        raise BadInputError(f"The data has no work {', '.join(sorted(strange))} to leave out.")
    shown = manifest.having(lambda face: face.work not in order.leave_out)
    settings = ExportSettings(
        order.head_from or HEAD_FROM[order.recipe], order.gallery_split, order.false_accept or 0.1
    )
    faces = choose_faces(manifest, settings)
    counts = {split: len(shown.of_split(split)) for split in ("train", "val")}
    characters = len({face.label for face in shown.of_split("train")})
    click.echo(f"{characters} characters; faces: {counts['train']} train, {counts['val']} val.")
    trained, made_from = _TRAINERS[order.recipe](order, shown)
    provenance = {
        **(more or {}),
        **_describe(order),
        **made_from,
        "dataset_sha256": whole.digest(),
        "faces": counts,
        "characters_trained": len(trained.labels),
        "leave_out": list(order.leave_out),
        "same_as": dict(names.same_as),
    }
    with show_bar(len(faces), "Exporting") as bar:
        return export_bundle(
            trained,
            manifest,
            names,
            order.target,
            settings=settings,
            provenance=provenance,
            cache=order.bottlenecks,
            progress=bar.update,
        )


def _finetune(order: TrainOrder, manifest: Manifest) -> tuple[Trained, dict[str, Any]]:
    from kyara.training.checkpoints import read_history
    from kyara.training.plan import Plan, claim_run
    from kyara.training.recipes.finetune import finish_embedding, load_embedding, train_embedding
    from kyara.training.start_weights import find_start

    plan = order.plan
    assert isinstance(plan, Plan)
    start = find_start(order.start_weights) if order.start_weights else None
    if order.export_only:
        claim_run(order.run, plan, manifest)
        model = load_embedding(order.run)
    else:
        model = train_embedding(manifest, plan, order.run, start_weights=start)
    labels = tuple(sorted({face.label for face in manifest.of_split("train")}))
    if start and Path(start).is_file():
        start = hashlib.sha256(Path(start).read_bytes()).hexdigest()
    made_from = {"start_weights": start, "epochs_trained": len(read_history(order.run))}
    return finish_embedding(model, plan, labels, quantise=order.quantise), made_from


def _train_head(order: TrainOrder, manifest: Manifest) -> tuple[Trained, dict[str, Any]]:
    from kyara.training.plan import LayerPlan
    from kyara.training.recipes.head import train_head

    plan = order.plan
    assert isinstance(plan, LayerPlan)
    frozen = _open_frozen(order, plan)
    count = len(manifest.of_split("train")) + len(manifest.of_split("val"))
    with show_bar(count, "Features") as bar:
        trained = train_head(
            manifest, plan, order.run, frozen, cache=order.bottlenecks, progress=bar.update
        )
    return trained, _describe_frozen(order, frozen)


def _train_cnn(order: TrainOrder, manifest: Manifest) -> tuple[Trained, dict[str, Any]]:
    from kyara.training.plan import CnnPlan
    from kyara.training.recipes.small_cnn import train_small_cnn

    assert isinstance(order.plan, CnnPlan)
    trained = train_small_cnn(
        manifest, order.plan, order.run, quantise=order.quantise, fit=not order.export_only
    )
    return trained, {}


def _keep_network(order: TrainOrder, manifest: Manifest) -> tuple[Trained, dict[str, Any]]:
    from kyara.recognition.bundle import load_bundle
    from kyara.registry import find_serving
    from kyara.training.recipes.gallery import keep_network

    bundle = load_bundle(Path(order.features) if order.features else find_serving())
    labels = frozenset(face.label for face in manifest.of_split("train"))
    return keep_network(bundle, labels), {
        "from": {"name": bundle.name, "version": bundle.version, "provenance": bundle.provenance}
    }


_TRAINERS = {"finetune": _finetune, "head": _train_head, "cnn": _train_cnn, "gallery": _keep_network}


def _make_detector(order: TrainOrder) -> None:
    from kyara.dataset.boxed import SPLITS, read_boxed_pictures
    from kyara.training.plan import DetectorPlan
    from kyara.training.recipes.detector.export import export_detector
    from kyara.training.recipes.detector.sources import gather_sources
    from kyara.training.recipes.detector.train import load_detector, train_detector

    plan = order.plan
    assert isinstance(plan, DetectorPlan)
    pictures = [picture for folder in order.data for picture in read_boxed_pictures(folder)]
    counts = {split: sum(p.split == split for p in pictures) for split in SPLITS}
    faces = sum(len(picture.faces) for picture in pictures)
    click.echo(f"{len(pictures)} pictures with {faces} faces: {counts}.")
    if order.export_only:
        model = load_detector(order.run)
    else:
        with show_bar(counts["train"] + counts["unlabelled"], "Reading") as bar:
            sources = gather_sources(pictures, bar.update)
        model = train_detector(sources, plan, order.run, tell=lambda text: click.echo(text, err=True))
    provenance = {**_describe(order), "quantised": False, "pictures": counts, "faces": faces}
    with show_bar(counts["val"] + counts["test"], "Measuring") as bar:
        bundle = export_detector(model, order.target, pictures, provenance, bar.update)
    click.echo(f"Detector {bundle.name} (version {bundle.version}) is in {order.target}.")


def _make_labels(order: TrainOrder) -> Bundle:
    from kyara.dataset.tagged import read_tagged
    from kyara.errors import BadInputError
    from kyara.training.export import export_labels
    from kyara.training.plan import LayerPlan
    from kyara.training.recipes.multilabel import train_labels

    if len(order.data) != 1:
        raise BadInputError(f"The recipe multilabel takes one dataset; received {len(order.data)}.")
    data, plan = read_tagged(order.data[0]), order.plan
    assert isinstance(plan, LayerPlan)
    frozen = _open_frozen(order, plan)
    counts = {split: len(data.of_split(split).paths) for split in ("train", "val")}
    click.echo(f"{len(data.labels)} labels; pictures: {counts['train']} train, {counts['val']} val.")
    with show_bar(sum(counts.values()), "Features") as bar:
        trained, held_out = train_labels(
            data, plan, order.run, frozen, cache=order.bottlenecks, progress=bar.update
        )
    provenance = {
        **_describe(order),
        **_describe_frozen(order, frozen),
        "dataset_sha256": data.digest(),
        "pictures": counts,
    }
    return export_labels(trained, held_out, data, order.target, provenance=provenance)


def _open_frozen(order: TrainOrder, plan: LayerPlan) -> Frozen:
    from kyara.registry import find_serving
    from kyara.training.frozen import open_frozen

    source = order.features or str(find_serving())
    return open_frozen(source, plan.input_px, order.run, quantise=order.quantise)


def _describe_frozen(order: TrainOrder, frozen: Frozen) -> dict[str, Any]:
    source = order.features or "the bundle that served"
    name = source if "://" in source else Path(source).name
    return {"features": name, "features_sha256": hashlib.sha256(frozen.backbone).hexdigest()}


def _describe(order: TrainOrder) -> dict[str, Any]:
    return {
        "kyara": kyara.__version__,
        "recipe": order.recipe,
        "plan": asdict(order.plan),
        "quantised": order.quantise,
        "data": [folder.resolve().name for folder in order.data],
    }
