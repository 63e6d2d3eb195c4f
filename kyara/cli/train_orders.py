"""What `train` and `retrain` asked for → a candidate bundle: a recipe is fed, its result exported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import kyara
from kyara.cli.options import show_bar

if TYPE_CHECKING:
    from kyara.dataset.manifest import Face, Manifest
    from kyara.recognition.bundle import Bundle
    from kyara.recognition.characters import Names
    from kyara.training.crops import FindFaces
    from kyara.training.frozen import Frozen
    from kyara.training.plan import AnyPlan, LayerPlan
    from kyara.training.trained import Trained
    from kyara.vision.boxes import Box
    from kyara.vision.detector_bundle import DetectorBundle

HEAD_FROM = {"finetune": 20, "head": 1, "cnn": 1, "gallery": 1}
"""Training drawings from which a character has a column of the head."""
SEARCHING = ("finetune", "gallery")
"""Recipes that cut every face as serving does, and look for it where the data does not tell."""


@dataclass(frozen=True)
class TrainOrder:
    """What the command line asked for."""

    recipe: str
    plan: AnyPlan
    data: tuple[Path, ...]
    run: Path
    target: Path
    cache: Path
    quantise: bool = True
    start_weights: str | None = None
    features: str | None = None
    export_only: bool = False
    names: Path | None = None
    leave_out: tuple[str, ...] = ()
    gallery_split: tuple[str, ...] = ()
    head_from: int | None = None
    false_accept: float | None = None
    references: int | None = None
    pictures: Path | None = None
    strangers: Path | None = None
    keep_references: bool = False


def read_and_make(order: TrainOrder) -> Bundle:
    """Read the data and make a bundle that names one character a face; see `make_characters`."""
    from kyara.dataset.manifest import read_manifests
    from kyara.recognition.characters import Names, read_names

    names = read_names(order.names) if order.names else Names()
    return make_characters(order, read_manifests(order.data, names.same_as), names)


def make_characters(
    order: TrainOrder, whole: Manifest, names: Names, more: Mapping[str, Any] | None = None
) -> Bundle:
    """Train and export a bundle that names one character a face.

    Raises:
        KyaraError: the data or the run does not fit.
    """
    from kyara.dataset.manifest import hold_out_val
    from kyara.errors import BadInputError
    from kyara.training.crops import read_told
    from kyara.training.export import MOST_REFERENCES, ExportSettings, choose_faces, export_bundle

    manifest = hold_out_val(whole)
    strange = set(order.leave_out) - {face.work for face in manifest.faces if face.work}
    if strange:
        raise BadInputError(f"The data has no work {', '.join(sorted(strange))} to leave out.")
    shown = manifest.having(lambda face: face.work not in order.leave_out)
    settings = ExportSettings(
        order.head_from or HEAD_FROM[order.recipe],
        order.gallery_split,
        order.false_accept or (0.05 if order.pictures else 0.1),
        order.references or MOST_REFERENCES,
    )
    choose_faces(manifest, settings)  # refuses a split that does not exist before anything is trained
    counts = {split: len(shown.of_split(split)) for split in ("train", "val")}
    characters = len({face.label for face in shown.of_split("train")})
    click.echo(f"{characters} characters; faces: {counts['train']} train, {counts['val']} val.")
    trained, made_from = _TRAINERS[order.recipe](order, shown)
    faces = choose_faces(manifest, settings, trained)
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
    pictures = _find_pictures(order, names)
    find = _find_faces(order) if order.recipe in SEARCHING else read_told
    with show_bar(len(faces) + len(pictures), "Exporting") as bar:
        return export_bundle(
            trained,
            manifest,
            names,
            order.target,
            settings=settings,
            provenance=provenance,
            cache=order.cache,
            progress=bar.update,
            find=find,
            pictures=pictures,
        )


def _find_faces(order: TrainOrder) -> FindFaces:
    from kyara.training.crops import find_faces

    def find(faces: Sequence[Face]) -> Sequence[Box | None]:
        with show_bar(len(faces), "Finding faces") as bar:
            return find_faces(faces, order.cache, bar.update)

    return find


def _find_pictures(order: TrainOrder, names: Names) -> list[Face]:
    """Return the whole pictures that show one face, each with that face; strangers have no label."""
    from dataclasses import replace

    from kyara.dataset.manifest import Face, read_manifests
    from kyara.evaluation.protocols import find_unknowns

    if order.pictures is None:
        return []
    pictures = read_manifests([order.pictures], names.same_as).of_split("val")
    for group in find_unknowns(order.strangers):
        pictures += [Face(path, "", "val", path.name) for path in group.paths]
    boxes = _find_faces(order)(pictures)
    return [replace(face, box=box) for face, box in zip(pictures, boxes, strict=True) if box]


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
        model = train_embedding(manifest, plan, order.run, _find_faces(order), start_weights=start)
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
        trained = train_head(manifest, plan, order.run, frozen, cache=order.cache, progress=bar.update)
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
    from kyara.training.recipes.gallery import keep_network

    bundle = _open_bundle(order)
    labels = frozenset(face.label for face in manifest.of_split("train"))
    return keep_network(bundle, labels, references=order.keep_references), {"from": _tell_origin(bundle)}


def _open_bundle(order: TrainOrder) -> Bundle:
    from kyara.recognition.bundle import load_bundle
    from kyara.registry import find_serving

    return load_bundle(Path(order.features) if order.features else find_serving())


_TRAINERS = {"finetune": _finetune, "head": _train_head, "cnn": _train_cnn, "gallery": _keep_network}


def make_colourless(order: TrainOrder) -> Bundle:
    """Train the layer for drawings without colours beside a bundle's network, and write the bundle."""
    from dataclasses import replace

    from kyara.dataset.manifest import hold_out_val, read_manifests
    from kyara.recognition.bundle import save_bundle
    from kyara.recognition.characters import Names, read_names
    from kyara.training.plan import ColourlessPlan
    from kyara.training.recipes.colourless import train_colourless

    assert isinstance(order.plan, ColourlessPlan)
    names = read_names(order.names) if order.names else Names()
    manifest = hold_out_val(read_manifests(order.data, names.same_as))
    bundle = _open_bundle(order)
    boxes = _find_faces(order)(manifest.faces)
    with show_bar(len(manifest.faces), "Features") as bar:
        made = train_colourless(bundle, manifest, order.plan, boxes, order.cache, bar.update)
    faces = len(manifest.of_split("train"))
    more = {**_describe(order), "dataset_sha256": manifest.digest(), "faces": {"train": faces}}
    del more["quantised"]  # the layer is not
    provenance = {**bundle.provenance, "colourless": more}
    return save_bundle(replace(made, name=order.target.name, provenance=provenance), order.target)


