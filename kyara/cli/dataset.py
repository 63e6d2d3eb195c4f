"""`dataset`: look over a folder of faces before it teaches a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kyara.cli.options import cache_option, near_bits_option, show_progress
from kyara.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from kyara.dataset.check.findings import Extract
    from kyara.dataset.check.pictures import Progress
    from kyara.recognition.classifier import Classifier

CHECK_FOLDER = Path("runs") / "dataset"

_path = click.Path(path_type=Path)
_folder = click.argument("folder", type=_path)
_near_bits = near_bits_option(
    "Pictures whose hashes differ in at most so many of 255 bits show the same drawing."
)


@click.group()
def dataset() -> None:
    """Check a dataset folder, see what training does to it, or split it."""


@dataset.command()
@_folder
@click.option(
    "--model", type=_path, metavar="BUNDLE", help="The bundle that looks; by default what serves."
)
@click.option(
    "--no-suspects", is_flag=True, help="Do not look for wrong labels: quick, without a model."
)
@click.option(
    "--out", type=_path, help="For check.json and report.html.  [default: runs/dataset/FOLDER]"
)
@click.option(
    "--smallest-px",
    default=48,
    type=click.IntRange(1),
    help="A picture with a shorter side below this is tiny.",
)
@_near_bits
@click.option(
    "--fewest",
    default=5,
    type=click.IntRange(0),
    help="Name the characters with fewer pictures to train on.",
)
@click.option(
    "--least-gap",
    default=0.05,
    type=click.FloatRange(0, 2),
    help="How much nearer to another label than to its own (cosine) a suspect is.",
)
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print check.json.")
@click.option("--strict", is_flag=True, help="Exit with status 1 where anything was found.")
def check(
    folder: Path,
    model: Path | None,
    no_suspects: bool,
    out: Path | None,
    cache: Path,
    as_json: bool,
    strict: bool,
    **limits: float,
) -> None:
    """Find what is wrong with the dataset FOLDER and write a report.

    Unreadable, tiny and empty pictures, duplicates, near-duplicates and mirrored ones, labels that
    differ only by case or width, the same drawing in two splits or under two labels, characters with few
    pictures, and pictures that look like another character than their label says.
    """
    from kyara.dataset.check import Limits, inspect_dataset
    from kyara.dataset.check.report import describe_findings, write_report
    from kyara.dataset.manifest import list_faces
    from kyara.errors import BadInputError
    from kyara.registry.serving import ServingClassifier

    faces = list_faces(folder)
    classifier = None if no_suspects else ServingClassifier(model)
    inspection = inspect_dataset(
        folder,
        Limits(**limits),  # type: ignore[arg-type]
        _use_network(classifier, cache) if classifier else None,
        faces=faces,
        bar=show_progress,
    )
    out = out or CHECK_FOLDER / folder.resolve().name
    name = classifier and f"{classifier.bundle.name} (version {classifier.bundle.version})"
    text = json.dumps({"model": name, **inspection.to_json()}, ensure_ascii=False, indent=1)
    try:
        out.mkdir(parents=True, exist_ok=True)
        replace_file(out / "check.json", text + "\n")
        write_report(inspection, name, out / "report.html")
    except OSError as error:
        raise BadInputError(f"Cannot write to {out}: {error.strerror or error}.") from error
    found = describe_findings(inspection)
    if as_json:
        click.echo(text)
    else:
        click.echo("\n".join([*found, ""] if found else ["Nothing was found."]))
        click.echo(out / "report.html")
    if strict and found:
        raise BadInputError(f"{folder} has findings of {len(found)} kinds; see {out / 'report.html'}.")


def _use_network(classifier: Classifier, cache: Path) -> Extract:
    from kyara.recognition.embeddings import extract_cached

    def extract(paths: Sequence[Path], progress: Progress) -> np.ndarray:
        return extract_cached(classifier.backbone, paths, cache, progress)

    return extract


@dataset.command()
@_folder
@click.option(
    "--preview", type=_path, metavar="SHEET.png", help="Draw crops and what training does to them."
)
@click.option("--rows", default=12, type=click.IntRange(1, 200), help="Crops on the sheet.")
@click.option(
    "--columns",
    default=9,
    type=click.IntRange(1, 50),
    help="Variations of each on the sheet.",
)
@click.option(
    "--times", type=click.IntRange(1), help="Write so many variations of each training picture."
)
@click.option("--out", type=_path, help="Where to, with --times: a new folder.")
@click.option(
    "--size",
    default=128,
    type=click.IntRange(16, 1024),
    help="Side of a variation in pixels.",
)
@click.option("--seed", default=1, type=int, help="Of every random choice.")
@cache_option
def augment(
    folder: Path,
    preview: Path | None,
    rows: int,
    columns: int,
    times: int | None,
    out: Path | None,
    size: int,
    seed: int,
    cache: Path,
) -> None:
    """Show on a sheet what training does to the crops of FOLDER, or write it as a dataset.

    The written dataset has an index.csv that keeps label, split and group. Training pictures are
    replaced by their variations; all others are copied unchanged.
    """
    from kyara.dataset.manifest import read_manifest
    from kyara.training.crops import find_faces
    from kyara.training.variations import Variations, write_sheet, write_variations

    if (times is None) != (out is None):
        raise click.UsageError("--times and --out go together.")
    if preview is None and out is None:
        raise click.UsageError("Say what to write: --preview SHEET.png, or --times N --out FOLDER.")
    manifest = read_manifest(folder)
    faces = manifest.of_split("train")
    with show_progress("Finding faces", len(faces)) as progress:
        variations = Variations(manifest, find_faces(faces, cache, progress), size, seed)
    if preview is not None:
        with show_progress("Drawing", min(rows, len(variations.faces))) as progress:
            write_sheet(variations.draw_sheet(rows, columns, progress), preview)
        click.echo(preview)
    if times is not None and out is not None:
        with show_progress("Writing", len(manifest.faces)) as progress:
            written = write_variations(manifest, variations, times, out, progress)
        click.echo(f"{written} pictures and index.csv are in {out}.")


@dataset.command()
@_folder
@click.option(
    "--out",
    type=_path,
    metavar="INDEX.csv",
    help="Where to.  [default: FOLDER/index.csv, if there is none]",
)
@click.option(
    "--val",
    default=0.1,
    type=click.FloatRange(0, 0.5),
    help="Share of each character.",
)
@click.option(
    "--test",
    default=0.1,
    type=click.FloatRange(0, 0.4),
    help="Share of each character.",
)
@click.option("--seed", default=1, type=int, help="Of the draw.")
@_near_bits
def split(folder: Path, out: Path | None, val: float, test: float, seed: int, near_bits: int) -> None:
    """Write an index.csv for FOLDER in which all versions of a drawing lie in one split."""
    from collections import Counter

    from kyara.dataset.check.pictures import read_pictures
    from kyara.dataset.check.splitting import draw_splits, group_pictures
    from kyara.dataset.manifest import INDEX_FILE, list_faces, write_index
    from kyara.errors import BadInputError

    indexed = (folder / INDEX_FILE).exists()
    if out is None and indexed:
        raise BadInputError(
            f"{folder} has an {INDEX_FILE} already; say with --out where to write another."
        )
    faces = list_faces(folder)
    with show_progress("Reading", len(faces)) as progress:
        pictures, broken = read_pictures(folder, faces, progress)
    with show_progress("Comparing", len(pictures)) as progress:
        grouped = group_pictures(pictures, near_bits, keep_groups=indexed, progress=progress)
    drawn = draw_splits(grouped, val, test, seed)
    write_index(folder, drawn, out)
    for one in broken:
        click.echo(f"left out: {one.path}: {one.reason}", err=True)
    counts = Counter(face.split for face in drawn)
    groups = len({face.group for face in drawn})
    told = ", ".join(f"{counts[name]} {name}" for name in ("train", "val", "test"))
    click.echo(f"{len(drawn)} pictures in {groups} groups: {told}. {out or folder / INDEX_FILE}")


@dataset.command()
@click.argument("data", nargs=-1, required=True, type=_path)
@click.option("--out", type=_path, required=True, help="Where to; a killed command goes on there.")
@click.option("--most", default=6000, type=click.IntRange(1), help="So many faces at most.")
@click.option("--seed", default=1, type=int, help="Of their choice.")
def eyes(data: tuple[Path, ...], out: Path, most: int, seed: int) -> None:
    """Ask animeface-2009 where the eyes of the faces in DATA are.

    OUT gets boxes.json, eyes.json and splits.json, for the recipe eyes. Faces without a box in the
    index.csv of DATA are looked for by the face network. Whatever is not plausible is left without eyes.
    """
    from kyara.dataset.eyes import collect_eyes
    from kyara.dataset.manifest import read_manifest
    from kyara.vision.detectors.base import open_detector

    faces = [face for folder in data for face in read_manifest(folder).faces]
    count = min(most, len(faces))
    with (
        open_detector("network") as finder,
        open_detector("animeface-2009", threshold=0.0, tell=click.echo) as asked,
        show_progress("Asking", count) as progress,
    ):
        told = collect_eyes(faces, out, finder, asked, most=most, seed=seed, progress=progress)
    click.echo(f"{told} of {count} faces have eyes. {out}")
