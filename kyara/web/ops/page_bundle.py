"""The visitors' page loads its scripts as one file, which set-up makes of them.

The bundle says in its first line which scripts it was made of: if one has changed since, the page loads
each by itself, until set-up has run again. Set-up imports this module where Flask is not installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from kyara.storage.rereading import read_once

MODULES = "js/"
"""Scripts import each other by relative paths: they share one version."""
PAGE_SCRIPT = "js/page/main.js"
PAGE_BUNDLE = "built/page.js"
"""All that PAGE_SCRIPT imports, in one file; its first line is what `mark_bundle` gives."""


@read_once
def hash_content(path: Path) -> str:
    """Return the hash that names a file's content as it is now: 32 hexadecimal digits.

    Raises:
        OSError: there is no such file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def hash_scripts(folder: Path) -> dict[Path, str]:
    """Return the hash of each script below a static folder, as it is now."""
    return {path: hash_content(path) for path in sorted((folder / MODULES).rglob("*.js"))}


def join_hashes(folder: Path, hashes: Mapping[Path, str]) -> str:
    """Return the version that scripts have together: 12 hexadecimal digits."""
    lines = [f"{path.relative_to(folder)} {content}\n" for path, content in hashes.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def mark_bundle(version: str) -> str:
    """Return the first line of a bundle that was made of scripts of a version."""
    return f"/* {version} */"


def choose_page_script(folder: Path, version: str) -> str:
    """Return what the page loads, by its path in a static folder whose scripts are of a version."""
    try:
        is_of_today = _read_mark(folder / PAGE_BUNDLE) == mark_bundle(version)
    except OSError:
        return PAGE_SCRIPT
    return PAGE_BUNDLE if is_of_today else PAGE_SCRIPT


@read_once
def _read_mark(bundle: Path) -> str:
    with bundle.open(encoding="utf-8") as file:
        return file.readline().rstrip("\n")
