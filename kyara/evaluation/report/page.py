"""Last stage of evaluation: results → one HTML page that holds everything it needs.

The templates are in templates/. Text from a dataset goes through Jinja's escaping; data for
the script is JSON in a `<script type="application/json">`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kyara.evaluation.measuring import trace_separators
from kyara.evaluation.metrics import ThresholdCurve, measure_auroc, trace_roc, trace_thresholds
from kyara.evaluation.pictures import SURE, PicturesEvaluation, list_wrong_names
from kyara.evaluation.queries import Answered
from kyara.evaluation.report import mistakes, plots
from kyara.evaluation.report.matrix import build_matrix
from kyara.evaluation.running import Evaluation
from kyara.evaluation.tagging import TagEvaluation
from kyara.evaluation.unknowns import Separation
from kyara.storage.html import render_page
from kyara.vision.images import inline_picture

_TEMPLATES = Path(__file__).parent / "templates"
SEPARATOR_NAMES = {
    "top": "the highest confidence",
    "gap": "the gap between the two best",
    "spread": "the spread (standard deviation) of all",
}
MOST_WRONG_NAMES = 60
TABLE_ROWS = 11
"""Rows of a table that says what a plot shows."""


Measured = Evaluation | TagEvaluation | PicturesEvaluation


def write_report(evaluation: Measured, command: str, path: Path) -> None:
    """Write the report."""
    path.write_text(render_report(evaluation, command), encoding="utf-8")


def render_report(evaluation: Measured, command: str) -> str:
    """Return the report as HTML; see `write_report`."""
    if isinstance(evaluation, TagEvaluation):
        template, parts = "tags.html", _build_tags(evaluation)
    elif isinstance(evaluation, PicturesEvaluation):
        template, parts = "pictures.html", _build_pictures(evaluation)
    else:
        template, parts = "report.html", _build_parts(evaluation)
    values = {
        "metrics": evaluation.metrics,
        "bundle": evaluation.classifier.bundle,
        "command": command,
        "day": datetime.date.today().isoformat(),
        "report_js": (_TEMPLATES / "report.js").read_text(encoding="utf-8"),
        **parts,
    }
    return render_page(_TEMPLATES / template, values, filters={"percent": _as_percent})


def _as_percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def _build_pictures(evaluation: PicturesEvaluation) -> dict[str, Any]:
    wrong = list_wrong_names(evaluation.looked)
    names = {c.label: c.name_in("en") if c.name else c.label for c in evaluation.classifier.characters}
    bins = evaluation.metrics["details"]["calibration_bins"]
    shown = [
        {
            "picture": inline_picture(one.path, face.box),
            "source": one.path.name,
            "truth": names.get(one.label, one.label),
            "name": names[answer.label],
            "label": answer.label,
            "confidence": answer.confidence,
        }
        for one, face in wrong[:MOST_WRONG_NAMES]
        for answer in face.said.answers[:1]
    ]
    alt = "Reliability diagram of the surest face of each picture."
    return {
        "wrong": shown,
        "wrong_count": len(wrong),
        "sure": SURE,
        "sure_key": f"from {SURE}",
        "reliability": plots.draw_reliability(bins, [], alt) if bins else None,
        "curves": {},
        "separator_names": {},
    }


def _build_parts(evaluation: Evaluation) -> dict[str, Any]:
    album, answered = mistakes.Album(evaluation), evaluation.answered
    details = evaluation.metrics["details"]
    served = [one for one in evaluation.separations if one.gallery == evaluation.metrics["gallery"]]
    return {
        "pairs": mistakes.list_pairs(album, answered),
        "panel": mistakes.draw_panel(album, answered),
        "strange": mistakes.list_strange(album, answered),
        "familiar": [(one.name, mistakes.list_familiar(album, one)) for one in served],
        "cut": mistakes.list_box_mistakes(album, evaluation.cut) if evaluation.cut else [],
        "matrix": build_matrix(answered, lambda label: album.person(label).name),
        "reliability": plots.draw_reliability(
            details["calibration_bins"],
            details["without_temperature"]["calibration_bins"],
            f"Reliability diagram: expected calibration error {evaluation.metrics['ece']:.3f}.",
        ),
        "thresholds": _draw_thresholds(answered, details["thresholds"]),
        "separator_names": SEPARATOR_NAMES,
        "roc": _draw_roc(evaluation.separations),
        "familiarity": [_draw_open_set_scores(one) for one in served],
        "people": {label: album.person(label) for label in details["characters"]},
        "curves": _list_curves(answered),
    }


def _draw_thresholds(answered: Answered, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    drawn = []
    for name, curve in trace_separators(answered).items():
        words = SEPARATOR_NAMES[name]
        best = measured[name]["best"]
        alt = f"Precision, recall and F1 against a threshold on {words}; best F1 {best['f1']:.3f}."
        plot = plots.draw_threshold_curve(curve, words, alt)
        drawn.append({"name": name, "plot": plot, "rows": _thin_rows(measured[name]["curve"])})
    return drawn


def _draw_roc(separations: tuple[Separation, ...]) -> Any:
    if not separations:
        return None
    curves, areas = {}, []
    for one in separations:
        name = one.name if one.gallery else f"{one.name}, without gallery"
        curves[name] = trace_roc(one.known, one.unknown)[:2]
        areas.append(f"{measure_auroc(one.known, one.unknown):.3f} ({name})")
    alt = f"Receiver operating characteristic; area under the curve {', '.join(areas)}."
    return plots.draw_roc(curves, alt)


def _draw_open_set_scores(one: Separation) -> dict[str, Any]:
    numbers = one.to_json()
    alt = (
        f"Open-set scores of known faces and of {one.name}. Above the threshold lie "
        f"{_as_percent(numbers['known_accepted'])} of the known and "
        f"{_as_percent(1 - numbers['unknown_rejected'])} of the strangers."
    )
    plot = plots.draw_open_set_scores(one.known, one.unknown, one.threshold, alt)
    return {"name": one.name, "plot": plot}


def _thin_rows(curve: Mapping[str, list[float]]) -> list[tuple[float, ...]]:
    """Turn a curve into at most `TABLE_ROWS` rows of threshold, precision, recall, F1."""
    rows = list(zip(*(curve[name] for name in ("thresholds", "precision", "recall", "f1")), strict=True))
    step = max(1, -(-len(rows) // TABLE_ROWS))
    return rows[::step]


def _list_curves(answered: Answered) -> dict[str, dict[str, list[list[float]]]]:
    """Return each character's curves for the script: separator → thresholds, precision, recall, F1."""
    curves: dict[str, dict[str, list[list[float]]]] = {}
    for column in sorted(set(answered.targets.tolist())):
        traced = trace_separators(answered, column)
        curves[answered.labels[column]] = {name: _pack(curve) for name, curve in traced.items()}
    return curves


def _pack(curve: ThresholdCurve) -> list[list[float]]:
    parts = (curve.thresholds, curve.precision, curve.recall, curve.f1)
    return [[round(float(value), 3) for value in part] for part in parts]


def _build_tags(evaluation: TagEvaluation) -> dict[str, Any]:
    details, truth = evaluation.metrics["details"], evaluation.truth
    everything = trace_thresholds(evaluation.probabilities.ravel(), truth.ravel(), int(truth.sum()))
    curves = {}
    for column, label in enumerate(evaluation.labels):
        own = trace_thresholds(
            evaluation.probabilities[:, column], truth[:, column], int(truth[:, column].sum())
        )
        curves[label] = {"probability": _pack(own)}
    names = {c.label: c.name_in("en") for c in evaluation.classifier.characters}
    alt = f"Precision against recall over all labels; best F1 {everything.f1.max():.3f}."
    return {
        "plot": plots.draw_precision_recall(everything, float(truth.mean()), alt),
        "rows": _thin_rows(details["curve"]),
        "names": names,
        "panel": mistakes.draw_tag_panel(evaluation, names),
        "curves": curves,
        "separator_names": {"probability": "the probability"},
    }
