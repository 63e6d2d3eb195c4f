"""Packages that the core does without: which extra brings them, in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

from kyara.storage.paths import IS_INSTALLED, ROOT

EXTRAS = {
    "detect": "requirements-detect.txt",
    "heif": "requirements-heif.txt",
    "train": "requirements.txt",
    "scale": "requirements-scale.txt",
    "bulk": "requirements-bulk.txt",
    "library": "requirements-library.txt",
    "client": "requirements-client.txt",
    "mcp": "requirements-mcp.txt",
}
"""Extra -> the file that lists its packages; setup.py reads the same files."""
MODULES = {
    "av": "detect",
    "cv2": "detect",
    "pillow_heif": "heif",
    "keras": "train",
    "matplotlib": "train",
    "sklearn": "train",
    "tensorboard": "train",
    "tensorflow": "train",
    "tensorflow_hub": "train",
    "fsspec": "scale",
    "psycopg": "scale",
    "redis": "scale",
    "s3fs": "scale",
    "ray": "bulk",
    "exiv2": "library",
    "pathvalidate": "library",
    "watchfiles": "library",
    "httpx": "client",
    "mcp": "mcp",
}
"""Module -> the extra that brings it."""


def name_install(extra: str) -> str:
    """Return the command that brings an extra: `pip install "kyara[detect]"`, say."""
    if IS_INSTALLED:
        return f'pip install "kyara[{extra}]"'
    return f"{_name_python()} -m pip install -r {EXTRAS[extra]}"


def _name_python() -> str:
    """Return the Python that runs, as it is called from the checkout."""
    python = Path(sys.executable)
    return str(python.relative_to(ROOT)) if python.is_relative_to(ROOT) else str(python)


def explain_missing(error: ImportError) -> str:
    """Return one sentence on what is missing and how to install it; empty for a module of no extra."""
    module = (error.name or "").partition(".")[0]
    extra = MODULES.get(module)
    if extra is None or not isinstance(error, ModuleNotFoundError):
        return ""
    return f"This needs the package {module}, which is not installed: `{name_install(extra)}` brings it."


def explain_bare(error: ImportError) -> str:
    """Return what to do where not even the site's packages are there; empty for a module of ours."""
    module = (error.name or "").partition(".")[0]
    if not module or module == "kyara":
        return ""
    if IS_INSTALLED:
        what = "`pip install --force-reinstall kyara` brings what is missing."
    elif (ROOT / ".venv" / "bin" / "python").exists():
        what = "`.venv/bin/python -m kyara` has them."
    else:
        what = "`make run` brings them; then use `.venv/bin/python -m kyara`."
    return f"{sys.executable} has no package {module}, which Kyara needs, and perhaps others: {what}"
