"""The gate in front of promotion: figures of two bundles on the same held-out drawings → what fell.

A figure has fallen where it is worse by more than its tolerance and the difference is no matter of a
single drawing. Nothing is measured here and nothing is imported for it: the site asks, too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kyara.errors import KyaraError

COMPARISON_FILE = "comparison.json"
"""Beside a candidate's `bundle.json`: how it did beside the bundle that served."""
FORCE_HINT = 'Promote it all the same with --force --reason "…".'
_NAMES = {"top1": "Top-1", "macro_f1": "Macro-F1", "ece": "The calibration error (ECE)"}


class GateError(KyaraError):
    """A candidate that is worse than what serves, or cannot be compared with it."""

    status = 409
    title = "Not promoted"


@dataclass(frozen=True)
class Tolerances:
    """How much worse a candidate may be, each 0 to 1.

    Attributes:
        top1: fall of the share of drawings whose first answer is right.
        macro_f1: fall of the mean F1 over characters.
        ece: rise of the expected calibration error; with few drawings their standard error counts.
        recall: fall of one character's recall.
        drawings: fewer lost drawings than this are no fall, whatever the share.
        wrong_names: rise of the wrong names a whole picture that are given as facts.
    """

    top1: float = 0.005
    macro_f1: float = 0.01
    ece: float = 0.02
    recall: float = 0.05
    drawings: int = 2
    wrong_names: float = 0.01


@dataclass(frozen=True)
class Figures:
    """What was measured of one bundle.

    Attributes:
        top1: share of drawings.
        macro_f1: mean over characters.
        ece: expected calibration error.
        characters: label → drawings that were recognised, and drawings in all.
    """

    top1: float
    macro_f1: float
    ece: float
    characters: Mapping[str, tuple[int, int]]

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any]) -> Figures:
        """Read what `evaluate` writes.

        Raises:
            KeyError: it lacks a figure.
        """
        characters = {
            label: (round(entry["recall"] * entry["support"]), int(entry["support"]))
            for label, entry in metrics["details"]["characters"].items()
        }
        return cls(float(metrics["top1"]), float(metrics["macro_f1"]), float(metrics["ece"]), characters)

    @property
    def drawings(self) -> int:
        """How many drawings were asked."""
        return sum(support for _, support in self.characters.values())


def find_regressions(
    serving: Figures,
    candidate: Figures,
    tolerances: Tolerances,
    *,
    forgotten: Collection[str] = (),
) -> list[str]:
    """Say in one sentence each what fell beyond its tolerance.

    Args:
        serving: figures of the bundle that serves.
        candidate: on the same drawings.
        tolerances: what is allowed.
        forgotten: labels that the serving bundle answers and the candidate does not.

    Returns:
        Sentences without a full stop at their end; empty where the candidate may pass.

    Source: the standard error of a share of n drawings is at most 1 / (2 √n): Wilson 1927,
    https://doi.org/10.1080/01621459.1927.10502953
    """
    regressions = []
    if forgotten:
        some = ", ".join(sorted(forgotten)[:5]) + (" …" if len(forgotten) > 5 else "")
        regressions.append(f"{len(forgotten)} characters are no longer known: {some}")
    pairs = {
        label: (before[0], candidate.characters.get(label, (0, before[1]))[0], before[1])
        for label, before in serving.characters.items()
    }
    lost = sum(max(0, before - after) for before, after, _ in pairs.values())
    if lost >= tolerances.drawings:
        regressions += _find_figure_regressions(serving, candidate, tolerances)
    allowed = max(tolerances.ece, 0.5 / math.sqrt(max(serving.drawings, 1)))
    if candidate.ece - serving.ece > allowed + 1e-9:
        regressions.append(
            f"{_NAMES['ece']} rises from {serving.ece:.3f} to {candidate.ece:.3f}, "
            f"by more than {allowed:.3f}"
        )
    for label, (before, after, support) in sorted(pairs.items(), key=lambda pair: pair[0]):
        fall = (before - after) / max(support, 1)
        if before - after >= tolerances.drawings and fall > tolerances.recall + 1e-9:
            regressions.append(
                f"Recall of {label} falls from {before / support:.1%} to {after / support:.1%} "
                f"({before - after} of {support} drawings), by more than {tolerances.recall:.1%}"
            )
    return regressions


