"""The faces that were asked, once more in grey, screentone, compressed, small, tilted and mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face
from kyara.evaluation.measuring import choose_places, round_rate
from kyara.evaluation.metrics import measure_top_k
from kyara.evaluation.queries import Answered, Progress, ask, read_crop
from kyara.recognition.classifier import Classifier
from kyara.vision.alterations import ALTERATIONS, Alter

MOST_FACES = 1000
"""More are not altered; an even choice of them is."""


def choose_altered(faces: Sequence[Face]) -> list[Face]:
    """Return the faces that are altered."""
    return [faces[place] for place in choose_places(len(faces), MOST_FACES)]


def measure_robustness(
    classifier: Classifier, faces: Sequence[Face], progress: Progress = lambda done: None
) -> dict[str, dict[str, float]]:
    """Ask a model about altered crops.

    Args:
        classifier: the model.
        faces: as `choose_altered` returns them; the model knows them all.
        progress: called with 1 after each crop, for as it is and each of `ALTERATIONS`.

    Returns:
        Alteration → `top1`, `top5`, `known_accepted` and `named_wrongly`, the share of all that gets
        somebody else's name as a fact; the first row is of the crops as they are.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    alters: dict[str, Alter] = {"as it is": lambda pixels: pixels, **ALTERATIONS}
    views: dict[str, list[np.ndarray]] = {name: [] for name in alters}
    for face in faces:
        crop = np.ascontiguousarray(read_crop(face.path, face.box, classifier.backbone))
        for name, alter in alters.items():
            views[name].append(classifier.backbone.extract_each([alter(crop)])[0])
            progress(1)
    return {
        name: _summarise(ask(classifier, faces, classifier.settle(np.stack(rows))))
        for name, rows in views.items()
    }


def _summarise(answered: Answered) -> dict[str, Any]:
    return {
        "top1": round_rate(answered.correct.mean()),
        "top5": round_rate(measure_top_k(answered.scores, answered.targets, 5)),
        "known_accepted": round_rate(answered.accepted.mean()),
        "named_wrongly": round_rate((answered.accepted & ~answered.correct).mean()),
    }
