"""What one check finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One sentence on what is there, and one on what to do.

    Attributes:
        state: `ok`; `warning`, where the site works but could do better; `problem`, where it does not.
        found: what was found.
        advice: what to do; empty where nothing is to be done.
    """

    state: str
    found: str
    advice: str = ""


def fine(found: str) -> Finding:
    """All is well."""
    return Finding("ok", found)


def warning(found: str, advice: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding("warning", found, advice)


def problem(found: str, advice: str) -> Finding:
    """Something does not work."""
    return Finding("problem", found, advice)
