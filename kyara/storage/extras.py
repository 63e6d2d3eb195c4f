"""Packages that the core does without: which extra brings them, in one sentence."""

from __future__ import annotations

from kyara.storage.paths import IS_INSTALLED

EXTRAS = {
    "detect": "requirements-detect.txt",
    "train": "requirements.txt",
    "scale": "requirements-scale.txt",
    "bulk": "requirements-bulk.txt",
}
"""Extra -> the file that lists its packages; setup.py reads the same files."""
MODULES = {
    "av": "detect",
    "cv2": "detect",
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
}
"""Module -> the extra that brings it."""


def name_install(extra: str) -> str:
    """Return the command that brings an extra: `pip install "kyara[detect]"`, say."""
    return f'pip install "kyara[{extra}]"' if IS_INSTALLED else f"pip install -r {EXTRAS[extra]}"


def explain_missing(error: ImportError) -> str:
    """Return one sentence on what is missing and how to install it; empty for a module of no extra."""
    module = (error.name or "").partition(".")[0]
    extra = MODULES.get(module)
    if extra is None or not isinstance(error, ModuleNotFoundError):
        return ""
    return f"This needs the package {module}, which is not installed: `{name_install(extra)}` brings it."
