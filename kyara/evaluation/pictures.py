"""The whole way: whole pictures → detector, crops, names; measured is what a visitor reads.

A picture shows one labelled character, and perhaps others. Whoever the model does not know is a
stranger, and so is everybody in the pictures of `--unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.manifest import Manifest
from kyara.errors import BadInputError, KyaraError
from kyara.evaluation.detection import measure_share
from kyara.evaluation.measuring import round_rate
from kyara.evaluation.metrics import measure_calibration, measure_interval
from kyara.evaluation.protocols import Options, Unknowns, choose_split
from kyara.evaluation.queries import Progress
from kyara.recognition.answers import FaceAnswers
from kyara.recognition.classifier import Classifier
from kyara.recognition.pictures import identify_pixels
from kyara.vision.boxes import Box
from kyara.vision.detectors.base import choose_detector, open_detector
from kyara.vision.images import read_image

REFERENCES = (("1", 1, 1), ("2 to 4", 2, 4), ("5 and more", 5, 10**9))
"""Characters are measured apart by how many references the model has of them."""
SURE = 0.9


@dataclass(frozen=True)
class NamedFace:
    """A face that was found: its tight box, and what the model says of it."""

    box: Box
    said: FaceAnswers

    @property
    def is_named(self) -> bool:
        """Whether a visitor reads a name as a fact."""
        return self.said.verdict == "known"

    @property
    def is_probable(self) -> bool:
        """Whether a visitor reads a name as probable only."""
        return self.said.verdict == "probably"


@dataclass(frozen=True)
class LookedAt:
    """A picture and what is said of it.

    Attributes:
        path: of the file.
        label: of the character it shows; empty for a stranger.
        faces: that were found, the largest first.
    """

    path: Path
    label: str
    faces: tuple[NamedFace, ...]

    @property
    def rank(self) -> int | None:
        """Best place, from 1, of the right answer among all faces' answers; None if it is nowhere."""
        places = [
            place
            for face in self.faces
            for place, answer in enumerate(face.said.answers, start=1)
            if answer.label == self.label
        ]
        return min(places, default=None)


@dataclass(frozen=True)
class PicturesEvaluation:
    """What was measured on whole pictures; `metrics` is what `metrics.json` holds."""

    metrics: dict[str, Any]
    classifier: Classifier
    looked: tuple[LookedAt, ...]


def count_pictures(manifest: Manifest, options: Options, unknowns: Sequence[Unknowns]) -> int:
    """Return how often `evaluate_pictures` will report progress."""
    queries = len(manifest.of_split(choose_split(manifest, options)))
    return queries + sum(len(group.paths) for group in unknowns)


def evaluate_pictures(
    classifier: Classifier,
    manifest: Manifest,
    options: Options,
    *,
    unknowns: Sequence[Unknowns] = (),
    progress: Progress = lambda done: None,
) -> PicturesEvaluation:
    """Do the whole way for whole pictures, as `identify` and the page do it, and measure it.

    Args:
        classifier: the loaded model.
        manifest: whole pictures with a label each; whom the model does not know is a stranger.
        options: the split and the detector.
        unknowns: groups of whole pictures of people whom the model does not know, or forgets first.
        progress: called with 1 after each picture.

    Raises:
        BadInputError: the split is empty, or a file is no readable picture.
        KyaraError: the detector does not work.
    """
    if not options.gallery:
        classifier = classifier.without_gallery()
    classifier = classifier.frozen()
    known = set(classifier.labels)
    queries = [
        (face.path, face.label if face.label in known else "")
        for face in manifest.of_split(choose_split(manifest, options))
    ]
    looked = _look(classifier, queries, options.detector, progress)
    for group in unknowns:
        view = classifier.without(sorted(group.labels & known))
        looked += _look(view, [(path, "") for path in group.paths], options.detector, progress)
    metrics = {
        "protocol": options.protocol,
        "split": choose_split(manifest, options),
        "detector": choose_detector(options.detector),
        "gallery": options.gallery,
        **measure_looked(looked, classifier.count_references()),
        "model_version": classifier.bundle.version,
        "dataset_sha256": manifest.digest(),
    }
    return PicturesEvaluation(metrics, classifier, tuple(looked))


