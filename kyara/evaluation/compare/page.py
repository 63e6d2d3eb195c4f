"""The comparison as one HTML page that needs nothing else: no script, its own style.

Its body is a template of the site (`templates/operator/comparison_body.html`), which the operator's page
shows, too, with the site's style.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kyara.registry.gate import COMPARISON_FILE
from kyara.storage.atomic import replace_file
from kyara.storage.html import render_page
from kyara.storage.paths import ROOT

PAGE_FILE = "comparison.html"
_TEMPLATE = Path(__file__).parent / "templates" / "comparison.html"


def write_comparison(comparison: Mapping[str, Any], folder: Path) -> None:
    """Write `comparison.json` and `comparison.html`.

    Args:
        comparison: what `compare_bundles` returns.
        folder: it is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(comparison, ensure_ascii=False, indent=1) + "\n"
    replace_file(folder / COMPARISON_FILE, text)
    replace_file(folder / PAGE_FILE, render_comparison(comparison))


def render_comparison(comparison: Mapping[str, Any]) -> str:
    """Return the comparison as HTML; see `write_comparison`."""
    return render_page(_TEMPLATE, {"comparison": comparison}, styles=[], folders=[ROOT / "templates"])
