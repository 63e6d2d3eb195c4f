"""The recipe `head` of a retraining: the serving bundle goes on learning, and forgets nobody.

The network stays as it is, so what the bundle knows stays true: its references and its head's columns.

- Every new training drawing becomes a reference of its character, whoever that is, beside those that
  are there (`MOST_NEW_REFERENCES` at most, chosen as the export chooses).
- A layer is trained that is *added* to the serving head. It starts at zero and is held near zero (L2):
  the head moves away from what it was only as far as the drawings ask for. It is shown the new drawings
  and, in rehearsal, the references of everybody who has a column.
- A character with enough new drawings gets a column, which starts at its prototype.
- Calibration and thresholds stay: the comparison on held-out drawings says whether they still hold.

Source: rehearsal on kept exemplars: Rebuffi et al. 2017 (iCaRL), https://arxiv.org/abs/1611.07725; held
near the start: Li et al. 2018 (L2-SP), https://arxiv.org/abs/1802.01483; a column from a prototype:
Qi et al. 2018 (imprinting), https://arxiv.org/abs/1712.07136
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from anyascii import anyascii

from kyara.dataset.manifest import Face, Manifest, count_labels
from kyara.errors import BadInputError
from kyara.recognition.backbone import load_backbone
from kyara.recognition.bundle import Bundle, save_bundle
from kyara.recognition.characters import Names
from kyara.recognition.embeddings import extract_cached
from kyara.recognition.gallery import choose_references, scale_to_unit
from kyara.training.crops import read_told
from kyara.training.layer import fit_layer
from kyara.training.plan import LayerPlan, claim_run

MOST_NEW_REFERENCES = 64
"""New references a character; of more drawings those are taken whose mean stands best for them all."""
REFERENCE_PREFIX = "dataset/"
"""Of the names of references that a retraining added: the next one replaces them."""


@dataclass(frozen=True)
class Lessons:
    """The training drawings, as features.

    Attributes:
        faces: N drawings.
        features: `float32 (N, features)`.
        ids: the name of each as a reference.
    """

    faces: Sequence[Face]
    features: np.ndarray
    ids: Sequence[str]


def continue_head(
    serving: Bundle,
    manifest: Manifest,
    names: Names,
    plan: LayerPlan,
    run: Path,
    folder: Path,
    *,
    head_from: int,
    cache: Path,
    provenance: Mapping[str, Any],
    progress: Callable[[int], None] = lambda done: None,
) -> Bundle:
    """Train on from the serving bundle and write the candidate.

    Args:
        serving: the bundle to go on from.
        manifest: the dataset; its `train` is learned from, its `val` is kept out.
        names: of new characters.
        plan: of the layer.
        run: folder for the checkpoint; a killed run goes on from there.
        folder: target `model/<name>`.
        head_from: new drawings from which a character without a column gets one.
        cache: folder for features.
        provenance: how it was made, for `bundle.json`.
        progress: called with 1 after each training drawing.

    Raises:
        BadInputError: the bundle gives independent labels, or the run belongs to other data.
    """
    if serving.task != "single":
        raise BadInputError(f"{serving.name} gives independent labels; it is trained anew with train.")
    backbone = load_backbone(serving)
    claim_run(run, plan, manifest, network=backbone.fingerprint, serving=serving.version)
    faces = manifest.of_split("train")
    paths = [face.path for face in faces]
    features = extract_cached(backbone, paths, cache, progress, read_told(faces))
    ids = [REFERENCE_PREFIX + anyascii(manifest.locate(face).as_posix()) for face in faces]
    enrolments = Lessons(faces, features, ids)
    grown = _add_references(_add_characters(serving, enrolments, names), enrolments)
    trained = _train_head(_add_columns(grown, enrolments, head_from), enrolments, plan, run)
    return save_bundle(replace(trained, name=folder.name, provenance=dict(provenance)), folder)


def _add_characters(serving: Bundle, enrolments: Lessons, names: Names) -> Bundle:
    """Add those whom the bundle does not know; everybody keeps their row."""
    new = sorted({face.label for face in enrolments.faces} - set(serving.labels))
    return replace(serving, characters=(*serving.characters, *(names.find(label) for label in new)))


def _add_references(bundle: Bundle, enrolments: Lessons) -> Bundle:
    """Put the drawings of this version in the place of those of the versions before."""
    kept = _choose_kept(bundle, enrolments)
    features = [bundle.gallery_features[kept].astype(np.float32)]
    rows = [bundle.gallery_rows[kept]]
    ids = [name for name, stays in zip(bundle.gallery_ids, kept.tolist(), strict=True) if stays]
    unit = scale_to_unit(enrolments.features).astype(np.float16).astype(np.float32)
    for row, label in enumerate(bundle.labels):
        own = np.array([n for n, face in enumerate(enrolments.faces) if face.label == label], np.int64)
        if not len(own):
            continue
        picks = own[choose_references(enrolments.features[own], MOST_NEW_REFERENCES)]
        features.append(unit[picks])
        rows.append(np.full(len(picks), row, np.int64))
        ids += [enrolments.ids[pick] for pick in picks]
    # bundle.characters may have grown: rows are checked when it is saved
    return replace(
        bundle,
        gallery_features=np.concatenate(features),
        gallery_rows=np.concatenate(rows),
        gallery_ids=tuple(ids),
    )


def _choose_kept(bundle: Bundle, enrolments: Lessons) -> np.ndarray:
    """Tell which references stay, `bool (references,)`: those that no retraining added.

    Whoever has nothing else, and no drawing in this version, keeps what the versions before added.
    """
    kept = np.array([not name.startswith(REFERENCE_PREFIX) for name in bundle.gallery_ids], bool)
    learned = {face.label for face in enrolments.faces}
    known = {row for row, label in enumerate(bundle.labels) if label in learned}
    known |= {*bundle.head_rows.tolist(), *bundle.gallery_rows[kept].tolist()}
    return kept | ~np.isin(bundle.gallery_rows, list(known))


def _add_columns(bundle: Bundle, enrolments: Lessons, head_from: int) -> Bundle:
    """Give a column to characters that have enough drawings now."""
    counts = count_labels(enrolments.faces)
    rows = set(bundle.head_rows.tolist())
    new = [
        row for row, label in enumerate(bundle.labels) if row not in rows and counts[label] >= head_from
    ]
    if not new:
        return bundle
    lengths = np.linalg.norm(bundle.head_weight, axis=0)
    scale = float(lengths.mean()) if len(lengths) else bundle.calibration.similarity_scale
    features = bundle.gallery_features.astype(np.float32)
    prototypes = [
        scale_to_unit(features[bundle.gallery_rows == row].mean(axis=0)[None])[0] for row in new
    ]
    bias = float(bundle.head_bias.mean()) if len(bundle.head_bias) else 0.0
    return replace(
        bundle,
        head_weight=np.concatenate([bundle.head_weight, scale * np.stack(prototypes, axis=1)], axis=1),
        head_bias=np.concatenate([bundle.head_bias, np.full(len(new), bias, np.float32)]),
        head_rows=np.concatenate([bundle.head_rows, np.array(new, np.int64)]),
    )


def _train_head(bundle: Bundle, enrolments: Lessons, plan: LayerPlan, run: Path) -> Bundle:
    if not len(bundle.head_rows):
        return bundle
    column_of = {int(row): column for column, row in enumerate(bundle.head_rows)}
    row_of = {label: row for row, label in enumerate(bundle.labels)}
    shown = [n for n, face in enumerate(enrolments.faces) if row_of[face.label] in column_of]
    new = [column_of[row_of[enrolments.faces[n].label]] for n in shown]
    # references of before; those of this version are among the drawings
    old = [
        n
        for n, name in enumerate(bundle.gallery_ids)
        if not name.startswith(REFERENCE_PREFIX) and int(bundle.gallery_rows[n]) in column_of
    ]
    # references have unit length, the network's features may have another
    length = float(np.median(np.linalg.norm(enrolments.features, axis=1)))
    references = bundle.gallery_features[old].astype(np.float32)
    features = np.concatenate([enrolments.features[shown], references * length])
    targets = new + [column_of[int(bundle.gallery_rows[n])] for n in old]
    if not len(shown):
        return bundle
    weight, bias = fit_layer(
        features,
        np.eye(len(bundle.head_rows), dtype=np.float32)[targets],
        plan,
        run,
        task="single",
        start=(bundle.head_weight, bundle.head_bias),
        quiet=True,
    )
    return replace(bundle, head_weight=weight, head_bias=bias)
