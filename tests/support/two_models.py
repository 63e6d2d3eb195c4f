"""Two bundles that no answer can mix up: copies of the tiny one under labels of their own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from kyara.recognition.bundle import Bundle, load_bundle, save_bundle

FIRST, SECOND = "first", "second"


def rename_everybody(bundle: Bundle, prefix: str) -> Bundle:
    """Return a bundle with the same answers under other labels."""
    characters = tuple(replace(one, label=f"{prefix}/{one.label}") for one in bundle.characters)
    return replace(bundle, characters=characters)


def write_two_models(tiny_bundle: Path, models: Path) -> tuple[Bundle, Bundle]:
    """Write both into a model folder; none serves."""
    bundle = load_bundle(tiny_bundle)
    return (
        save_bundle(rename_everybody(bundle, FIRST), models / FIRST),
        save_bundle(rename_everybody(bundle, SECOND), models / SECOND),
    )


def copy_model(tiny_bundle: Path, models: Path, name: str) -> Path:
    """Copy the tiny bundle, its metrics too."""
    shutil.copytree(tiny_bundle, models / name)
    return models / name
