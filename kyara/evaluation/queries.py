"""Second stage of evaluation: faces → features → what the model says, exactly as it serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kyara.dataset.manifest import Face
from kyara.errors import BadInputError, KyaraError
from kyara.recognition.answers import measure_confidence
from kyara.recognition.backbone import Backbone
from kyara.recognition.bundle import Calibration
from kyara.recognition.classifier import Classifier
from kyara.recognition.embeddings import cut_face
from kyara.vision.boxes import Box
from kyara.vision.images import read_image

Progress = Callable[[int], None]
"""Called with the number of faces done since the last call."""
TIMED_ANSWERS = 200
"""Faces that are timed, one by one."""


@dataclass(frozen=True)
class Answered:
    """What a model says of faces whose names are known.

    Attributes:
        faces: the N faces.
        labels: of the columns: every character that the model ranks.
        targets: `int64 (N,)`, the column of each face's character.
        features: `float32 (N, features)`.
        scores: `float32 (N, classes)` logits.
        similarities: `float32 (N, classes)`, NaN where a character has no reference.
        open_set_scores: `float64 (N,)`, how much each face looks like somebody known.
        calibration: the bundle's.
    """

    faces: tuple[Face, ...]
    labels: tuple[str, ...]
    targets: np.ndarray
    features: np.ndarray
    scores: np.ndarray
    similarities: np.ndarray
    open_set_scores: np.ndarray
    calibration: Calibration

    @cached_property
    def confidences(self) -> np.ndarray:
        """Calibrated probabilities, `float64 (N, classes)`."""
        return measure_confidence(self.scores, self.open_set_scores, self.calibration)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Column of each first answer, `int64 (N,)`."""
        return self.scores.argmax(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether each first answer is right, `bool (N,)`."""
        return self.predicted == self.targets

    @property
    def accepted(self) -> np.ndarray:
        """Whether the verdict is "known", `bool (N,)`."""
        return self.open_set_scores >= self.calibration.familiarity_threshold


def ask(classifier: Classifier, faces: Sequence[Face], features: np.ndarray) -> Answered:
    """Ask a model about N labelled faces, whose features are `float32 (N, features)`.

    Raises:
        BadInputError: a label that the model does not know.
    """
    columns = {label: column for column, label in enumerate(classifier.labels)}
    strange = sorted({face.label for face in faces} - set(columns))
    if strange:
        raise BadInputError(
            f"The model does not know {', '.join(strange[:5])} ({len(strange)} labels). "
            "Name characters that it calls otherwise with --same-as."
        )
    compared = classifier.compare(features)
    targets = np.array([columns[face.label] for face in faces], np.int64)
    return Answered(
        tuple(faces),
        tuple(classifier.labels),
        targets,
        features,
        compared.scores,
        compared.similarities,
        compared.open_set_scores,
        classifier.bundle.calibration,
    )


def extract_pictures(
    backbone: Backbone,
    pictures: Iterable[tuple[Path, Box | None]],
    progress: Progress = lambda done: None,
) -> np.ndarray:
    """Return the features of picture files in every view.

    Args:
        backbone: the bundle's.
        pictures: path, and the tight face in it; None where the picture is the crop. At least one.
        progress: called with 1 after each.

    Returns:
        `float32 (N, views, features)`; `Classifier.settle` makes of them what it answers by.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    rows = []
    for path, box in pictures:
        rows.append(backbone.extract_each([read_crop(path, box, backbone)])[0])
        progress(1)
    return np.stack(rows)


def read_crop(path: Path, box: Box | None, backbone: Backbone) -> np.ndarray:
    """Return what the model is to see of a picture file, `uint8 (h, w, 3)`.

    Raises:
        BadInputError: it is not a readable picture; the message names it.
    """
    try:
        return cut_face(read_image(path), box, backbone.preprocessing)
    except KyaraError as error:
        raise BadInputError(f"{path}: {error}") from error


def time_answers(
    classifier: Classifier, pictures: Sequence[tuple[Path, Box | None]], features: np.ndarray
) -> dict[str, float]:
    """Return what one crop costs, from its pixels to its answers, as it is served.

    Args:
        classifier: the model.
        pictures: as `extract_pictures` takes them; the first `TIMED_ANSWERS` are asked once more.
        features: `float32 (N, features)` of the same.

    Returns:
        `median`, `p95` and `answer_median` (everything after the network) in milliseconds.
    """
    whole, answers = [], []
    for (path, box), row in zip(pictures[:TIMED_ANSWERS], features, strict=False):
        crop = read_crop(path, box, classifier.backbone)
        start = time.perf_counter()
        classifier.identify([crop])
        middle = time.perf_counter()
        classifier.answer(row[None])
        whole.append(middle - start)
        answers.append(time.perf_counter() - middle)
    return {
        "median": round(1000 * float(np.median(whole)), 2),
        "p95": round(1000 * float(np.quantile(whole, 0.95)), 2),
        "answer_median": round(1000 * float(np.median(answers)), 2),
    }
