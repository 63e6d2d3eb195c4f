"""Promotion through the gate: a candidate is compared with what serves, then it is promoted.

The command line and the operators' page both promote through here. It measures nothing itself: it is
given a comparison, or reads one that was made before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kyara.errors import BundleError
from kyara.recognition.bundle import METRICS_FILE, Bundle
from kyara.registry import Models, Registry, load_named_bundle
from kyara.registry.gate import (
    COMPARISON_FILE,
    FORCE_HINT,
    GateError,
    Tolerances,
    compare_metrics,
    read_comparison,
    refuse,
)
from kyara.storage.atomic import read_json_object

Judge = Callable[[Bundle, Bundle], list[str]]
"""Takes the bundle that serves and the candidate; returns a sentence for everything that fell."""


def promote_candidate(
    name: str, models: Models, judge: Judge, *, reason: str = "", operator: str = ""
) -> Bundle:
    """Make a candidate serve if it is not worse than what serves; the first one needs no comparison.

    Args:
        name: of the candidate's folder.
        models: the candidate is in their folder.
        judge: compares; may take long, and nobody is kept waiting meanwhile.
        reason: why it is to serve although it is worse: it goes into the history, with what fell.
        operator: whose decision it is, where that is known.

    Returns:
        The bundle that serves now.

    Raises:
        GateError: it is worse, cannot be compared, or another promotion came in between.
        BundleError: it cannot be loaded. Whatever is raised, what served goes on serving.
    """
    registry = models.read()
    candidate = load_named_bundle(name, models.folder)
    note: dict[str, Any] = {"operator": operator} if operator else {}
    if registry.serving:
        try:
            regressions = _judge(registry, models, candidate, judge)
        except GateError as error:
            if not reason:
                raise
            regressions = [str(error)]
        if reason:
            note |= {"forced": reason, "falls": regressions}
        else:
            refuse(name, regressions)

    def check(serving: str, version: str) -> None:
        if (serving, version) != (registry.serving, candidate.version):
            raise GateError("Another promotion came in between; look at what serves now and try again.")

    return models.promote(name, check=check, note=note)


def _judge(registry: Registry, models: Models, candidate: Bundle, judge: Judge) -> list[str]:
    version = registry.history[-1].get("version") if registry.history else None
    if candidate.name == registry.serving:
        if candidate.version == version:
            return []
        raise GateError(
            f"{candidate.name} was replaced while it served, so there is nothing to compare it with; "
            f"train under another name. {FORCE_HINT}"
        )
    try:
        serving = models.load_serving()
    except BundleError as error:
        raise GateError(f"What serves cannot be loaded to compare with: {error} {FORCE_HINT}") from error
    return judge(serving, candidate)


def judge_stored(serving: Bundle, candidate: Bundle, tolerances: Tolerances | None = None) -> list[str]:
    """Compare two bundles by what was measured before; see `Judge`.

    The candidate's own comparison with this serving bundle decides (`retrain` writes it), else the
    `metrics.json` of both.

    Raises:
        GateError: they were never measured on the same drawings.
    """
    tolerances = tolerances or Tolerances()
    stored = read_stored_comparison(candidate)
    if stored is not None:
        regressions = read_comparison(stored, (serving.version, candidate.version), tolerances)
        if regressions is not None:
            return regressions
    before, after = _read_metrics(serving), _read_metrics(candidate)
    return compare_metrics(before, after, tolerances)


def read_stored_comparison(bundle: Bundle) -> dict[str, Any] | None:
    """Return what a candidate's `comparison.json` says; None if there is none of this version."""
    stored = read_json_object(bundle.backbone.parent / COMPARISON_FILE)
    mine = stored.get("candidate")
    return stored if isinstance(mine, dict) and mine.get("version") == bundle.version else None


def _read_metrics(bundle: Bundle) -> dict[str, Any]:
    metrics = read_json_object(bundle.backbone.parent / METRICS_FILE)
    if metrics.get("model_version") != bundle.version:
        raise GateError(
            f"{bundle.name} has no metrics.json of its version {bundle.version}: give --data DATA with "
            "held-out drawings, on which both bundles are measured now."
        )
    return metrics