def _find_figure_regressions(serving: Figures, candidate: Figures, tolerances: Tolerances) -> list[str]:
    regressions = []
    for name in ("top1", "macro_f1"):
        before, after, allowed = (getattr(one, name) for one in (serving, candidate, tolerances))
        if before - after > allowed + 1e-9:
            regressions.append(
                f"{_NAMES[name]} falls from {before:.1%} to {after:.1%}, by more than {allowed:.1%}"
            )
    return regressions


def find_picture_regressions(
    serving: Mapping[str, Any], candidate: Mapping[str, Any], tolerances: Tolerances
) -> list[str]:
    """Say what fell on whole pictures, from detector to name.

    Args:
        serving: what `evaluation.pictures.measure_looked` says of the bundle that serves.
        candidate: of the other, on the same pictures.
        tolerances: `wrong_names` and `drawings` are looked at.
    """
    pictures = max(int(serving["pictures"]), 1)
    names = serving["names"]["all"], candidate["names"]["all"]
    before, after = (int(one["given"]) - int(one["right"]) for one in names)
    allowed = tolerances.wrong_names
    if after - before < tolerances.drawings or (after - before) / pictures <= allowed + 1e-9:
        return []
    return [f"Of {pictures} pictures {after} faces get a wrong name, {before} did before"]


def refuse(name: str, regressions: Sequence[str]) -> None:
    """Refuse a candidate that fell; harmless if nothing did.

    Raises:
        GateError: with every sentence.
    """
    if regressions:
        raise GateError(f"{name} is not promoted. {'. '.join(regressions)}. {FORCE_HINT}")


def check_reason(force: bool, reason: str) -> str:
    """Return the reason of a forced promotion, as it goes into the history; empty if none is needed.

    Raises:
        GateError: forced without a reason, or a reason without force.
    """
    words = " ".join(reason.split())[:500]
    if force and not words:
        raise GateError('A forced promotion needs a written reason: --force --reason "…".')
    if words and not force:
        raise GateError("A reason is for a forced promotion only: give --force as well.")
    return words


def compare_metrics(
    serving: Mapping[str, Any], candidate: Mapping[str, Any], tolerances: Tolerances
) -> list[str]:
    """Say what fell between two bundles' `metrics.json`.

    Raises:
        GateError: they were not measured on the same drawings, or lack figures.
    """
    same = ("dataset_sha256", "protocol", "split", "queries")
    if any(serving.get(name) is None or serving[name] != candidate.get(name) for name in same):
        raise GateError(
            "The two bundles were not measured on the same drawings: give --data DATA with "
            "held-out drawings, on which both are measured now."
        )
    try:
        figures = Figures.from_metrics(serving), Figures.from_metrics(candidate)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GateError("A metrics.json lacks figures: give --data DATA to measure now.") from error
    return find_regressions(*figures, tolerances)


def read_comparison(
    comparison: Mapping[str, Any], versions: tuple[str, str], tolerances: Tolerances
) -> list[str] | None:
    """Say what fell according to a stored comparison; None if it is of other bundles.

    `versions` are of the bundle that serves and of the candidate.
    """
    try:
        sides = comparison["serving"], comparison["candidate"]
        if tuple(side["version"] for side in sides) != versions:
            return None
        return judge_comparison(comparison, tolerances)
    except (KeyError, TypeError, ValueError):
        return None


def judge_comparison(comparison: Mapping[str, Any], tolerances: Tolerances) -> list[str]:
    """Say what fell according to a comparison.

    Raises:
        KeyError: it is not a comparison.
    """
    if not comparison["characters"]:
        return ["No held-out drawing shows a character that the serving model knows: give --data"]
    serving, candidate = (
        Figures(
            comparison[side]["figures"]["top1"],
            comparison[side]["figures"]["macro_f1"],
            comparison[side]["figures"]["ece"],
            {one["label"]: (one[side], one["support"]) for one in comparison["characters"]},
        )
        for side in ("serving", "candidate")
    )
    return find_regressions(serving, candidate, tolerances, forgotten=comparison["forgotten"])
