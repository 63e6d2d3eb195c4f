"""A protocol from start to end: plan, ask, measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kyara.dataset.manifest import Face, Manifest
from kyara.errors import BadInputError
from kyara.evaluation.asking import Answered, Progress, ask, extract_pictures, time_answers
from kyara.evaluation.boxes import CutFaces, measure_boxes, propose_boxes
from kyara.evaluation.measuring import measure_answers, round_rate
from kyara.evaluation.metrics import measure_interval
from kyara.evaluation.protocols import Options, Strangers, Task, choose_split, plan_tasks
from kyara.evaluation.strangers import Separation, pool_separations, separate
from kyara.recognition.classifier import Classifier

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


def count_faces(manifest: Manifest, options: Options, strangers: Iterable[Strangers] = ()) -> int:
    """Return how often `evaluate_bundle` will report progress."""
    tasks = plan_tasks(manifest, options)
    boxes = len(tasks[0].queries) if options.boxes else 0
    return len(_list_paths(tasks)) + sum(len(group.paths) for group in strangers) + boxes


def evaluate_bundle(
    classifier: Classifier,
    manifest: Manifest,
    options: Options,
    *,
    strangers: Sequence[Strangers] = (),
    progress: Progress = lambda done: None,
) -> Evaluation:
    """Measure one protocol.

    Args:
        classifier: the loaded model.
        manifest: the dataset, its labels as the model has them.
        options: what to measure.
        strangers: groups of people whom the model does not know; `open-set` needs one.
        progress: called with 1 after each face, `count_faces` times.

    Raises:
        BadInputError: nothing to ask, a label that the model does not know, strangers who are also
            asked, or options that contradict each other.
    """
    _refuse_contradictions(options, strangers)
    tasks = plan_tasks(manifest, options)
    _refuse_asked_strangers(tasks, strangers)
    if not options.gallery:
        classifier = classifier.without_gallery()
    features = _Features(classifier, _list_paths(tasks), progress)
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
    separations = _separate_all(view, answered, options, strangers, progress)
    if separations:
        metrics |= pool_separations([one for one in separations if one.gallery == options.gallery])
        details["open_set"] = [separation.to_json() for separation in separations]
    cut = None
    if options.boxes:
        details["boxes"], cut = measure_boxes(
            view, answered, propose_boxes(view, answered.faces, options.detector, progress)
        )
    metrics["latency_ms"] = time_answers(view, answered.features, features.seconds_of(answered.faces))
    metrics["details"] = details
    return Evaluation(metrics, view, manifest, answered, tuple(separations), cut)


def _refuse_contradictions(options: Options, strangers: Sequence[Strangers]) -> None:
    if options.taught and not options.gallery:
        raise BadInputError(f"{options.protocol} teaches through the gallery: it cannot be left out.")
    if options.protocol == "open-set" and not strangers:
        raise BadInputError("open-set needs strangers: give --unknown or --unknown-data.")


def _refuse_asked_strangers(tasks: Sequence[Task], strangers: Sequence[Strangers]) -> None:
    asked = {face.label for task in tasks for face in task.queries}
    both = sorted(asked & {label for group in strangers for label in group.labels})
    if both:
        raise BadInputError(f"{both[0]} is asked as known and shown as a stranger ({len(both)} labels).")


class _Features:
    """The features of every picture of a protocol, each computed once."""

    def __init__(self, classifier: Classifier, paths: Sequence[Path], progress: Progress) -> None:
        self._rows = {path: row for row, path in enumerate(paths)}
        self._seconds: list[float] = []
        self._values = extract_pictures(classifier.backbone, paths, progress, seconds=self._seconds)

    def of(self, faces: Sequence[Face]) -> np.ndarray:
        return self._values[[self._rows[face.path] for face in faces]]

    def seconds_of(self, faces: Sequence[Face]) -> list[float]:
        return [self._seconds[self._rows[face.path]] for face in faces]


def _list_paths(tasks: Sequence[Task]) -> list[Path]:
    faces = [face for task in tasks for own in (task.queries, *task.references.values()) for face in own]
    return list(dict.fromkeys(face.path for face in faces))


def _ask_task(classifier: Classifier, task: Task, features: _Features) -> tuple[Classifier, Answered]:
    """Forget whom the task teaches, teach them, ask."""
    view = classifier
    if task.references:
        known = sorted(set(task.references) & set(classifier.labels))
        taught = {label: features.of(own) for label, own in task.references.items()}
        view = classifier.without(known).teaching(taught)
    return view, ask(view, task.queries, features.of(task.queries))


def _describe_teaching(
    options: Options, tasks: Sequence[Task], answered: Sequence[Answered]
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
    answered: Answered,
    options: Options,
    strangers: Sequence[Strangers],
    progress: Progress,
) -> list[Separation]:
    models = [(view, options.gallery)]
    if options.protocol == "open-set" and options.gallery:
        models.append((view.without_gallery(), False))
    separations = []
    for group in strangers:
        unknown = extract_pictures(view.backbone, group.paths, progress)
        separations += [
            separate(model, answered.features, group, unknown, gallery) for model, gallery in models
        ]
    return separations
