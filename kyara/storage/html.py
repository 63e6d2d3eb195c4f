"""HTML files that need nothing else: templates in, one page with its own style out."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_SHARED = Path(__file__).parent / "templates"


def open_templates(*folders: Path) -> Environment:
    """Return an environment that finds templates in these folders.

    Text is escaped, and a value that is not given is an error.
    """
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_report_style() -> str:
    """Return the style that reports share, as CSS."""
    return (_SHARED / "report.css").read_text(encoding="utf-8")
