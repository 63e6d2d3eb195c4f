"""Last stage of inspection: findings → one HTML page that holds everything it needs."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path

from markupsafe import Markup, escape

from kyara.dataset.check.findings import Inspection
from kyara.storage.html import REPORT_STYLE, render_page
from kyara.vision.images import inline_picture

_TEMPLATES = Path(__file__).parent / "templates"
MOST_SHOWN = 100
"""Findings of a kind that the page shows; check.json has them all."""
MOST_OF_A_GROUP = 12
"""Pictures of one group of copies that the page shows."""
KINDS = {
    "leaks": "the same drawing in several splits",
    "divided_groups": "groups divided between splits",
    "conflicting_labels": "the same drawing under several labels",
    "suspects": "pictures that look like another character",
    "similar_labels": "labels that only case or width tell apart",
    "unreadable": "files that cannot be read",
    "plain": "pictures with nothing in them",
    "tiny": "tiny pictures",
    "exact_duplicates": "files that stand there twice or more",
    "near_duplicates": "drawings in several versions",
    "few_pictures": "characters with few pictures",
}
"""Kind of finding → what people read, the gravest first."""


def describe_findings(inspection: Inspection) -> list[str]:
    """Return a line for each kind of finding that there is."""
    counts = inspection.count()
    return [f"{counts[kind]:>6}  {words}" for kind, words in KINDS.items() if counts.get(kind)]


def write_report(inspection: Inspection, model: str | None, path: Path) -> None:
    """Write the page."""
    path.write_text(render_report(inspection, model), encoding="utf-8")


def render_report(inspection: Inspection, model: str | None) -> str:
    """Return the page as HTML; see `write_report`."""
    values = {
        "inspection": inspection,
        "counts": inspection.count(),
        "kinds": KINDS,
        "splits": sorted(Counter(face.split for face in inspection.faces).items()),
        "labels": len({face.label for face in inspection.faces}),
        "model": model,
        "inline": inline_picture,
        "most": MOST_SHOWN,
        "most_of_a_group": MOST_OF_A_GROUP,
        "day": datetime.date.today().isoformat(),
    }
    styles = (REPORT_STYLE, _TEMPLATES / "check.css")
    filters = {"breakable": _allow_breaks}
    return render_page(_TEMPLATES / "check.html", values, styles=styles, filters=filters)


def _allow_breaks(text: str) -> Markup:
    """Let a browser break a path or label where a person would."""
    safe = str(escape(text))
    return Markup(  # nosec B704 # escaped above
        safe.replace("/", "/<wbr>").replace("_", "_<wbr>").replace("-", "-<wbr>").replace(".", "<wbr>.")
    )
