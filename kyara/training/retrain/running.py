"""A retraining from start to end: dataset version, training, comparison; goes on where it was killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import kyara
from kyara.dataset.manifest import Manifest
from kyara.dataset.versions import DatasetVersion, make_version, read_version
from kyara.errors import BadInputError, KyaraError
from kyara.evaluation.compare import compare_bundles, write_comparison
from kyara.evaluation.protocols import Options
from kyara.evaluation.running import evaluate_bundle
from kyara.recognition.bundle import METRICS_FILE, Bundle, load_bundle
from kyara.recognition.characters import Names, read_names
from kyara.recognition.classifier import Classifier
from kyara.registry import open_models
from kyara.registry.gate import COMPARISON_FILE, Tolerances
from kyara.storage.atomic import replace_file
from kyara.storage.clock import stamp_time
from kyara.storage.jobs import (
    RUN_FOLDER,
    JobStatus,
    check_free,
    hold_job,
    read_order,
    read_status,
    write_order,
    write_status,
)
from kyara.training.checkpoints import read_history
from kyara.training.plan import LayerPlan, restore_plan
from kyara.training.retrain.continuing import continue_head
from kyara.training.retrain.watching import watch_run

_DATASET_NAMES = "characters.json"
"""Of the dataset folder: names that operators gave to new characters."""

Bar = Callable[[int, str], AbstractContextManager[Any]]
"""Makes a progress bar of a length, with a label."""


@dataclass(frozen=True)
class RetrainOrder:
    """What was asked for.

    Attributes:
        job: its name, and that of the candidate.
        recipe: as `train` has it.
        plan: fields of the recipe's plan, all of them.
        dataset: the dataset folder.
        further: dataset folders beside it.
        models: the model folder.
        cache: of embeddings; `bottlenecks` in Kyara 0.1.0.
        names: file of names; those of the serving bundle and of the dataset folder are known anyway.
        head_from: new drawings from which a character gets a column of the head.
        start_weights: recipe `finetune`; by default the serving bundle.
        tolerances: of the gate.
    """

    job: str
    recipe: str
    plan: Mapping[str, Any]
    dataset: str
    further: tuple[str, ...]
    models: str
    cache: str
    names: str
    head_from: int
    start_weights: str
    tolerances: Mapping[str, Any]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RetrainOrder:
        """Read what `order.json` holds.

        Raises:
            BadInputError: it holds something else.
        """
        try:
            renamed = {"cache" if name == "bottlenecks" else name: data[name] for name in data}
            return cls(**{**renamed, "further": tuple(data["further"])})
        except (KeyError, TypeError) as error:
            raise BadInputError(f"The job's order.json is of another Kyara: {error}.") from error

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(Path(folder) for folder in self.further)


Trainer = Callable[[RetrainOrder, DatasetVersion, Bundle, Names, Path, Mapping[str, Any]], None]
"""Trains another recipe than `head`: order, data, serving bundle, names, run folder, provenance."""


def make_order(runs: Path, order: RetrainOrder) -> None:
    """Note what is to be done.

    Raises:
        BadInputError: a job or a bundle of that name is there already.
    """
    check_free(runs, Path(order.models), order.job)
    write_order(runs, order.job, asdict(order))


def run_order(
    runs: Path,
    job: str,
    *,
    train: Trainer,
    bar: Bar = lambda length, label: nullcontext(),
) -> dict[str, Any]:
    """Do a job, or go on with it.

    Returns:
        The comparison.

    Raises:
        BusyError: another training runs.
        KyaraError: it failed; the status says why.
    """
    with hold_job(runs, job):
        order = RetrainOrder.from_json(read_order(runs, job))
        before = read_status(runs, job) or JobStatus(job, order.recipe)
        status = replace(before, recipe=order.recipe, stage="dataset", error="", falls=())
        status = replace(status, started_at=before.started_at or stamp_time())
        write_status(runs, status)
        try:
            return _Job(runs, order, train, bar).run(status)
        except Exception as error:
            told = str(error) if isinstance(error, KyaraError) else f"Unexpected: {error!r}"
            last = read_status(runs, job) or status
            write_status(runs, replace(last, stage="failed", error=told, seconds_left=None))
            raise


class _Job:
    def __init__(self, runs: Path, order: RetrainOrder, train: Trainer, bar: Bar) -> None:
        self.runs, self.order, self.train, self.bar = runs, order, train, bar
        self.folder = runs / order.job
        self.target = Path(order.models) / order.job

    def run(self, status: JobStatus) -> dict[str, Any]:
        order = self.order
        serving = load_bundle(self._find_serving(status))
        version = self._find_version(status, serving)
        status = replace(
            status,
            stage="training",
            serving=serving.name,
            dataset_version=version.id,
            epochs=int(order.plan.get("epochs", 0)),
        )
        write_status(self.runs, status)
        with watch_run(self.runs, status, self.folder / RUN_FOLDER):
            if not self.target.exists():
                self._train(serving, version)
        history = read_history(self.folder / RUN_FOLDER)
        loss = history[-1].get("loss") if history else None
        status = replace(status, stage="comparing", epoch=len(history), loss=loss)
        write_status(self.runs, status)
        comparison = self._compare(serving, version)
        falls = tuple(comparison["falls"])
        write_status(self.runs, replace(status, stage="done", falls=falls))
        return comparison

    def _find_serving(self, status: JobStatus) -> Path:
        """Return what served when the job began: it goes on from that."""
        with closing(open_models(Path(self.order.models))) as models:
            return models.find(status.serving) if status.serving else models.find_serving()

    def _find_version(self, status: JobStatus, serving: Bundle) -> DatasetVersion:
        dataset = Path(self.order.dataset)
        if status.dataset_version:
            return read_version(dataset, status.dataset_version, self.order.roots)
        pairs = dict(serving.provenance.get("same_as") or {})
        return make_version(dataset, self.order.roots, pairs)

    def _train(self, serving: Bundle, version: DatasetVersion) -> None:
        order, manifest = self.order, version.manifest
        provenance = {
            "kyara": kyara.__version__,
            "recipe": order.recipe,
            "plan": dict(order.plan),
            "dataset_version": version.id,
            "dataset_sha256": manifest.digest(),
            "faces": {split: _count(manifest, split) for split in ("train", "val", "test")},
            "retrained_from": {"name": serving.name, "version": serving.version},
            "same_as": dict(serving.provenance.get("same_as") or {}),
        }
        names = _gather_names(order, serving)
        run = self.folder / RUN_FOLDER
        if order.recipe != "head":
            self.train(order, version, serving, names, run, provenance)
            return
        plan = restore_plan(LayerPlan, order.plan)
        assert isinstance(plan, LayerPlan)
        with self.bar(_count(manifest, "train"), "Features") as shown:
            continue_head(
                serving,
                manifest,
                names,
                plan,
                run,
                self.target,
                head_from=order.head_from,
                cache=Path(order.cache),
                provenance=provenance,
                progress=_take_update(shown),
            )

    def _compare(self, serving: Bundle, version: DatasetVersion) -> dict[str, Any]:
        candidate, manifest = Classifier(self.target), version.manifest
        with self.bar(2 * _count(manifest, "test"), "Comparing") as shown:
            comparison = compare_bundles(
                Classifier(serving),
                candidate,
                manifest,
                cache=Path(self.order.cache),
                tolerances=Tolerances(**self.order.tolerances),
                progress=_take_update(shown),
            )
        comparison["data"]["dataset_version"] = version.id
        write_comparison(comparison, self.folder)
        text = (self.folder / COMPARISON_FILE).read_text(encoding="utf-8")
        replace_file(self.target / COMPARISON_FILE, text)
        known = set(candidate.labels)
        if any(face.split == "test" and face.label in known for face in manifest.faces):
            asked = manifest.having(lambda face: face.label in known)
            metrics = evaluate_bundle(candidate, asked, Options()).metrics
            text = json.dumps(metrics, ensure_ascii=False, indent=1) + "\n"
            replace_file(self.target / METRICS_FILE, text)
        return comparison


def _gather_names(order: RetrainOrder, serving: Bundle) -> Names:
    characters = {}
    files: Sequence[Path] = [Path(order.dataset) / _DATASET_NAMES]
    files = [path for path in files if path.is_file()] + ([Path(order.names)] if order.names else [])
    for path in files:
        characters |= read_names(path).characters
    characters |= {one.label: one for one in serving.characters}
    return Names(characters, dict(serving.provenance.get("same_as") or {}))


def _count(manifest: Manifest, split: str) -> int:
    return sum(face.split == split for face in manifest.faces)


def _take_update(shown: Any) -> Callable[[int], None]:
    return shown.update if shown is not None else lambda done: None
