"""`train`: a dataset → a candidate bundle under model/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kyara.cli.options import cache_option, models_option, path_option
from kyara.cli.plan_options import PLANS, make_plan, plan_options, start_weights_option
from kyara.cli.train_orders import (
    SEARCHING,
    TrainOrder,
    make_colourless,
    make_detector,
    make_eyes,
    make_labels,
    read_and_make,
)
from kyara.storage.paths import own_models

_OF_DETECTORS = {"detector": make_detector, "eyes": make_eyes}
_OF_RECIPES = {
    "start_weights": ("finetune", *_OF_DETECTORS),
    "features": ("head", "multilabel", "gallery", "colourless"),
    "export_only": ("finetune", "cnn", *_OF_DETECTORS),
    "names": ("finetune", "head", "cnn", "gallery", "colourless"),
    "leave_out": ("finetune", "head", "cnn", "gallery"),
    "gallery_split": ("finetune", "head", "cnn", "gallery"),
    "head_from": ("finetune", "head", "cnn"),
    "false_accept": ("finetune", "head", "cnn", "gallery"),
    "references": ("finetune", "head", "cnn", "gallery"),
    "pictures": SEARCHING,
    "strangers": SEARCHING,
    "keep_references": ("gallery",),
    "run": ("finetune", "head", "cnn", "multilabel", "gallery", *_OF_DETECTORS),
    "no_quantise": ("finetune", "head", "cnn", "multilabel", "gallery"),
}


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the candidate: the folder under --models.")
@click.option(
    "--recipe",
    type=click.Choice(list(PLANS)),
    default="finetune",
    help="finetune: a network whose features put drawings of one character together. head: a "
    "softmax layer on frozen features. cnn: a small network from scratch, as a baseline. multilabel: "
    "a picture has several labels, told by a table of 0 and 1. gallery: nothing is trained; a bundle's "
    "references and calibration are chosen anew. colourless: beside a bundle's network, a layer for "
    "drawings without colours. detector: a face detector, on pictures with boxes. "
    "eyes: a second network for a detector, that finds a face's eyes; see dataset eyes.",
)
@start_weights_option
@click.option(
    "--features",
    metavar="BUNDLE|FILE|BACKBONE|HANDLE",
    help="head, multilabel: the frozen network: a bundle's folder, a .keras file, a --backbone's name "
    "(from keras.applications), a SavedModel's folder or a TensorFlow Hub handle; gallery, colourless: "
    "a bundle's folder.  [default: the bundle that serves]",
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
    help="Share of strangers that may be taken for known, or with --pictures for probable.  "
    "[default: 0.1; with --pictures 0.05]",
)
@click.option(
    "--references",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="At most so many references a character.  [default: 16]",
)
@path_option(
    "--pictures",
    metavar="DATA",
    help="Whole pictures with labels: on those of the split val that show one face a gate is fitted, "
    "which tells known, probable and unknown.",
)
@path_option(
    "--strangers",
    metavar="FOLDER",
    help="With --pictures: whole pictures of nobody whom the model knows; those that show one face are "
    "strangers for the gate.",
)
@click.option(
    "--keep-references",
    is_flag=True,
    help="gallery: the characters and their references stay as they are; only the calibration is chosen "
    "anew.",
)
@click.option(
    "--quantise/--no-quantise",
    default=True,
    help="int8 weights; without, the bundle is larger and slower, to measure what int8 loses.",
)
@path_option(
    "--run", metavar="FOLDER", help="Checkpoints; a killed run goes on from here.  [default: runs/NAME]"
)
@cache_option
@models_option("Where the bundle goes.")
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
    cache: Path,
    **given: Any,
) -> None:
    """Train on DATA (one dataset or several) and write the candidate bundle NAME.

    DATA has one sub-folder of faces per character, or an index.csv; for the recipe multilabel it is one
    folder of pictures with a table of labels. The candidate does not serve until it is promoted.
    """
    from kyara.training.plan import read_plan

    own = {name: given.pop(name) for name in _OF_RECIPES if name in given}
    for option, value in {**own, "run": run, "no_quantise": not quantise}.items():
        if value and recipe not in _OF_RECIPES[option]:
            raise click.UsageError(f"The recipe {recipe} has no --{option.replace('_', '-')}.")
    if own["strangers"] and not own["pictures"]:
        raise click.UsageError("--strangers goes with --pictures.")
    plan = make_plan(recipe, given)
    run = run or Path("runs") / name
    if own["export_only"] and recipe not in _OF_DETECTORS:
        plan = read_plan(run, PLANS[recipe])
    order = TrainOrder(recipe, plan, data, run, own_models(models) / name, cache, quantise, **own)
    if recipe in _OF_DETECTORS:
        _OF_DETECTORS[recipe](order)
        return
    makers = {"multilabel": make_labels, "colourless": make_colourless}
    bundle = makers.get(recipe, read_and_make)(order)
    click.echo(f"Candidate {bundle.name} (version {bundle.version}) is in {order.target}.")
