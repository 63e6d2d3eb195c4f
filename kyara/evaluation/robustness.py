"""The faces that were asked, once more in grey, screentone, compressed, small, tilted and mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face
from kyara.evaluation.measuring import round_rate
from kyara.evaluation.metrics import measure_top_k
from kyara.evaluation.queries import Answered, Progress, ask
from kyara.recognition.classifier import Classifier
from kyara.recognition.embeddings import cut_face
from kyara.vision.alterations import ALTERATIONS, Alter
from kyara.vision.images import read_image

MOST_FACES = 1000
"""More are not altered; an even choice of them is."""


def choose_altered(faces: Sequence[Face]) -> list[Face]:
    """Return the faces that are altered."""
    places = np.unique(np.linspace(0, len(faces) - 1, min(len(faces), MOST_FACES)).round().astype(int))
    return [faces[place] for place in places]


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
    """
    alters: dict[str, Alter] = {"as it is": lambda pixels: pixels, **ALTERATIONS}
    return {
        name: _summarise(_ask_altered(classifier, faces, alter, progress))
        for name, alter in alters.items()
    }


def _ask_altered(
    classifier: Classifier, faces: Sequence[Face], alter: Alter, progress: Progress
) -> Answered:
    preprocessing = classifier.bundle.preprocessing
    rows = []
    for face in faces:
        crop = np.ascontiguousarray(cut_face(read_image(face.path), face.box, preprocessing))
        rows.append(classifier.backbone.extract_each([alter(crop)])[0])
        progress(1)
    return ask(classifier, faces, classifier.settle(np.stack(rows)))


def _summarise(answered: Answered) -> dict[str, Any]:
    return {
        "top1": round_rate(answered.correct.mean()),
        "top5": round_rate(measure_top_k(answered.scores, answered.targets, 5)),
        "known_accepted": round_rate(answered.accepted.mean()),
        "named_wrongly": round_rate((answered.accepted & ~answered.correct).mean()),
    }