def _look(
    classifier: Classifier, queries: Sequence[tuple[Path, str]], detector: str | None, progress: Progress
) -> list[LookedAt]:
    looked = []
    with open_detector(detector) as finder:
        for path, label in queries:
            try:
                pixels = np.ascontiguousarray(read_image(path))
            except KyaraError as error:
                raise BadInputError(f"{path}: {error}") from error
            found = identify_pixels(pixels, classifier, finder)
            faces = (NamedFace(box, said) for box, said in found.faces)
            looked.append(LookedAt(path, label, tuple(faces)))
            progress(1)
    return looked


def measure_looked(looked: Sequence[LookedAt], references: dict[str, int]) -> dict[str, Any]:
    """Measure what is said of pictures.

    Args:
        looked: the pictures; at least one.
        references: label → how many references the model has.

    Returns:
        `known` (pictures of characters whom the model knows): `first` and `among_five` (shares of them
        with the right answer there), by number of references too; `strangers`: shares of faces and of
        pictures with a name; `names`: how many are given as facts, and the share that is right, at any
        confidence and from `SURE` on, and how many as probable; `ece` over the surest face of every
        picture, whoever it shows.
    """
    known = [one for one in looked if one.label]
    unknowns = [one for one in looked if not one.label]
    confidences, correct = _list_confidences(looked)
    ece, bins = measure_calibration(confidences, correct) if len(confidences) else (None, [])
    by_references = {
        name: _measure_known([one for one in known if low <= references.get(one.label, 0) <= high])
        for name, low, high in REFERENCES
    }
    return {
        "pictures": len(looked),
        "faces": sum(len(one.faces) for one in looked),
        "with_a_face": measure_share(sum(bool(one.faces) for one in looked), len(looked)),
        "known": {**_measure_known(known), "by_references": by_references},
        "strangers": _measure_unknowns(unknowns),
        "names": {
            "all": _measure_names(looked, "known"),
            f"from {SURE}": _measure_names(looked, "known", SURE),
            "probably": _measure_names(looked, "probably"),
        },
        "ece": None if ece is None else round_rate(ece),
        "details": {"calibration_bins": bins},
    }


def list_wrong_names(looked: Sequence[LookedAt]) -> list[tuple[LookedAt, NamedFace]]:
    """Return the faces that got a name which is not their picture's, the surest first."""
    wrong = [
        (one, face)
        for one in looked
        for face in one.faces
        if face.is_named and face.said.answers[0].label != one.label
    ]
    return sorted(wrong, key=lambda pair: -pair[1].said.answers[0].confidence)


def _measure_known(known: Sequence[LookedAt]) -> dict[str, Any]:
    ranks = [one.rank for one in known]
    return {
        "pictures": len(known),
        "first": measure_share(sum(rank == 1 for rank in ranks), len(known)),
        "among_five": measure_share(sum(rank is not None and rank <= 5 for rank in ranks), len(known)),
    }


def _measure_unknowns(unknowns: Sequence[LookedAt]) -> dict[str, Any]:
    faces = [face for one in unknowns for face in one.faces]
    with_a_name = sum(any(face.is_named for face in one.faces) for one in unknowns)
    return {
        "pictures": len(unknowns),
        "faces": len(faces),
        "faces_named": measure_share(sum(face.is_named for face in faces), len(faces)),
        "faces_probable": measure_share(sum(face.is_probable for face in faces), len(faces)),
        "pictures_named": measure_share(with_a_name, len(unknowns)),
    }


def _measure_names(looked: Sequence[LookedAt], verdict: str, least: float = 0.0) -> dict[str, Any]:
    """Tell of all faces with a verdict, at least so sure, how many have their picture's name."""
    named = [
        face.said.answers[0].label == one.label
        for one in looked
        for face in one.faces
        if face.said.verdict == verdict and face.said.answers[0].confidence >= least
    ]
    right, count = sum(named), len(named)
    interval = [round_rate(end) for end in measure_interval(right, count)] if count else None
    return {
        "given": count,
        "right": right,
        "share_right": measure_share(right, count),
        "interval": interval,
    }


def _list_confidences(looked: Sequence[LookedAt]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first answer's confidence of each picture's surest face, and whether it is right."""
    found = [one for one in looked if one.faces]
    firsts = [
        (max((f.said.answers[0] for f in one.faces), key=lambda answer: answer.confidence), one.label)
        for one in found
    ]
    confidences = np.array([answer.confidence for answer, _ in firsts], np.float64)
    return confidences, np.array([answer.label == label for answer, label in firsts], bool)
