"""What an operator sees of the bundles under the model folder, without loading any of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kyara.recognition.bundle import MANIFEST_FILE, METRICS_FILE
from kyara.registry import Models
from kyara.registry.gate import COMPARISON_FILE
from kyara.storage.atomic import read_json_object

FIGURES = ("top1", "top5", "macro_f1", "ece")
_HASH_CHARACTERS = 12
_described: dict[Path, tuple[tuple[int, ...], dict[str, Any]]] = {}
"""What was read before, by the times of the files it came from."""


def list_bundles(models: Path) -> list[dict[str, Any]]:
    """Describe every bundle: the newest first.

    Returns:
        For each `name`, `version`, `characters` (how many), `recipe`, `dataset_version`, `figures`, and
        `comparison` (with whom, and what fell) or None.
    """
    found = []
    for path in models.glob(f"*/{MANIFEST_FILE}"):
        folder = path.parent
        if folder.name.endswith((".partial", ".old")):
            continue
        times = tuple(
            _read_time(folder / file) for file in (MANIFEST_FILE, METRICS_FILE, COMPARISON_FILE)
        )
        known = _described.get(folder)
        if known is None or known[0] != times:
            described = _describe(folder)
            if described is None:
                continue
            known = _described[folder] = (times, described)
        found.append((times[0], known[1]))
    found.sort(key=lambda pair: (-pair[0], pair[1]["name"]))
    return [described for _, described in found]


def describe_registry(models: Models) -> dict[str, Any]:
    """Return `serving`, `history` (the newest step first), and the name that a rollback would restore.

    Raises:
        BundleError: the registry cannot be read.
    """
    registry = models.read()
    standing = registry.list_standing()
    before = str(standing[-2]["name"]) if len(standing) > 1 else ""
    return {
        "serving": registry.serving,
        "history": [dict(step) for step in reversed(registry.history)],
        "before": before,
    }


def read_comparison_page(models: Path, name: str) -> dict[str, Any] | None:
    """Return the stored comparison of a bundle; None where there is none."""
    if Path(name).name != name:
        return None
    return read_json_object(models / name / COMPARISON_FILE) or None


def _describe(folder: Path) -> dict[str, Any] | None:
    try:
        raw = (folder / MANIFEST_FILE).read_bytes()
        manifest = json.loads(raw)
        provenance = manifest.get("provenance", {})
        characters = len(manifest["characters"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    version = hashlib.sha256(raw).hexdigest()[:_HASH_CHARACTERS]
    metrics = read_json_object(folder / METRICS_FILE)
    figures = {name: metrics[name] for name in FIGURES if isinstance(metrics.get(name), int | float)}
    return {
        "name": folder.name,
        "version": version,
        "characters": characters,
        "recipe": str(provenance.get("recipe", "")),
        "dataset_version": str(provenance.get("dataset_version", "")),
        "figures": figures,
        "comparison": _summarise(read_json_object(folder / COMPARISON_FILE), version),
    }


def _summarise(comparison: dict[str, Any], version: str) -> dict[str, Any] | None:
    try:
        if comparison["candidate"]["version"] != version:
            return None
        return {
            "serving": comparison["serving"]["name"],
            "serving_version": comparison["serving"]["version"],
            "drawings": comparison["data"]["drawings"],
            "falls": [str(fall) for fall in comparison["falls"]],
            "changed": dict(comparison["changed_counts"]),
        }
    except (KeyError, TypeError):
        return None


def _read_time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
