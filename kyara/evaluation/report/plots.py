"""Plots of the report: matplotlib's SVG, inlined, in the page's own colours and font.

Every colour is a CSS variable of the page, so a plot follows light and dark like the text around it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kyara.evaluation.measuring import choose_places
from kyara.evaluation.metrics import ThresholdCurve

# Stand-ins that matplotlib can draw with; `_render` puts the page's variables in their place.
INK, MUTED, GRID, FIRST, SECOND, THIRD = "#010203", "#010204", "#010205", "#010206", "#010207", "#010208"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    FIRST: "--first",
    SECOND: "--second",
    THIRD: "--third",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}
SIZE_INCHES = (4.6, 3.1)
CURVE_POINTS = 200
DASHES = {"precision": "-", "recall": "--", "f1": "-"}


def draw_reliability(
    bins: Sequence[Mapping[str, float]], plain: Sequence[Mapping[str, float]], alt: str
) -> Markup:
    """Draw accuracy against confidence, as served and without temperature scaling.

    Args:
        bins: of `metrics.measure_calibration`, as served.
        plain: the same without temperature scaling; may be empty.
        alt: what the plot says, for who cannot see it.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    with rc_context(_STYLE):
        figure, axes = _open("confidence", "share that is right")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="honest")
        for entries, colour, style, name in (
            (plain, SECOND, "--", "without temperature"),
            (bins, FIRST, "-", "as served"),
        ):
            if not entries:
                continue
            x, y = [b["confidence"] for b in entries], [b["accuracy"] for b in entries]
            axes.plot(x, y, style, color=colour, linewidth=1.6, label=name)
        largest = max(entry["count"] for entry in bins)
        for entry in bins:
            size = 8 + 90 * entry["count"] / largest
            axes.scatter(entry["confidence"], entry["accuracy"], s=size, color=FIRST, zorder=3)
        axes.legend(loc="upper left")
        _limit(axes)
        return _render(figure, "reliability", alt)


def draw_threshold_curve(curve: ThresholdCurve, name: str, alt: str) -> Markup:
    """Draw precision, recall and F1 against a threshold, and mark the best F1."""
    with rc_context(_STYLE):
        figure, axes = _open(f"threshold on {name}", "")
        places = choose_places(len(curve.thresholds), CURVE_POINTS)
        for part, colour in (("precision", SECOND), ("recall", THIRD), ("f1", FIRST)):
            values = getattr(curve, part)[places]
            label = "F1" if part == "f1" else part
            axes.plot(curve.thresholds[places], values, DASHES[part], color=colour, label=label)
        axes.axvline(curve.thresholds[curve.best], color=MUTED, linewidth=1, linestyle=":")
        axes.set_ylim(0, 1.02)
        axes.legend(loc="best")
        return _render(figure, f"threshold {name}", alt)


def draw_roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], alt: str) -> Markup:
    """Draw receiver operating characteristics, with the line of 95% true positives.

    Args:
        curves: name → false and true positive rates, `float (T,)` each; at most four.
        alt: what the plot says, for who cannot see it.
    """
    with rc_context(_STYLE):
        figure, axes = _open("strangers taken for known", "known faces accepted")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        axes.axhline(0.95, color=MUTED, linewidth=1, linestyle=":")
        styles = zip((FIRST, SECOND, THIRD, MUTED), ("-", "--", "-.", (0, (1, 1))), strict=True)
        for (name, (false_rate, true_rate)), (colour, style) in zip(
            curves.items(), styles, strict=False
        ):
            places = choose_places(len(false_rate), CURVE_POINTS)
            axes.plot(false_rate[places], true_rate[places], linestyle=style, color=colour, label=name)
        axes.legend(loc="lower right")
        _limit(axes)
        return _render(figure, "roc", alt)


def draw_open_set_scores(known: np.ndarray, unknown: np.ndarray, threshold: float, alt: str) -> Markup:
    """Plot the open-set scores of known and unknown faces, with the threshold.

    Args:
        known: `float (N,)`.
        unknown: `float (M,)`.
        threshold: of the bundle; a bundle that accepts everybody has an infinite one.
        alt: what the plot says, for who cannot see it.
    """
    with rc_context(_STYLE):
        figure, axes = _open("open-set score", "share of the faces")
        both = np.concatenate([known, unknown])
        edges = np.linspace(both.min(), max(both.max(), both.min() + 1e-6), 41)
        for values, colour, fill, name in (
            (unknown, SECOND, 0.25, "strangers"),
            (known, FIRST, 0.25, "known"),
        ):
            heights = np.histogram(values, edges)[0] / len(values)
            axes.stairs(heights, edges, fill=True, color=colour, alpha=fill)
            style = "-" if name == "known" else "--"
            axes.stairs(heights, edges, color=colour, linestyle=style, label=name)
        if np.isfinite(threshold):
            axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=":", label="threshold")
        axes.legend(loc="best")
        return _render(figure, "familiarity", alt)


def draw_precision_recall(curve: ThresholdCurve, share: float, alt: str) -> Markup:
    """Draw precision against recall over all decisions about all labels.

    Args:
        curve: over the probabilities.
        share: of the decisions that are "yes": what a blind answer's precision is.
        alt: what the plot says, for who cannot see it.
    """
    with rc_context(_STYLE):
        figure, axes = _open("recall", "precision")
        places = choose_places(len(curve.thresholds), CURVE_POINTS)
        axes.plot(curve.recall[places], curve.precision[places], color=FIRST, label="the model")
        axes.axhline(share, color=SECOND, linestyle="--", linewidth=1, label="without looking")
        axes.legend(loc="upper right")
        _limit(axes)
        return _render(figure, "precision-recall", alt)


def _open(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.tick_params(length=0)
    return figure, axes


def _limit(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)


def _render(figure: Figure, name: str, alt: str) -> Markup:
    """Turn a figure into inline SVG without a size of its own, in the page's colours."""
    buffer = io.StringIO()
    options: dict[str, Any] = {"metadata": {"Date": None, "Creator": None, "Format": None, "Type": None}}
    # the salt keeps names that one drawing refers to apart from those of the next
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, **options)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", text)  # names of parts, which nothing refers to
    text = re.sub(r'^<svg [^>]*viewBox="([^"]*)"[^>]*>', _open_tag(alt), text, count=1)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var({variable})")
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;]*; ", "", text)  # the page's own
    text = re.sub(r' d="[^"]*"', _round_path, " ".join(text.split()))
    return Markup(text)  # nosec B704 # drawn by matplotlib; the alternative text is escaped


def _round_path(found: re.Match[str]) -> str:
    """Round a path to a tenth of a pixel: half the bytes."""
    return re.sub(r"(\d+\.\d)\d+", r"\1", found[0])


def _open_tag(alt: str) -> str:
    label = str(escape(alt)).replace("\\", "\\\\")
    return rf'<svg class="plot" viewBox="\1" role="img" aria-label="{label}" xmlns:xlink="http://www.w3.org/1999/xlink">'
