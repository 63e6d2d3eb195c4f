"""HTML files that need nothing else: a template, its styles and values in, one page out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

REPORT_STYLE = Path(__file__).parent / "templates" / "report.css"
"""The style that reports share."""


def render_page(
    template: Path,
    values: Mapping[str, Any],
    *,
    styles: Sequence[Path] = (REPORT_STYLE,),
    filters: Mapping[str, Callable[..., Any]] | None = None,
    folders: Sequence[Path] = (),
) -> str:
    """Render a page. Text is escaped, and a value that is not given is an error.

    Args:
        template: its file; it finds others beside it.
        values: what it shows; `style` is added to them.
        styles: CSS files, which become `style`.
        filters: of the template, beside `csp_hash`.
        folders: where else templates are found.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.add_extension("jinja2.ext.i18n")
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # English
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    environment.filters.update({"csp_hash": _hash_inline, **(filters or {})})
    style = "".join(path.read_text(encoding="utf-8") for path in styles)
    return environment.get_template(template.name).render(values, style=style)


def _hash_inline(text: str) -> str:
    """Return what a Content-Security-Policy calls an inline script or style that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
