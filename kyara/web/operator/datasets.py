"""The dataset that grows: how much there is of each character, and the versions that were trained on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint
from flask import current_app, render_template

from kyara.dataset.folder import INBOX_FOLDER, VERSIONS_FOLDER, list_faces_below, read_index
from kyara.dataset.review.labelling.counts import count_characters
from kyara.storage.atomic import read_json_object
from kyara.web.review import find_names

SHOWN_VERSIONS = 20
SPLITS = ("train", "val", "test")

blueprint = APIBlueprint(
    "dataset_pages", __name__, url_prefix="/operator/datasets", enable_openapi=False
)


@blueprint.get("")
def show_datasets() -> str:
    """Show the counts of each character, those with too little first, and the newest versions."""
    dataset = Path(current_app.config["DATASET_FOLDER"])
    index, known = read_index(dataset), find_names()
    splits = Counter((row.label, row.split) for row in index)
    rows = [
        {
            "label": one.label,
            "name": known.say(one.label),
            "drawings": one.drawings,
            "sources": one.sources,
            "splits": [splits[one.label, split] for split in SPLITS],
            "warnings": one.warnings,
        }
        for one in count_characters(index)
    ]
    rows.sort(key=lambda row: (not row["warnings"], row["name"]))
    return render_template(
        "operator/datasets.html",
        folder=dataset,
        inbox=len(list_faces_below(dataset / INBOX_FOLDER)),
        rows=rows,
        totals=[sum(row["splits"][place] for row in rows) for place in range(len(SPLITS))],
        versions=list_versions(dataset),
    )


def list_versions(dataset: Path) -> list[dict[str, Any]]:
    """Return the newest dataset versions: `id` and how many `faces` each has."""
    paths = sorted(
        (dataset / VERSIONS_FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    return [
        {"id": path.stem, "faces": len(read_json_object(path).get("files", ()))}
        for path in paths[:SHOWN_VERSIONS]
    ]