def make_detector(order: TrainOrder) -> None:
    """Train a face detector, measure it and write it."""
    from kyara.dataset.boxed import SPLITS, read_boxed_pictures
    from kyara.training.plan import DetectorPlan
    from kyara.training.recipes.detector.export import export_detector
    from kyara.training.recipes.detector.fit import load_average
    from kyara.training.recipes.detector.network import build_detector
    from kyara.training.recipes.detector.sources import gather_sources
    from kyara.training.recipes.detector.train import train_detector
    from kyara.vision.detector_bundle import load_detector_bundle

    plan = order.plan
    assert isinstance(plan, DetectorPlan)
    start_folder = Path(order.start_weights) if order.start_weights else None
    start = load_detector_bundle(start_folder) if start_folder else None
    pictures = [picture for folder in order.data for picture in read_boxed_pictures(folder)]
    counts = {split: sum(p.split == split for p in pictures) for split in SPLITS}
    faces = sum(len(picture.faces) for picture in pictures)
    click.echo(f"{len(pictures)} pictures with {faces} faces: {counts}.")
    if order.export_only:
        model = load_average(order.run, build_detector)
    else:
        with show_bar(counts["train"] + counts["unlabelled"], "Reading") as bar:
            sources = gather_sources(pictures, bar.update)
        model = train_detector(
            sources,
            plan,
            order.run,
            start_weights=start.network if start else None,
            tell=lambda text: click.echo(text, err=True),
        )
    provenance = {**_describe(order), "quantised": False, "pictures": counts, "faces": faces}
    if start:
        provenance["from"] = _tell_origin(start)
    with show_bar(counts["val"] + counts["test"], "Measuring") as bar:
        bundle = export_detector(
            model, order.target, pictures, provenance, bar.update, start=start_folder
        )
    click.echo(f"Detector {bundle.name} (version {bundle.version}) is in {order.target}.")


def make_eyes(order: TrainOrder) -> None:
    """Train the network that finds a face's eyes, and write it beside a face detector's."""
    from kyara.dataset.boxed import read_boxed_pictures
    from kyara.training.plan import EyesPlan
    from kyara.training.recipes.detector.export_eyes import export_eyes, read_scenes
    from kyara.training.recipes.detector.eyes import build_eye_network, train_eyes
    from kyara.training.recipes.detector.fit import load_average
    from kyara.vision.detector_bundle import find_detector_bundle

    plan = order.plan
    assert isinstance(plan, EyesPlan)
    start = Path(order.start_weights) if order.start_weights else find_detector_bundle()
    pictures = [picture for folder in order.data for picture in read_boxed_pictures(folder)]
    with show_bar(len(pictures), "Reading") as bar:
        scenes = {split: read_scenes(pictures, split, bar.update) for split in ("train", "val", "test")}
    counts = {split: len(those) for split, those in scenes.items()}
    click.echo(f"{sum(counts.values())} faces with eyes: {counts}.")
    train = scenes.pop("train")
    if order.export_only:
        model = load_average(order.run, build_eye_network)
    else:
        model = train_eyes(train, plan, order.run, tell=lambda text: click.echo(text, err=True))
    provenance = {**_describe(order), "quantised": False, "faces": counts}
    bundle = export_eyes(model, start, order.target, scenes, provenance)
    click.echo(f"Detector {bundle.name} (version {bundle.version}) is in {order.target}.")


def make_labels(order: TrainOrder) -> Bundle:
    """Train and export a bundle that gives a picture several labels.

    Raises:
        BadInputError: more than one dataset.
    """
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
            data, plan, order.run, frozen, cache=order.cache, progress=bar.update
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


def _tell_origin(bundle: Bundle | DetectorBundle) -> dict[str, Any]:
    return {"name": bundle.name, "version": bundle.version, "provenance": bundle.provenance}


def _describe(order: TrainOrder) -> dict[str, Any]:
    return {
        "kyara": kyara.__version__,
        "recipe": order.recipe,
        "plan": asdict(order.plan),
        "quantised": order.quantise,
        "data": [folder.resolve().name for folder in order.data],
    }
