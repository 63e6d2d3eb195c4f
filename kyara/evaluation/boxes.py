"""The faces that were asked, once more as the face detector cuts them out of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face
from kyara.evaluation.measuring import round_rate
from kyara.evaluation.metrics import measure_top_k
from kyara.evaluation.queries import Answered, Progress, ask
from kyara.recognition.classifier import Classifier
from kyara.recognition.pictures import cut_seen, find_faces
from kyara.vision.boxes import Window
from kyara.vision.detectors.base import open_detector
from kyara.vision.images import read_image


@dataclass(frozen=True)
class CutFaces:
    """Faces as the detector cut them out.

    Attributes:
        answered: what the model says of them.
        windows: of each, in its picture.
    """

    answered: Answered
    windows: tuple[Window, ...]


def propose_boxes(
    classifier: Classifier,
    faces: Sequence[Face],
    detector: str | None,
    progress: Progress = lambda done: None,
) -> list[list[Window]]:
    """Return what the model would see of the faces that a detector finds in each face's picture."""
    found = []
    with open_detector(detector) as finder:
        for face in faces:
            seen = find_faces(read_image(face.path), finder, classifier.bundle.preprocessing.find_window)
            found.append(list(seen.windows))
            progress(1)
    return found


def measure_boxes(
    classifier: Classifier, answered: Answered, found: Sequence[Sequence[Window]]
) -> tuple[dict[str, Any], CutFaces | None]:
    """Measure on the pictures in which the detector finds exactly one face.

    Returns:
        What `metrics.json` holds (`whole_top1` is of the same pictures uncut), and the cut faces; None
        where the detector never finds exactly one.
    """
    places = np.array([place for place, boxes in enumerate(found) if len(boxes) == 1], np.int64)
    counts = {
        "pictures": len(found),
        "without_a_box": sum(not boxes for boxes in found),
        "with_several": sum(len(boxes) > 1 for boxes in found),
        "queries": len(places),
    }
    if not len(places):
        return counts, None
    faces = [answered.faces[place] for place in places]
    windows = tuple(found[place][0] for place in places)
    crops = (cut_seen(read_image(f.path), window) for f, window in zip(faces, windows, strict=True))
    cut = ask(classifier, faces, classifier.look(crops))
    return counts | {
        "top1": round_rate(measure_top_k(cut.scores, cut.targets, 1)),
        "top5": round_rate(measure_top_k(cut.scores, cut.targets, 5)),
        "known_accepted": round_rate(cut.accepted.mean()),
        "whole_top1": round_rate(answered.correct[places].mean()),
        "whole_known_accepted": round_rate(answered.accepted[places].mean()),
    }, CutFaces(cut, windows)
