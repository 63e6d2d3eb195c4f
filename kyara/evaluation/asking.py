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
from kyara.recognition.answers import measure_familiarity
from kyara.recognition.backbone import Backbone
from kyara.recognition.bundle import Calibration
from kyara.recognition.classifier import Classifier
from kyara.recognition.head import softmax
from kyara.vision.images import read_image

Progress = Callable[[int], None]
"""Called with the number of faces done since the last call."""
TIMED_ANSWERS = 200
"""Faces whose answers are timed one by one; their features are timed anyway."""


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
        calibration: the bundle's.
    """

    faces: tuple[Face, ...]
    labels: tuple[str, ...]
    targets: np.ndarray
    features: np.ndarray
    scores: np.ndarray
    similarities: np.ndarray
    calibration: Calibration

    @cached_property
    def confidences(self) -> np.ndarray:
        """Calibrated probabilities, `float64 (N, classes)`."""
        return softmax(self.scores, self.calibration.temperature)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Column of each first answer, `int64 (N,)`."""
        return self.scores.argmax(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether each first answer is right, `bool (N,)`."""
        return self.predicted == self.targets

    @cached_property
    def familiarity(self) -> np.ndarray:
        """How much each face looks like somebody known, `float64 (N,)`."""
        return measure_familiarity(self.scores, self.similarities)

    @property
    def accepted(self) -> np.ndarray:
        """Whether the verdict is "known", `bool (N,)`."""
        return self.familiarity >= self.calibration.familiarity_threshold


def ask(classifier: Classifier, faces: Sequence[Face], features: np.ndarray) -> Answered:
    """Ask a model about faces.

    Args:
        classifier: the model, or a view of it.
        faces: N labelled faces.
        features: `float32 (N, features)` of these faces.

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
    scores, similarities = classifier.score(features)
    targets = np.array([columns[face.label] for face in faces], np.int64)
    return Answered(
        tuple(faces),
        tuple(classifier.labels),
        targets,
        features,
        scores,
        similarities,
        classifier.bundle.calibration,
    )


def extract_faces(
    backbone: Backbone,
    faces: Sequence[Face],
    progress: Progress = lambda done: None,
    *,
    seconds: list[float] | None = None,
) -> np.ndarray:
    """Return the features of dataset faces as serving computes them: `float32 (N, features)`."""
    return extract_pictures(backbone, [face.path for face in faces], progress, seconds=seconds)


def extract_pictures(
    backbone: Backbone,
    paths: Iterable[Path],
    progress: Progress = lambda done: None,
    *,
    seconds: list[float] | None = None,
) -> np.ndarray:
    """Return the features of picture files, each taken as one crop.

    Args:
        backbone: the bundle's.
        paths: of at least one picture.
        progress: called with 1 after each.
        seconds: gets the time of each, without reading the file.

    Returns:
        `float32 (N, features)`.

    Raises:
        BadInputError: a file is not a readable picture; the message names it.
    """
    rows = []
    for path in paths:
        try:
            pixels = read_image(path)
        except KyaraError as error:
            raise BadInputError(f"{path}: {error}") from error
        start = time.perf_counter()
        rows.append(backbone.extract([pixels])[0])
        if seconds is not None:
            seconds.append(time.perf_counter() - start)
        progress(1)
    return np.stack(rows)


def time_answers(
    classifier: Classifier, features: np.ndarray, seconds: Sequence[float]
) -> dict[str, float]:
    """Return what one crop costs, from its pixels to its answers.

    Args:
        classifier: the model.
        features: `float32 (N, features)`, at least one row.
        seconds: time that the features of each took.

    Returns:
        `median`, `p95` and `answer_median` (everything after the network) in milliseconds.
    """
    answers = []
    for row in features[:TIMED_ANSWERS]:
        start = time.perf_counter()
        classifier.answer(row[None])
        answers.append(time.perf_counter() - start)
    both = 1000 * (np.array(answers) + np.array(seconds[: len(answers)]))
    return {
        "median": round(float(np.median(both)), 2),
        "p95": round(float(np.quantile(both, 0.95)), 2),
        "answer_median": round(1000 * float(np.median(answers)), 2),
    }
