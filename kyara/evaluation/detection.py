"""How well a detector finds faces: recall against false boxes, by source and by size of face.

A face is found when the middle of a box lies in the ellipse around the face's own middle whose half
axes are 0.35 of its width and height: the strictest of the usual readings of "centre within 0.35 of
the box". Every face and every box is matched once, the surest box first. A box is *false* where it
touches no face; a second box on a face is counted apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kyara.vision.boxes import Box, FoundFace, measure_overlap

CENTRE_SHARE = 0.35
GOOD_OVERLAP = 0.5
FALSE_A_PICTURE = (0.05, 0.1, 0.5)
"""Recall is given at so many false boxes a picture."""
SIZES_PX = ((0, 24), (24, 48), (48, 96), (96, 10_000))
"""Shorter sides of faces, in pixels of the picture, that are measured apart."""
LEAST_COUNTED_PX = 24


@dataclass(frozen=True)
class Looked:
    """What a detector said of a picture, matched with what is there.

    Attributes:
        source: where the picture is from.
        faces: shorter side of each face in it.
        scores: of every box.
        matches: of every box, the face it found, -1 where it touches none, -2 where it is a second one.
        overlaps: of every box, intersection over union with the face it found; else 0.
    """

    source: str
    faces: tuple[float, ...]
    scores: np.ndarray
    matches: np.ndarray
    overlaps: np.ndarray


def match_faces(source: str, truth: Sequence[Box], found: Iterable[FoundFace]) -> Looked:
    """Match a detector's boxes with the faces that are there."""
    taken: set[int] = set()
    rows: list[tuple[float, int, float]] = []
    for face in sorted(found, key=lambda face: -face.score):
        box = face.box
        distances = {
            index: distance
            for index, other in enumerate(truth)
            if index not in taken and (distance := _centre_distance(box, other)) <= CENTRE_SHARE
        }
        if distances:
            index = min(distances, key=lambda index: distances[index])
            taken.add(index)
            rows.append((face.score, index, measure_overlap(box, truth[index])))
        else:
            touches = any(measure_overlap(box, other) > 0 for other in truth)
            rows.append((face.score, -2 if touches else -1, 0.0))
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return Looked(
        source,
        tuple(float(min(box.width, box.height)) for box in truth),
        np.array(columns[0], np.float64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.float64),
    )


def raise_surest(looked: Sequence[Looked], least: float) -> list[Looked]:
    """Rank the surest box of every picture before all others, as a detector that shows it at any level.

    Args:
        looked: of each picture.
        least: score from which a surest box is shown.

    Returns:
        The same, with 1 added to these boxes' scores; so a threshold above 1 is one of theirs.
    """
    return [
        replace(one, scores=np.where(_is_surest(one.scores) & (one.scores >= least), 1, 0) + one.scores)
        for one in looked
    ]


def _is_surest(scores: np.ndarray) -> np.ndarray:
    """Tell which of a picture's boxes is the first of those with the best score: `bool (N,)`."""
    return np.arange(len(scores)) == (scores.argmax() if len(scores) else 0)


def _centre_distance(box: Box, face: Box) -> float:
    across = (box.x + box.width / 2 - face.x - face.width / 2) / face.width
    down = (box.y + box.height / 2 - face.y - face.height / 2) / face.height
    return float(np.hypot(across, down))


def measure_detection(looked: Sequence[Looked], threshold: float) -> dict[str, Any]:
    """Measure what a detector said of many pictures.

    Args:
        looked: of each picture, with boxes well below the threshold.
        threshold: the score from which a box is shown by default.

    Returns:
        Recall at a few rates of false boxes, average precision, and at the threshold recall by centre
        and at `GOOD_OVERLAP`, false and second boxes a picture: for all, by source and by size.
    """
    sources: dict[str, list[Looked]] = defaultdict(list)
    for picture in looked:
        sources[picture.source].append(picture)
    return {
        "threshold": threshold,
        **_measure(looked, threshold),
        "curve": {str(rate): measure_recall_at(looked, rate) for rate in FALSE_A_PICTURE},
        "average_precision": measure_average_precision(looked),
        "by_source": {source: _measure(group, threshold) for source, group in sorted(sources.items())},
        "by_size_px": {
            f"{low}-{high}": _measure_size(looked, threshold, low, high) for low, high in SIZES_PX
        },
        "at_least_24_px": _measure_size(looked, threshold, LEAST_COUNTED_PX, 10_000),
    }


def _measure(looked: Sequence[Looked], threshold: float) -> dict[str, Any]:
    faces = sum(len(picture.faces) for picture in looked)
    shown = [picture.scores >= threshold for picture in looked]

    def count(holds: Callable[[Looked], np.ndarray]) -> int:
        return sum(int((holds(p) & s).sum()) for p, s in zip(looked, shown, strict=True))

    pictures = max(len(looked), 1)
    return {
        "pictures": len(looked),
        "faces": faces,
        "recall": measure_share(count(lambda p: p.matches >= 0), faces),
        "recall_iou": measure_share(
            count(lambda p: (p.matches >= 0) & (p.overlaps >= GOOD_OVERLAP)), faces
        ),
        "false_a_picture": round(count(lambda p: p.matches == -1) / pictures, 4),
        "second_a_picture": round(count(lambda p: p.matches == -2) / pictures, 4),
    }


def _measure_size(looked: Sequence[Looked], threshold: float, low: float, high: float) -> dict[str, Any]:
    faces = found = 0
    for picture in looked:
        right = {index for index, side in enumerate(picture.faces) if low <= side < high}
        faces += len(right)
        found += sum(
            int(match) in right
            for match, score in zip(picture.matches, picture.scores, strict=True)
            if score >= threshold
        )
    return {"faces": faces, "recall": measure_share(found, faces)}


def measure_recall_at(looked: Sequence[Looked], false_a_picture: float) -> dict[str, float | None]:
    """Return the threshold that leaves so many false boxes a picture, and the recall there."""
    wrong = np.sort(np.concatenate([p.scores[p.matches == -1] for p in looked] or [[]]))[::-1]
    allowed = int(false_a_picture * len(looked))
    threshold = float(wrong[allowed]) if allowed < len(wrong) else 0.0
    faces = sum(len(picture.faces) for picture in looked)
    found = sum(int(((p.matches >= 0) & (p.scores > threshold)).sum()) for p in looked)
    return {"threshold": round(threshold, 4), "recall": measure_share(found, faces)}


def measure_average_precision(looked: Sequence[Looked]) -> float | None:
    """Return the area under precision over recall, boxes matched by their centre.

    Source: PASCAL VOC's definition since 2010 (every point, precision made falling).
    """
    faces = sum(len(picture.faces) for picture in looked)
    if not faces:
        return None
    scores = np.concatenate([p.scores for p in looked])
    right = np.concatenate([p.matches >= 0 for p in looked])
    right = right[np.argsort(-scores, kind="stable")]
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return round(float((falling * right).sum() / faces), 4)


def measure_share(part: int, whole: int) -> float | None:
    """Return a share as `metrics.json` has it; None of nothing."""
    return round(part / whole, 4) if whole else None
