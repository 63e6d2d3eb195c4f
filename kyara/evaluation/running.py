"""A protocol from start to end: plan, ask, measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face, Manifest
from kyara.errors import BadInputError
from kyara.evaluation.boxes import CutFaces, measure_boxes, propose_boxes
from kyara.evaluation.measuring import measure_answers, round_rate
from kyara.evaluation.metrics import measure_interval
from kyara.evaluation.protocols import Draw, Options, Unknowns, choose_split, plan_tasks
from kyara.evaluation.queries import Answered, Progress, ask, extract_pictures, time_answers
from kyara.evaluation.robustness import choose_altered, measure_robustness
from kyara.evaluation.unknowns import Separation, pool_separations, separate
from kyara.recognition.classifier import Classifier
from kyara.vision.alterations import ALTERATIONS

AVERAGED = ("top1", "top5", "macro_f1", "ece", "known_accepted")


@dataclass(frozen=True)
class Evaluation:
    """One protocol's results.

    Attributes:
        metrics: what `metrics.json` holds.
        classifier: the model as it was asked: with what it was taught, without what it forgot.
        manifest: the dataset.
        answered: what it said; of several draws, in the first.
        separations: known against unknown, for each group of strangers with and without the gallery.
        cut: the same faces as the detector cuts them out, where that was measured.
    """

    metrics: dict[str, Any]
    classifier: Classifier
    manifest: Manifest
    answered: Answered
    separations: tuple[Separation, ...] = ()
    cut: CutFaces | None = None


def count_faces(manifest: Manifest, options: Options, unknowns: Iterable[Unknowns] = ()) -> int:
    """Return how often `evaluate_bundle` will report progress."""
    tasks = plan_tasks(manifest, options)
    boxes = len(tasks[0].queries) if options.boxes else 0
    altered = len(choose_altered(tasks[0].queries)) * (len(ALTERATIONS) + 1) if options.robust else 0
    people = sum(len(group.paths) for group in unknowns)
    return len(_list_faces(tasks)) + people + boxes + altered


def evaluate_bundle(
    classifier: Classifier,
    manifest: Manifest,
    options: Options,
    *,
    unknowns: Sequence[Unknowns] = (),
    progress: Progress = lambda done: None,
) -> Evaluation:
    """Measure one protocol.

    Args:
        classifier: the loaded model.
        manifest: the dataset, its labels as the model has them.
        options: what to measure.
        unknowns: groups of people whom the model does not know; `open-set` needs one.
        progress: called with 1 after each face, `count_faces` times.

    Raises:
        BadInputError: nothing to ask, a label that the model does not know, strangers who are also
            asked, or options that contradict each other.
    """
    _refuse_contradictions(options, unknowns)
    tasks = plan_tasks(manifest, options)
    _refuse_queried_unknowns(tasks, unknowns)
    if not options.gallery:
        classifier = classifier.without_gallery()
    features = _Features(classifier, _list_faces(tasks), progress)
    asked = [_ask_task(classifier, task, features) for task in tasks]
    view, answered = asked[0]
    measured = measure_answers(answered)
    details = measured.pop("details")
    metrics: dict[str, Any] = {
        "protocol": options.protocol,
        "split": choose_split(manifest, options),
        "kind": options.kind,
        "gallery": options.gallery,
        **measured,
        **_describe_teaching(options, tasks, [one for _, one in asked]),
        "auroc": None,
        "model_version": classifier.bundle.version,
        "dataset_sha256": manifest.digest(),
    }
    seen = features.of(answered.faces)
    separations = _separate_all(view, seen, options, unknowns, progress)
    if separations:
        metrics |= pool_separations([one for one in separations if one.gallery == options.gallery])
        details["open_set"] = [separation.to_json() for separation in separations]
    cut = None
    if options.boxes:
        details["boxes"], cut = measure_boxes(
            view, answered, propose_boxes(view, answered.faces, options.detector, progress)
        )
    if options.robust:
        details["robustness"] = measure_robustness(view, choose_altered(answered.faces), progress)
    asked_pictures = [(face.path, face.box) for face in answered.faces]
    metrics["latency_ms"] = time_answers(view, asked_pictures, answered.features)
    metrics["details"] = details
    return Evaluation(metrics, view, manifest, answered, tuple(separations), cut)


def _refuse_contradictions(options: Options, unknowns: Sequence[Unknowns]) -> None:
    if options.taught and not options.gallery:
        raise BadInputError(f"{options.protocol} teaches through the gallery: it cannot be left out.")
    if options.protocol == "open-set" and not unknowns:
        raise BadInputError("open-set needs strangers: give --unknown or --unknown-data.")


def _refuse_queried_unknowns(tasks: Sequence[Draw], unknowns: Sequence[Unknowns]) -> None:
    asked = {face.label for task in tasks for face in task.queries}
    both = sorted(asked & {label for group in unknowns for label in group.labels})
    if both:
        raise BadInputError(f"{both[0]} is asked as known and shown as a stranger ({len(both)} labels).")


class _Features:
    """The features of every picture of a protocol in every view, each computed once."""

    def __init__(self, classifier: Classifier, faces: Sequence[Face], progress: Progress) -> None:
        self._rows = {face.path: row for row, face in enumerate(faces)}
        pictures = [(face.path, face.box) for face in faces]
        self._values = extract_pictures(classifier.backbone, pictures, progress)

    def of(self, faces: Sequence[Face]) -> np.ndarray:
        return self._values[[self._rows[face.path] for face in faces]]


def _list_faces(tasks: Sequence[Draw]) -> list[Face]:
    faces = [face for task in tasks for own in (task.queries, *task.references.values()) for face in own]
    return list({face.path: face for face in faces}.values())


def _ask_task(classifier: Classifier, task: Draw, features: _Features) -> tuple[Classifier, Answered]:
    """Forget whom the task teaches, teach them, ask."""
    view = classifier
    if task.references:
        known = sorted(set(task.references) & set(classifier.labels))
        taught = {label: features.of(own).mean(axis=1) for label, own in task.references.items()}
        view = classifier.without(known).teaching(taught)
    return view, ask(view, task.queries, view.settle(features.of(task.queries)))


def _describe_teaching(
    options: Options, tasks: Sequence[Draw], answered: Sequence[Answered]
) -> dict[str, Any]:
    """Return how many references were taught, and averages over draws; nothing if none were."""
    if not options.taught:
        return {}
    draws = []
    for number, one in enumerate(answered):
        measured = measure_answers(one)
        draws.append(
            {"seed": options.seed + number} | {name: measured[name] for name in ("queries", *AVERAGED)}
        )
    means = {name: round_rate(np.mean([draw[name] for draw in draws])) for name in AVERAGED}
    queries = round(np.mean([draw["queries"] for draw in draws]))
    interval = measure_interval(round(means["top1"] * queries), queries)
    return {
        "references": options.taught,
        "taught_characters": len(tasks[0].references),
        **means,
        "top1_interval": [round_rate(end) for end in interval],
        "draws": draws,
    }


def _separate_all(
    view: Classifier,
    known: np.ndarray,
    options: Options,
    unknowns: Sequence[Unknowns],
    progress: Progress,
) -> list[Separation]:
    models = [(view, options.gallery)]
    if options.protocol == "open-set" and options.gallery:
        models.append((view.without_gallery(), False))
    separations = []
    for group in unknowns:
        unknown = extract_pictures(view.backbone, group.pictures, progress)
        separations += [separate(model, known, group, unknown, gallery) for model, gallery in models]
    return separations
