"""What `train` and `retrain` share: the options that are fields of the recipes' plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import click

from kyara.training.backbones import BACKBONES, find_backbone
from kyara.training.plan import (
    RENAMED,
    AnyPlan,
    CnnPlan,
    ColourlessPlan,
    DetectorPlan,
    EyesPlan,
    GalleryPlan,
    LayerPlan,
    Plan,
)

PLANS: dict[str, type[AnyPlan]] = {
    "finetune": Plan,
    "head": LayerPlan,
    "cnn": CnnPlan,
    "multilabel": LayerPlan,
    "gallery": GalleryPlan,
    "colourless": ColourlessPlan,
    "detector": DetectorPlan,
    "eyes": EyesPlan,
}
_SHARE = click.FloatRange(0, 1)
_POSITIVE = click.FloatRange(0, min_open=True)
_LEAST = ", ".join(f"{name} needs {entry.min_input_px}" for name, entry in BACKBONES.items())
_POINTS = "; ".join(f"{name}: {entry.freezing_points[0]}" for name, entry in BACKBONES.items())
_OLD_NAMES = {now: before for before, now in RENAMED.items()}
_OPTIONS: dict[str, tuple[Any, str]] = {
    "backbone": (click.Choice(list(BACKBONES)), "The network below the features."),
    "input_px": (click.IntRange(16, 512), f"Side of the network's input; {_LEAST}."),
    "dimension": (click.IntRange(2, 2048), "Of the features that are trained."),
    "served_dimension": (
        click.IntRange(0, 2048),
        "Of the features that are served, the directions in which characters differ most; 0: all.",
    ),
    "hidden": (click.IntRange(1, 4096), "Units of the hidden layer."),
    "epochs": (click.IntRange(1), "How many."),
    "faces_per_epoch": (click.IntRange(0), "0: as many as the training split has."),
    "batch": (click.IntRange(2), "Pictures a step."),
    "learning_rate": (_POSITIVE, "Highest learning rate."),
    "loss": (click.Choice(["cosface", "arcface", "proxy-anchor"]), "What is trained for."),
    "scale": (_POSITIVE, "The loss's inverse temperature."),
    "margin": (click.FloatRange(0, 1), "The loss's margin; 0 is the normalised softmax."),
    "frozen_until": (str, f"Last layer that stays as it was at the start ({_POINTS})."),
    "ema_momentum": (
        click.FloatRange(0, 1, max_open=True),
        "Of the average over the weights; 0: none.",
    ),
    "sampling_exponent": (_SHARE, "0 draws faces as they come, 1 every character equally often."),
    "same_series_share": (_SHARE, "Share of the batches that hold characters of one work only."),
    "bn_momentum": (
        click.FloatRange(0, 1, max_open=True),
        "Of batch normalisation's averages; lower it for runs of few steps.",
    ),
    "new_backgrounds": (bool, "Replace the flat background behind drawings half of the time."),
    "precision": (click.Choice(["float32", "mixed_bfloat16"]), "Arithmetic of the training."),
    "weight_decay": (click.FloatRange(0), "Weight of the squared weights in the loss (L2)."),
    "decay": (click.FloatRange(0), "By how much of itself the learning rate falls a step."),
    "side_px": (click.IntRange(64, 640), "Side of a training view, a multiple of 32."),
    "views": (click.IntRange(1), "Training views, of all epochs together."),
    "views_per_epoch": (click.IntRange(1), "After so many the state is kept."),
    "mine_at": (_SHARE, "Share of the views after which the network searches its own data; 0: never."),
    "seed": (int, "Of every random choice."),
}


start_weights_option = click.option(
    "--start-weights",
    metavar="BUNDLE|RUN|FILE|imagenet|HANDLE",
    help="finetune: the folder of a bundle or of another run to go on from, a .keras file, imagenet "
    "(from keras.applications), or a SavedModel or TensorFlow Hub handle of the same backbone; "
    "detector: the folder of a detector to go on from; eyes: of one that finds faces.  [default: random "
    "weights; of retrain and eyes what serves]",
)


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every field of the plans; one that is not given is None."""
    for name, (kind, text) in reversed(_OPTIONS.items()):
        names = filter(None, (name, _OLD_NAMES.get(name)))
        flags = [one.replace("_", "-") for one in names]
        decorate = click.option(
            name,
            *(f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}" for flag in flags),
            type=kind,
            default=None,
            help=f"{text}  {_describe_defaults(name)}",
        )
        command = decorate(command)
    return command


def _describe_defaults(name: str) -> str:
    """Say which recipes have an option, and its default in each: `[finetune, cnn: 1]`."""
    recipes: dict[str, list[str]] = {}
    for recipe, plan in PLANS.items():
        for field in fields(plan):
            if field.name == name and field.default is not MISSING:
                value = field.default if field.default != "" else "none"
                recipes.setdefault(str(value), []).append(recipe)
    return "[" + "; ".join(f"{', '.join(those)}: {value}" for value, those in recipes.items()) + "]"


def make_plan(recipe: str, given: dict[str, Any]) -> AnyPlan:
    """Make a recipe's plan from the options that were given.

    Raises:
        click.UsageError: an option that the recipe does not have, or an input too small for a backbone.
    """
    plan = PLANS[recipe]
    known = {field.name for field in fields(plan)}
    values = {name: value for name, value in given.items() if value is not None}
    for name in values:
        if name not in known:
            raise click.UsageError(f"The recipe {recipe} has no --{name.replace('_', '-')}.")
    made = plan(**values)
    if isinstance(made, Plan) and made.input_px < (least := find_backbone(made.backbone).min_input_px):
        raise click.UsageError(f"{made.backbone} needs --input-px {least}; received {made.input_px}.")
    return made
