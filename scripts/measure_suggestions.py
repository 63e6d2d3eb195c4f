"""How much labelling do the tool's suggestions save, and what does a retraining make of them?

    python scripts/measure_suggestions.py FACES

FACES is a dataset of characters that the serving bundle knows. For ten of them:

1. Everything that the bundle knows of them is taken out: head columns and references. (Its network
   stays: it has seen their training drawings.)
2. Half of their training drawings, with their labels, is learned by the recipe `head`: the model before.
3. The other half is shown to that model. Where its first answer has a confidence of at least 0.9 the
   answer is taken for the label, right or wrong: no key was needed.
4. That is learned by `head` as well: the model after. Both are measured on FACES' `test`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from classification import Classifier  # noqa: E402
from kyara.cli.retrain import ADDED_LAYER, HEAD_FROM  # noqa: E402
from kyara.dataset.manifest import Face, Manifest, read_manifest  # noqa: E402
from kyara.evaluation.compare import compare_bundles  # noqa: E402
from kyara.recognition.bundle import Bundle, load_bundle, save_bundle  # noqa: E402
from kyara.recognition.characters import Names  # noqa: E402
from kyara.recognition.embeddings import extract_cached  # noqa: E402
from kyara.registry import find_serving  # noqa: E402
from kyara.registry.gate import Tolerances  # noqa: E402
from kyara.training.plan import LayerPlan  # noqa: E402
from kyara.training.retrain.continuing import continue_head  # noqa: E402

SURE = 0.9
FEWEST_TRAIN, FEWEST_TEST = 40, 4
"""Drawings that a character must have to be among the ten."""


def take_out(bundle: Bundle, labels: set[str], folder: Path) -> Bundle:
    """Write a bundle that knows nothing of some characters."""
    kept = [row for row, label in enumerate(bundle.labels) if label not in labels]
    new_row = {row: place for place, row in enumerate(kept)}
    columns = np.array([int(row) in new_row for row in bundle.head_rows], bool)
    references = np.array([int(row) in new_row for row in bundle.gallery_rows], bool)
    smaller = replace(
        bundle,
        characters=tuple(bundle.characters[row] for row in kept),
        head_weight=bundle.head_weight[:, columns],
        head_bias=bundle.head_bias[columns],
        head_rows=np.array([new_row[int(row)] for row in bundle.head_rows[columns]], np.int64),
        gallery_features=bundle.gallery_features[references],
        gallery_rows=np.array([new_row[int(r)] for r in bundle.gallery_rows[references]], np.int64),
        gallery_ids=tuple(
            name for name, stays in zip(bundle.gallery_ids, references.tolist(), strict=True) if stays
        ),
    )
    return save_bundle(smaller, folder)


def learn(serving: Bundle, manifest: Manifest, scratch: Path, name: str, cache: Path) -> Bundle:
    """Do what `retrain --recipe head` does."""
    return continue_head(
        serving,
        manifest,
        Names({one.label: one for one in load_bundle(find_serving()).characters}),
        LayerPlan(learning_rate=ADDED_LAYER["learning_rate"]),
        scratch / f"run-{name}",
        scratch / name,
        head_from=HEAD_FROM,
        cache=cache,
        provenance={},
    )


def measure_ten(comparison: dict, side: str, labels: set[str]) -> tuple[int, int]:
    """Return how many drawings of the ten are recognised, and how many there are."""
    own = [one for one in comparison["characters"] if one["label"] in labels]
    return sum(one[side] for one in own), sum(one["support"] for one in own)


@click.command()
@click.argument("faces", type=click.Path(path_type=Path))
@click.option("--seed", default=1, show_default=True, help="Of the choice of ten, and of the halves.")
@click.option("--bottlenecks", type=click.Path(path_type=Path), default=Path("runs/bottlenecks"))
def main(faces: Path, seed: int, bottlenecks: Path) -> None:
    """Print what was measured as JSON."""
    manifest, rng = read_manifest(faces), np.random.default_rng(seed)
    serving = load_bundle(find_serving())

    def count(label: str, split: str) -> int:
        return sum(face.label == label and face.split == split for face in manifest.faces)

    pool = [label for label in manifest.labels if label in serving.labels]
    pool = [x for x in pool if count(x, "train") >= FEWEST_TRAIN and count(x, "test") >= FEWEST_TEST]
    ten = {pool[place] for place in rng.permutation(len(pool))[:10]}
    shown = [face for face in manifest.faces if face.split == "train" and face.label in ten]
    groups = sorted({face.group for face in shown})
    first_groups = {groups[place] for place in rng.permutation(len(groups))[: len(groups) // 2]}
    first = tuple(face for face in shown if face.group in first_groups)
    second = tuple(face for face in shown if face.group not in first_groups)
    test = manifest.having(lambda face: face.split == "test")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        bare = take_out(serving, ten, scratch / "bare")
        before = learn(bare, replace(manifest, faces=first), scratch, "before", bottlenecks)
        model = Classifier(before)
        features = extract_cached(model.backbone, [face.path for face in second], bottlenecks)
        answers = [face.answers[0] for face in model.answer(features, top_k=1)]
        sure = [
            (face, answer.label)
            for face, answer in zip(second, answers, strict=True)
            if answer.confidence >= SURE
        ]
        labelled: tuple[Face, ...] = tuple(replace(face, label=label) for face, label in sure)
        both = replace(manifest, faces=(*first, *labelled))
        after = learn(bare, both, scratch, "after", bottlenecks)
        told = compare_bundles(
            model, Classifier(after), test, cache=bottlenecks, tolerances=Tolerances()
        )
    result = {
        "characters": sorted(ten),
        "first_half": len(first),
        "second_half": len(second),
        "no_key": len(sure),
        "no_key_wrong": sum(face.label != label for face, label in sure),
        "first_answer_wrong": sum(
            face.label != answer.label for face, answer in zip(second, answers, strict=True)
        ),
        "ten_before": measure_ten(told, "serving", ten),
        "ten_after": measure_ten(told, "candidate", ten),
        "before": told["serving"]["figures"],
        "after": told["candidate"]["figures"],
        "test_drawings": told["data"]["drawings"],
        "changed": told["changed_counts"],
        "falls": told["falls"],
    }
    click.echo(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
