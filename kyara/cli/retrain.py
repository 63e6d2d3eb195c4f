"""`retrain`: labelled faces and accepted reports → a candidate, compared with the bundle that serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.gate_options import gate_options, take_tolerances
from kyara.cli.options import cache_option, models_option, path_option, show_bar
from kyara.cli.plan_options import PLANS, make_plan, plan_options, start_weights_option
from kyara.storage.paths import own_models

if TYPE_CHECKING:
    from kyara.dataset.versions import DatasetVersion
    from kyara.recognition.bundle import Bundle
    from kyara.recognition.characters import Names
    from kyara.training.retrain import RetrainOrder

HEAD_FROM = 20
"""New drawings from which a character without a column of the head gets one."""
ADDED_LAYER = {"learning_rate": 0.01}
"""What a retraining adds starts at zero and is held there, so it may go faster than a new layer."""


@click.command()
@click.argument("data", nargs=-1, type=click.Path(path_type=Path))
@path_option(
    "--dataset",
    metavar="FOLDER",
    help="The dataset folder: its faces/ is learned from.  [default: dataset/, or KYARA_DATASET_FOLDER]",
)
@click.option("--name", help="Of the job and the candidate.  [default: RECIPE and the time]")
@click.option(
    "--recipe",
    type=click.Choice([name for name in PLANS if name in ("head", "finetune", "cnn", "gallery")]),
    default="head",
    help="head: the serving bundle learns on, in minutes on two cores, and forgets nobody. finetune and "
    "cnn: trained anew on the data alone, so DATA must hold everybody.",
)
@start_weights_option
@path_option("--names", metavar="JSON", help="Names of new characters, as for train.")
@click.option(
    "--head-from",
    type=click.IntRange(1),
    default=HEAD_FROM,
    metavar="N",
    help="Characters with fewer training drawings get no column of the head.",
)
@click.option("--resume", is_flag=True, help="Go on with the job NAME, else the newest unfinished one.")
@path_option("--runs", metavar="FOLDER", help="Where the jobs are.", default=Path("runs"))
@cache_option
@models_option("Folder of the bundles and of registry.json.")
@plan_options
@gate_options
def retrain(
    data: tuple[Path, ...],
    dataset: Path | None,
    name: str | None,
    recipe: str,
    start_weights: str | None,
    names: Path | None,
    head_from: int,
    resume: bool,
    runs: Path,
    cache: Path,
    models: Path,
    **given: Any,
) -> None:
    """Train a candidate on the labelled faces (and DATA), and compare it with the bundle that serves.

    The candidate does not serve until it is promoted. A job that was killed goes on with --resume.
    """
    from kyara.storage.settings import PlaceSettings
    from kyara.training.retrain import RetrainOrder, make_order, run_order

    tolerances = take_tolerances(given)
    if start_weights and recipe != "finetune":
        raise click.UsageError(f"The recipe {recipe} has no --start-weights.")
    if resume:
        job = _find_unfinished(runs, name)
    else:
        job = name or f"{recipe}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        preset = ADDED_LAYER if recipe == "head" else {}
        plan = make_plan(recipe, {**given, **_fill(given, preset)})
        folder = dataset or PlaceSettings.read().dataset_folder
        order = RetrainOrder(
            job=job,
            recipe=recipe,
            plan=asdict(plan),
            dataset=str(folder.resolve()),
            further=tuple(str(one.resolve()) for one in data),
            models=str(own_models(models).resolve()),
            cache=str(cache.resolve()),
            names=str(names.resolve()) if names else "",
            head_from=head_from,
            start_weights=_make_absolute(start_weights) if start_weights else "",
            tolerances=asdict(tolerances),
        )
        make_order(runs, order)
    comparison = run_order(runs, job, train=_train_anew, bar=show_bar)
    _tell(comparison, runs / job)


def _fill(given: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in preset.items() if given.get(name) is None}


def _make_absolute(start: str) -> str:
    """Return a file or folder from the root on, and a name or handle as it is."""
    return str(Path(start).resolve()) if Path(start).exists() else start


def _find_unfinished(runs: Path, name: str | None) -> str:
    from kyara.errors import BadInputError
    from kyara.storage.jobs import list_jobs

    if name:
        return name
    unfinished = [status.job for status in list_jobs(runs) if status.stage != "done"]
    if not unfinished:
        raise BadInputError(f"No job under {runs} is unfinished.")
    return unfinished[0]


def _train_anew(
    order: RetrainOrder,
    version: DatasetVersion,
    serving: Bundle,
    names: Names,
    run: Path,
    provenance: Mapping[str, Any],
) -> None:
    from kyara.cli.train_orders import TrainOrder, make_characters
    from kyara.training.plan import restore_plan

    start = order.start_weights or str(serving.backbone.parent)
    train_order = TrainOrder(
        recipe=order.recipe,
        plan=restore_plan(PLANS[order.recipe], order.plan),
        data=version.manifest.roots,
        run=run,
        target=Path(order.models) / order.job,
        cache=Path(order.cache),
        start_weights=start if order.recipe == "finetune" else None,
        head_from=order.head_from,
    )
    make_characters(train_order, version.manifest, names, provenance)


def _tell(comparison: Mapping[str, Any], folder: Path) -> None:
    sides = comparison["serving"], comparison["candidate"]
    for name in sides[0]["figures"]:
        before, after = (side["figures"][name] for side in sides)
        click.echo(f"{name:<16}  {before:.4f}  {after:.4f}")
    counts = comparison["changed_counts"]
    click.echo(f"{counts['right']} drawings became right, {counts['wrong']} wrong.")
    for fall in comparison["falls"]:
        click.echo(f"Worse: {fall}.")
    click.echo(f"{folder / 'comparison.html'}")
    job = sides[1]["name"]
    allowed = "may be promoted" if not comparison["falls"] else "would be refused by promote"
    click.echo(f"Candidate {job} {allowed}.")
