"""The options of `train` that are the fields of the recipes' plans, with their defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import click

from kyara.training.plan import AnyPlan, CnnPlan, DetectorPlan, GalleryPlan, LayerPlan, Plan

PLANS: dict[str, type[AnyPlan]] = {
    "finetune": Plan,
    "head": LayerPlan,
    "cnn": CnnPlan,
    "multilabel": LayerPlan,
    "gallery": GalleryPlan,
    "detector": DetectorPlan,
}
_SHARE = click.FloatRange(0, 1)
_POSITIVE = click.FloatRange(0, min_open=True)
_OPTIONS: dict[str, tuple[Any, str]] = {
    "input_px": (click.IntRange(16, 512), "Side of the network's input; Inception-v3 needs 75."),
    "dimension": (click.IntRange(2, 2048), "Of the features."),
    "epochs": (click.IntRange(1), "How many."),
    "faces_per_epoch": (click.IntRange(0), "0: as many as the training split has."),
    "batch": (click.IntRange(2), "Pictures a step."),
    "peak_rate": (_POSITIVE, "Highest learning rate."),
    "loss": (click.Choice(["cosface", "arcface", "proxy-anchor"]), "What is trained for."),
    "scale": (_POSITIVE, "The loss's inverse temperature."),
    "margin": (click.FloatRange(0, 1), "The loss's margin; 0 is the normalised softmax."),
    "frozen_until": (str, "Last layer that stays as it was at the start, such as mixed0."),
    "average": (click.FloatRange(0, 1, max_open=True), "Momentum of the weights' average; 0: none."),
    "balance": (_SHARE, "0 draws faces as they come, 1 every character equally often."),
    "within_work": (_SHARE, "Share of the batches that hold characters of one work only."),
    "norm_momentum": (
        click.FloatRange(0, 1, max_open=True),
        "Of batch normalisation's averages; lower it for runs of few steps.",
    ),
    "new_grounds": (bool, "Replace the flat ground behind drawings half of the time."),
    "close_ups": (bool, "Where pictures are wide, train on what the face detector cuts out too."),
    "precision": (click.Choice(["float32", "mixed_bfloat16"]), "Arithmetic of the training."),
    "shrinkage": (click.FloatRange(0), "Weight of the squared weights in the loss (L2)."),
    "decay": (click.FloatRange(0), "By how much of itself the learning rate falls a step."),
    "side_px": (click.IntRange(64, 640), "Side of a training view, a multiple of 32."),
    "views": (click.IntRange(1), "Training views, of all epochs together."),
    "views_per_epoch": (click.IntRange(1), "After so many the state is kept."),
    "learning_rate": (_POSITIVE, "Highest learning rate."),
    "weight_decay": (click.FloatRange(0), "Of AdamW."),
    "ema_momentum": (click.FloatRange(0, 1, max_open=True), "Momentum of the weights' average."),
    "seed": (int, "Of every random choice."),
}


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every field of the plans; one that is not given is None."""
    for name, (kind, text) in reversed(_OPTIONS.items()):
        flag = name.replace("_", "-")
        decorate = click.option(
            f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}",
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
        click.UsageError: an option that the recipe does not have.
    """
    plan = PLANS[recipe]
    known = {field.name for field in fields(plan)}
    values = {name: value for name, value in given.items() if value is not None}
    for name in values:
        if name not in known:
            raise click.UsageError(f"The recipe {recipe} has no --{name.replace('_', '-')}.")
    return plan(**values)
