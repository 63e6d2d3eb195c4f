"""An evaluation of as many characters as a test wants, without asking the network about each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from classification import Classifier
from kyara.dataset.manifest import read_manifest
from kyara.evaluation.measuring import measure_answers
from kyara.evaluation.queries import ask
from kyara.evaluation.running import Evaluation

EVIL = "<script>alert('x')</script>\"&"


def make_big_evaluation(
    classifier: Classifier, data: Path, characters: int, *, evil: bool = False
) -> Evaluation:
    """Teach a model made-up characters and ask for each twice, with noise that makes mistakes.

    Args:
        classifier: a model.
        data: a dataset; its pictures stand for the made-up characters.
        characters: how many.
        evil: whether their labels try to become part of a page.
    """
    rng = np.random.default_rng(6)
    labels = [f"work_{n % 9}/{EVIL if evil else 'somebody'}_{n:04}" for n in range(characters)]
    dimension = classifier.bundle.head_weight.shape[0]
    centres = rng.normal(size=(characters, dimension)).astype(np.float32)
    model = classifier.without(classifier.labels).teaching(
        {label: centre[None] for label, centre in zip(labels, centres, strict=True)}
    )
    manifest = read_manifest(data)
    pictures = [manifest.faces[n % len(manifest.faces)] for n in range(2 * characters)]
    faces = tuple(
        replace(face, label=labels[n // 2], split="test", role="") for n, face in enumerate(pictures)
    )
    features = np.repeat(centres, 2, axis=0)
    noise = rng.normal(size=features.shape) * rng.uniform(0.5, 6, (len(features), 1))
    answered = ask(model, faces, (features + noise).astype(np.float32))
    metrics = {
        "protocol": "closed",
        "split": "test",
        "kind": None,
        "gallery": True,
        "auroc": None,
        "model_version": "1",
        "dataset_sha256": "0",
        "latency_ms": {"median": 1.0, "p95": 2.0, "answer_median": 0.5},
        **measure_answers(answered),
    }
    return Evaluation(metrics, model, replace(manifest, faces=faces), answered)
