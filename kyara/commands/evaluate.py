"""`evaluate`: measure a bundle on a dataset."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--split", default="test", show_default=True, help="Of the dataset.")
@click.option(
    "--unknown",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help='Faces of nobody whom the model knows: measures "unknown".',
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@click.option("--save", is_flag=True, help="Write them into the bundle as metrics.json.")
def evaluate(
    bundle: Path, data: Path, split: str, unknown: Path | None, as_json: bool, save: bool
) -> None:
    """Measure BUNDLE (its folder) on DATA, through the same code that serves."""
    from classification import Classifier
    from kyara.bundle import METRICS_FILE, write_whole
    from kyara.dataset import read_manifest
    from kyara.evaluation import evaluate_bundle
    from kyara.images import list_pictures

    classifier = Classifier(bundle)
    manifest = read_manifest(data)
    total = len(manifest.of_split(split)) + (len(list_pictures(unknown)) if unknown else 0)
    with click.progressbar(length=total, label="Measuring", file=sys.stderr) as bar:
        metrics = evaluate_bundle(classifier, manifest, split, unknown=unknown, progress=bar.update)
    metrics["model_version"] = classifier.bundle.version
    if save:
        text = json.dumps(metrics, ensure_ascii=False, indent=1) + "\n"
        write_whole(bundle / METRICS_FILE, text)
    if as_json:
        click.echo(json.dumps(metrics, ensure_ascii=False, indent=1))
        return
    for name, value in metrics.items():
        if not isinstance(value, dict) and value is not None:
            click.echo(
                f"{name:>18}  {value:.4f}" if isinstance(value, float) else f"{name:>18}  {value}"
            )
