"""`promote`: make a candidate the model that serves; `rollback`: take the last promotion back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from kyara.cli.gate_options import gate_options, take_tolerances
from kyara.cli.options import cache_option, models_option, path_option, show_bar
from kyara.recognition.bundle import Bundle
from kyara.registry import open_models, roll_back
from kyara.registry.detectors import is_detector, promote_detector, roll_back_detector
from kyara.registry.gate import Tolerances, check_reason
from kyara.registry.promotion import Judge, judge_stored, promote_candidate
from kyara.storage.paths import own_models

OUT_FOLDER = Path("runs") / "comparison"
_models = models_option("Folder of the bundles and of registry.json.")


@click.command()
@click.argument("name")
@path_option(
    "--data",
    multiple=True,
    metavar="DATA",
    help="Measure both bundles on its held-out drawings now; may be given several times.  [default: "
    "what retrain or evaluate --save measured]",
)
@click.option("--split", default="test", help="Of DATA: the held-out drawings.")
@path_option(
    "--pictures",
    metavar="DATA",
    help="With --data: whole labelled pictures, too; the candidate may not name more people wrongly.",
)
@click.option("--force", is_flag=True, help="Although it is worse; needs --reason.")
@click.option(
    "--reason",
    default="",
    show_default=False,
    metavar="TEXT",
    help="Why; written into the registry's history.",
)
@cache_option
@path_option(
    "--out",
    metavar="FOLDER",
    help="With --data: for comparison.json and comparison.html.  [default: runs/comparison/NAME]",
)
@_models
@gate_options
def promote(
    name: str,
    data: tuple[Path, ...],
    split: str,
    pictures: Path | None,
    force: bool,
    reason: str,
    cache: Path,
    out: Path | None,
    models: Path,
    **given: Any,
) -> None:
    """Make the bundle NAME serve, once it is verified and not worse than the one that serves.

    Running sites take it up within two seconds. The first bundle needs no comparison. A face detector is
    compared on the pictures of `val` that `train` or `evaluate` measured it on; pages take it up when
    they are opened next.
    """
    if pictures and not data:
        raise click.UsageError("--pictures goes with --data.")
    tolerances = take_tolerances(given)
    words = check_reason(force, reason)
    if is_detector(name, models):
        detector = promote_detector(name, own_models(models), reason=words)
        click.echo(f"{detector.name} (version {detector.version}) finds the faces.")
        return

    def judge(serving: Bundle, candidate: Bundle) -> list[str]:
        return judge_stored(serving, candidate, tolerances)

    chosen: Judge = judge
    if data:
        drawings = _make_judge(data, split, cache, out or OUT_FOLDER / name, tolerances)

        def both(serving: Bundle, candidate: Bundle) -> list[str]:
            seen = _judge_pictures(serving, candidate, pictures, split, tolerances) if pictures else []
            return drawings(serving, candidate) + seen

        chosen = both
    with closing(open_models(own_models(models))) as opened:
        bundle = promote_candidate(name, opened, chosen, reason=words)
    click.echo(f"{bundle.name} (version {bundle.version}) serves.")


def _make_judge(
    data: tuple[Path, ...], split: str, cache: Path, out: Path, tolerances: Tolerances
) -> Judge:
    def judge(serving: Bundle, candidate: Bundle) -> list[str]:
        from kyara.dataset.manifest import read_manifests
        from kyara.evaluation.compare import compare_bundles, write_comparison
        from kyara.recognition.classifier import Classifier

        pairs = dict(serving.provenance.get("same_as") or {})
        manifest = read_manifests(data, pairs)
        with show_bar(2 * len(manifest.of_split(split)), "Measuring") as bar:
            comparison = compare_bundles(
                Classifier(serving),
                Classifier(candidate),
                manifest,
                split=split,
                cache=cache,
                tolerances=tolerances,
                progress=bar.update,
            )
        write_comparison(comparison, out)
        return comparison["falls"]

    return judge


def _judge_pictures(
    serving: Bundle, candidate: Bundle, folder: Path, split: str, tolerances: Tolerances
) -> list[str]:
    from kyara.dataset.manifest import read_manifests
    from kyara.evaluation.pictures import count_pictures, evaluate_pictures
    from kyara.evaluation.protocols import Options
    from kyara.recognition.classifier import Classifier
    from kyara.registry.gate import find_picture_regressions

    options = Options("pictures", split=split)
    measured = []
    for bundle in (serving, candidate):
        manifest = read_manifests([folder], dict(bundle.provenance.get("same_as") or {}))
        with show_bar(count_pictures(manifest, options, ()), bundle.name) as bar:
            classifier = Classifier(bundle)
            measured.append(
                evaluate_pictures(classifier, manifest, options, progress=bar.update).metrics
            )
    return find_picture_regressions(measured[0], measured[1], tolerances)


@click.command()
@_models
@click.option(
    "--detector", is_flag=True, help="Take the last promotion of a face detector back instead."
)
def rollback(models: Path, *, detector: bool) -> None:
    """Make the bundle serve that served before the last promotion."""
    if detector:
        name = roll_back_detector(own_models(models))
        click.echo(f"{name or 'The cascade alone'} finds the faces again.")
        return
    bundle = roll_back(own_models(models))
    click.echo(f"{bundle.name} (version {bundle.version}) serves again.")
