"""The dashboard: what waits for an operator, and which model serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import render_template
from flask_babel import gettext as _

from kyara.errors import BundleError
from kyara.recognition.bundle import METRICS_FILE
from kyara.recognition.classifier import Classifier
from kyara.web.operator.guard import blueprint
from kyara.web.operator.messages import name_states
from kyara.web.public.reports import find_reports
from kyara.web.serving.model_queue import find_model


@blueprint.get("/")
def show_dashboard() -> str:
    """Show counts of reports by state, the serving model with its figures, and the taught characters."""
    try:
        model = describe_model(find_model().classifier.frozen())
    except BundleError as error:
        model = {"problem": str(error)}
    return render_template(
        "operator/dashboard.html",
        counts=find_reports().count_by_state(),
        states=name_states(),
        model=model,
    )


def describe_model(classifier: Classifier) -> dict[str, Any]:
    """Return name, version, characters, taught ones, and what evaluation measured, if it did."""
    bundle = classifier.bundle
    taught = classifier.taught
    return {
        "name": bundle.name,
        "version": bundle.version,
        "characters": len(classifier.characters),
        "taught": len(taught),
        "references": sum(map(len, taught.values())),
        "figures": read_figures(bundle.backbone.parent),
    }


def read_figures(folder: Path) -> list[tuple[str, str]]:
    """Return the bundle's measured figures as people read them; empty if there are none."""
    try:
        metrics = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(metrics, dict):
        return []
    figures = {
        "top1": _("First answer right"),
        "top5": _("Among the five"),
        "macro_f1": _("Macro-F1"),
        "ece": _("Calibration error"),
    }
    return [
        (text, f"{value:.3f}" if key in ("ece", "macro_f1") else f"{value:.1%}")
        for key, text in figures.items()
        if isinstance(value := metrics.get(key), int | float)
    ]
