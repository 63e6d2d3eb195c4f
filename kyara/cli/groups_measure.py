"""`groups measure`: how well faces are grouped, on a dataset whose characters are known."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.identify_output import echo
from kyara.cli.options import cache_option, json_option, model_option, print_json, show_bar
from kyara.dataset.library.groups.linking import METHODS

if TYPE_CHECKING:
    from kyara.recognition.bundle import Bundle

FALLBACK_LEAST = 0.45
"""Of a model without references of several characters."""
least_option: Any = click.option(
    "--least",
    type=click.FloatRange(-1, 1),
    help="Average cosine from which faces are put together.  [default: what 1 in 1,000 pairs of "
    "different characters of the model reach]",
)
method_option: Any = click.option(
    "--method",
    type=click.Choice(METHODS),
    default=METHODS[0],
    help="average: average linkage. hdbscan: needs kyara[library].",
)


def choose_least(bundle: Bundle) -> float:
    """Return the average cosine from which faces of a model are put together."""
    from kyara.recognition.ranking import GROUPED_SHARE, find_alike_from

    found = find_alike_from(bundle, GROUPED_SHARE)
    return FALLBACK_LEAST if found is None else found


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--split", help="Of the dataset.  [default: all]")
@click.option("--kind", help="Only drawings of this kind, where the index tells the kind.")
@click.option("--work", "works", multiple=True, help="Only faces of this series' folder.")
@method_option
@least_option
@model_option
@cache_option
@json_option
def measure(
    data: tuple[Path, ...],
    split: str | None,
    kind: str | None,
    works: tuple[str, ...],
    method: str,
    least: float | None,
    model: Path | None,
    cache: Path,
    as_json: bool,
) -> None:
    """Group the faces of DATA (datasets as `train` takes them) as if nobody knew them, and measure it.

    Names and references of the model play no part, so its own characters can be asked, too; whether its
    network was trained on them is for you to know. Needs kyara[train].
    """
    from kyara.dataset.library.answering import choose_answerer
    from kyara.dataset.library.groups.linking import group_faces
    from kyara.dataset.library.tables import EMBEDDING
    from kyara.dataset.manifest import read_manifests
    from kyara.errors import BadInputError
    from kyara.evaluation.grouping import measure_groups
    from kyara.recognition.backbone import load_backbone
    from kyara.recognition.embeddings import extract_cached
    from kyara.recognition.gallery import scale_to_unit

    manifest = read_manifests(data)
    faces = manifest.of_split(split) if split else list(manifest.faces)
    faces = [one for one in faces if kind is None or one.kind == kind]
    faces = [one for one in faces if not works or one.label.partition("/")[0] in works]
    if len(faces) < 2:
        raise BadInputError(f"There are {len(faces)} such faces; at least two are needed.")
    bundle = choose_answerer(model).bundle
    with show_bar(len(faces), "Looking") as bar:
        paths, boxes = [one.path for one in faces], [one.box for one in faces]
        rows = extract_cached(load_backbone(bundle), paths, cache, bar.update, boxes)
    unit = scale_to_unit(rows.astype(EMBEDDING).astype("f4"))  # as a library keeps them
    least = choose_least(bundle) if least is None else least
    since = time.perf_counter()
    groups = group_faces(unit, least, method)
    seconds = time.perf_counter() - since
    measured = measure_groups(groups, [one.label for one in faces])
    how = {"method": method, "least": least, "seconds": round(seconds, 3)}
    if as_json:
        print_json(
            {"model": {"name": bundle.name, "version": bundle.version}, **how} | measured.to_json()
        )
        return
    for name, value in {**how, **measured.to_json()}.items():
        echo(f"{name.replace('_', ' '):20} {value}")
