"""`train`: a dataset → a candidate bundle under model/."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

import kyara
from kyara.bundle import Preprocessing
from kyara.registry import MODEL_FOLDER


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the candidate: the folder under --models.")
@click.option(
    "--start-weights",
    type=click.Path(path_type=Path),
    metavar="TGZ",
    help="The npm package nsfwjs@4.3.0 (`npm pack nsfwjs@4.3.0`), or a .keras checkpoint.",
)
@click.option(
    "--names",
    type=click.Path(path_type=Path),
    metavar="JSON",
    help="Names and works per label and language.",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Checkpoints; a killed run goes on from here.  [default: runs/NAME]",
)
@click.option("--models", type=click.Path(path_type=Path), default=MODEL_FOLDER, show_default="model/")
@click.option(
    "--recipe",
    type=click.Choice(["finetune"]),
    default="finetune",
    show_default=True,
    help="finetune: every layer of Inception-v3.",
)
@click.option("--input-px", default=128, show_default=True, type=click.IntRange(75, 512))
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=32, show_default=True, type=click.IntRange(2))
@click.option("--peak-rate", default=0.015, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option(
    "--balance",
    default=0.3,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="0 draws faces as they come, 1 every character equally often.",
)
@click.option(
    "--norm-momentum",
    default=0.99,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Of batch normalisation's averages; lower it for runs of few steps.",
)
@click.option(
    "--close-ups/--no-close-ups",
    default=True,
    show_default=True,
    help="Where a character's pictures are wide, train on what the face detector cuts out too.",
)
@click.option("--seed", default=1, show_default=True, type=int)
def train(
    data: Path,
    name: str,
    start_weights: Path | None,
    names: Path | None,
    run: Path | None,
    models: Path,
    recipe: str,
    **settings: float,
) -> None:
    """Fine-tune Inception-v3 on DATA and write the candidate bundle NAME.

    DATA has one sub-folder of faces per character, or an index.csv (path,label,split,group). The
    candidate does not serve until it is promoted.
    """
    import hashlib

    from kyara.dataset import read_manifest
    from kyara.export import SERVING_VIEWS, export_bundle, read_names
    from kyara.training import Plan, train_network

    manifest = read_manifest(data)
    plan = Plan(**settings)  # type: ignore[arg-type]
    known = read_names(names) if names else {}
    counts = {split: len(manifest.of_split(split)) for split in ("train", "val")}
    click.echo(
        f"{len(manifest.labels)} characters; faces: {counts['train']} train, {counts['val']} val."
    )
    model = train_network(manifest, plan, run or Path("runs") / name, start_weights=start_weights)
    provenance = {
        "kyara": kyara.__version__,
        "recipe": recipe,
        "plan": asdict(plan),
        "start_weights": hashlib.sha256(start_weights.read_bytes()).hexdigest()
        if start_weights
        else None,
        "dataset_sha256": manifest.digest(),
        "faces": counts,
    }
    preprocessing = Preprocessing(plan.input_px, (0.0, 1.0), SERVING_VIEWS)
    with click.progressbar(length=sum(counts.values()), label="Exporting") as bar:
        bundle = export_bundle(
            model,
            manifest,
            preprocessing,
            known,
            models / name,
            provenance=provenance,
            progress=bar.update,
        )
    click.echo(f"Candidate {bundle.name} (version {bundle.version}) is in {models / name}.")
