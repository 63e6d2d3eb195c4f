"""Two bundles are asked about the same drawings; what comes out is data that a page and a gate read.

Figures are over the drawings of characters that the serving bundle knows, so that both answer the same
question; drawings of characters that only the candidate knows are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face, Manifest
from kyara.evaluation.measuring import round_rate
from kyara.evaluation.metrics import measure_calibration, measure_macro_f1, measure_sign_test
from kyara.recognition.answers import measure_confidence
from kyara.recognition.classifier import Classifier
from kyara.recognition.embeddings import extract_cached
from kyara.registry.gate import Tolerances, judge_comparison
from kyara.vision.images import inline_picture

MOST_CHANGED = 60
"""Pictures that changed sides and are shown; those that became wrong come first."""


def compare_bundles(
    serving: Classifier,
    candidate: Classifier,
    manifest: Manifest,
    *,
    split: str = "test",
    cache: Path,
    tolerances: Tolerances,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Measure two bundles on the same drawings.

    Args:
        serving: the bundle that serves, as it is on disk: without what was taught.
        candidate: the other.
        manifest: the dataset.
        split: whose drawings are asked.
        cache: folder for features; see `bottlenecks`.
        tolerances: for the verdict that goes with the figures.
        progress: called with 1 after each drawing of each bundle.

    Returns:
        `serving` and `candidate` (`name`, `version`, `figures`), `data`, `characters` (those that both
        were asked about, with drawings recognised by each), `new`, `forgotten`, `changed`,
        `changed_counts`, `tolerances` and `falls`.

    Raises:
        BadInputError: the split is empty, or a picture cannot be read.
    """
    known = set(serving.labels)
    faces = [
        # whom neither knows says nothing of either
        face
        for face in manifest.of_split(split)
        if face.label in known or face.label in candidate.labels
    ]
    shared = [face for face in faces if face.label in known]
    paths, boxes = [face.path for face in faces], [face.box for face in faces]
    sides = [
        _Side(
            one,
            faces,
            one.settle(extract_cached(one.backbone, paths, cache, progress, boxes, each=True)),
        )
        for one in (serving, candidate)
        if faces
    ]
    truth = np.array([face.label for face in faces])
    rows = np.array([face.label in known for face in faces], bool)
    comparison: dict[str, Any] = {
        **{
            side: {"name": one.bundle.name, "version": one.bundle.version, "figures": told}
            for side, one, told in zip(
                ("serving", "candidate"),
                (serving, candidate),
                [side.measure(truth, rows) for side in sides] or [{}, {}],
                strict=True,
            )
        },
        "data": {
            "names": [root.resolve().name for root in manifest.roots],
            "dataset_sha256": manifest.digest(),
            "split": split,
            "drawings": len(shared),
            "new_drawings": len(faces) - len(shared),
        },
        **_count_answers(manifest, faces, rows, sides),
        "forgotten": sorted(known - set(candidate.labels)),
        "tolerances": asdict(tolerances),
    }
    return {**comparison, "falls": judge_comparison(comparison, tolerances)}


class _Side:
    """What one bundle says of the drawings."""

    def __init__(self, classifier: Classifier, faces: Sequence[Face], features: np.ndarray) -> None:
        compared = classifier.compare(features)
        labels = np.array(classifier.labels)
        calibration = classifier.bundle.calibration
        truth = np.array([face.label for face in faces])[:, None]
        best = labels[np.argsort(-compared.scores, axis=1, kind="stable")[:, :5]]
        self.said = best[:, 0]
        self.among = (best == truth).any(axis=1)
        self.right = self.said == truth[:, 0]
        found = compared.open_set_scores
        self.confidence = measure_confidence(compared.scores, found, calibration).max(axis=1)
        self.accepted = found >= calibration.familiarity_threshold

    def measure(self, truth: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        """Return the figures over some of the drawings; nothing where there are none."""
        if not rows.any():
            return {}
        _, codes = np.unique(np.concatenate([truth[rows], self.said[rows]]), return_inverse=True)
        targets, predicted = np.split(codes.ravel(), 2)
        figures = {
            "top1": self.right[rows].mean(),
            "top5": self.among[rows].mean(),
            "macro_f1": measure_macro_f1(predicted, targets),
            "ece": measure_calibration(self.confidence[rows], self.right[rows])[0],
            "known_accepted": self.accepted[rows].mean(),
        }
        return {name: round_rate(value) for name, value in figures.items()}


def _count_answers(
    manifest: Manifest, faces: Sequence[Face], rows: np.ndarray, sides: Sequence[_Side]
) -> dict[str, Any]:
    if not sides:
        counts = {"wrong": 0, "right": 0}
        return {"characters": [], "new": [], "changed": [], "changed_counts": counts}
    shared = [face for face, known in zip(faces, rows.tolist(), strict=True) if known]
    others = [face for face, known in zip(faces, rows.tolist(), strict=True) if not known]
    return {
        "characters": _count_characters(shared, sides[0].right[rows], sides[1].right[rows]),
        "new": _count_new(others, sides[1].right[~rows]),
        **_list_changed(manifest, faces, sides),
    }


def _count_characters(
    faces: Sequence[Face], before: np.ndarray, after: np.ndarray
) -> list[dict[str, Any]]:
    labels = np.array([face.label for face in faces])
    counted = []
    for label in sorted(set(labels.tolist())):
        own = labels == label
        lost, won = int((before & ~after & own).sum()), int((~before & after & own).sum())
        counted.append(
            {
                "label": label,
                "support": int(own.sum()),
                "serving": int((before & own).sum()),
                "candidate": int((after & own).sum()),
                "lost": lost,
                "won": won,
                # the chance of so many losses among the changes if nothing had changed
                "p": round(measure_sign_test(lost, won), 4),
            }
        )
    return counted


def _count_new(faces: Sequence[Face], right: np.ndarray) -> list[dict[str, Any]]:
    found: dict[str, list[bool]] = {}
    for face, is_right in zip(faces, right.tolist(), strict=True):
        found.setdefault(face.label, []).append(is_right)
    return [
        {"label": label, "support": len(own), "candidate": sum(own)}
        for label, own in sorted(found.items())
    ]


def _list_changed(
    manifest: Manifest, faces: Sequence[Face], sides: Sequence[_Side]
) -> Mapping[str, Any]:
    before, after = (side.right for side in sides)
    worse, better = np.flatnonzero(before & ~after), np.flatnonzero(~before & after)
    changed = []
    for row in [*worse.tolist(), *better.tolist()][:MOST_CHANGED]:
        entry: dict[str, Any] = {
            "picture": inline_picture(faces[row].path),
            "source": manifest.locate(faces[row]).as_posix(),
            "label": faces[row].label,
            "became": "right" if after[row] else "wrong",
        }
        for name, side in zip(("serving", "candidate"), sides, strict=True):
            entry[name] = {
                "label": str(side.said[row]),
                "confidence": round(float(side.confidence[row]), 4),
            }
        changed.append(entry)
    return {"changed": changed, "changed_counts": {"wrong": len(worse), "right": len(better)}}
