"""Learning's last step: what a recipe trained → a candidate bundle that serving can load.

Everything that is chosen from data (references, scales, temperature, thresholds) is chosen on features
from the converted backbone: the ones that will be served.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from anyascii import anyascii

from kyara.dataset.manifest import Face, Manifest, count_labels
from kyara.dataset.tagged import TaggedPictures
from kyara.errors import BundleError
from kyara.recognition.backbone import Backbone
from kyara.recognition.bundle import BACKBONE_FILE, Bundle, Calibration, Character, save_bundle
from kyara.recognition.characters import Names
from kyara.recognition.embeddings import extract_cached
from kyara.recognition.gallery import choose_references, scale_to_unit
from kyara.recognition.head import sigmoid
from kyara.training.calibrate import (
    NOBODY,
    Evidence,
    calibrate,
    calibrate_gate,
    choose_label_thresholds,
    gather_evidence,
    measure_unknowns,
)
from kyara.training.crops import FindFaces, read_told
from kyara.training.recipes.multilabel import HeldOut
from kyara.training.trained import Trained

Progress = Callable[[int], None]
"""Called with the number of pictures done since the last call."""
MOST_REFERENCES = 16
"""References a character; of more faces those are taken whose mean stands best for them all."""
FEWEST_UNKNOWNS = 100
"""So many faces of characters left out of training are needed to set the threshold by them."""


@dataclass(frozen=True)
class ExportSettings:
    """What a bundle is made of, beside what was trained.

    Attributes:
        head_from: training drawings from which a character has a column of the head; those with fewer
            are answered from the gallery.
        gallery_splits: splits beside `train` whose faces become references.
        false_accept: share of characters never shown that may be taken for known.
        references: at most so many a character.
    """

    head_from: int = 20
    gallery_splits: tuple[str, ...] = ()
    false_accept: float = 0.1
    references: int = MOST_REFERENCES


def choose_faces(
    manifest: Manifest, settings: ExportSettings, trained: Trained | None = None
) -> list[Face]:
    """Return the faces whose features the export needs: fewer where what was trained keeps references.

    Raises:
        BadInputError: a split does not exist.
    """
    splits = ("train", "val", *settings.gallery_splits)
    for split in splits:
        manifest.of_split(split)
    faces = [face for face in manifest.faces if face.split in splits]
    if trained is None or trained.kept is None:
        return faces
    strange = set(_list_left_out(manifest, trained))
    return [face for face in faces if face.split == "val" or face in strange]


def export_bundle(
    trained: Trained,
    manifest: Manifest,
    names: Names,
    folder: Path,
    *,
    settings: ExportSettings,
    provenance: Mapping[str, Any],
    cache: Path,
    progress: Progress = lambda done: None,
    find: FindFaces = read_told,
    pictures: Sequence[Face] = (),
) -> Bundle:
    """Write a trained network as a bundle that names one character a face.

    Args:
        trained: by a recipe.
        manifest: `train` gives references, `val` the calibration; characters that were not trained on
            are answered from the gallery.
        names: of the characters.
        folder: target `model/<name>`.
        settings: what goes into the head and the gallery.
        provenance: how it was made, for `bundle.json`.
        cache: folder for features; see `bottlenecks`.
        progress: called with 1 after each of `choose_faces`, and of the pictures.
        find: where the faces are in the dataset's pictures.
        pictures: whole pictures, each with the one face in it, on which a gate is fitted; none: no
            gate. Whose label the bundle does not know is a stranger.

    Raises:
        BadInputError: a split does not exist.
        BundleError: the converted network gives features that are not finite.
    """
    faces = choose_faces(manifest, settings, trained)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / BACKBONE_FILE
        path.write_bytes(trained.backbone)
        backbone = Backbone(path, trained.preprocessing, colourless=trained.colourless)
        boxes = [*find(faces), *read_told(pictures)]
        faces = [*faces, *pictures]
        values = extract_cached(backbone, [f.path for f in faces], cache, progress, boxes)
        if not np.isfinite(values).all():
            raise BundleError("The converted backbone gives features that are not finite numbers.")
        features = {face.path: row for face, row in zip(faces, values, strict=True)}
        measured = served = trained.kept
        if measured is None or served is None:
            ships = {"train", *settings.gallery_splits}
            # `val` may go into the gallery that ships, but not into the one that it calibrates
            bare = _assemble(trained, manifest, names, folder, path, settings, ships - {"val"})
            most = settings.references
            measured = served = _fill_gallery(bare, manifest, ships - {"val"}, features, most)
            if "val" in ships:
                served = _fill_gallery(bare, manifest, ships, features, most)
        calibration, facts = _calibrate(measured, manifest, trained, features, settings, pictures)
        bundle = replace(
            served,
            calibration=calibration,
            provenance={**provenance, "export": asdict(settings), "calibration": facts},
        )
        return save_bundle(bundle, folder)


def _assemble(
    trained: Trained,
    manifest: Manifest,
    names: Names,
    folder: Path,
    backbone: Path,
    settings: ExportSettings,
    taught: Collection[str],
) -> Bundle:
    """Put together everything but the gallery and the calibration."""
    drawings = count_labels(manifest.of_split("train"))
    columns = [
        n
        for n, label in enumerate(trained.labels)
        if drawings[label] >= settings.head_from and label not in names.left_out
    ]
    labels = sorted(
        {trained.labels[n] for n in columns}
        | {face.label for face in manifest.faces if face.split in taught}
    )
    labels = [label for label in labels if label not in names.left_out]
    row_of = {label: row for row, label in enumerate(labels)}
    dimension = trained.weight.shape[0]
    return Bundle(
        name=folder.name,
        version="",
        characters=tuple(names.find(label) for label in labels),
        preprocessing=trained.preprocessing,
        calibration=Calibration(),
        backbone=backbone,
        head_weight=trained.weight[:, columns],
        head_bias=trained.bias[columns],
        gallery_features=np.zeros((0, dimension), np.float32),
        gallery_rows=np.zeros(0, np.int64),
        colourless=trained.colourless,
        head_rows=np.array([row_of[trained.labels[n]] for n in columns], np.int64),
    )


def _fill_gallery(
    bundle: Bundle,
    manifest: Manifest,
    splits: Collection[str],
    features: Mapping[Path, np.ndarray],
    most: int,
) -> Bundle:
    """Choose up to so many faces of each character from some splits."""
    own: dict[str, list[Face]] = {label: [] for label in bundle.labels}
    for face in manifest.faces:
        if face.split in splits and face.label in own:
            own[face.label].append(face)
    chosen = [
        (row, faces[pick])
        for row, faces in enumerate(own.values())
        for pick in choose_references(_stack(faces, features), most)
    ]
    unit = scale_to_unit(_stack([face for _, face in chosen], features))
    return replace(
        bundle,
        # stored as float16: what is calibrated here is what will be loaded
        gallery_features=unit.astype(np.float16).astype(np.float32),
        gallery_rows=np.array([row for row, _ in chosen], np.int64),
        gallery_ids=tuple(anyascii(manifest.locate(face).as_posix()) for _, face in chosen),
    )


def _stack(faces: Sequence[Face], features: Mapping[Path, np.ndarray]) -> np.ndarray:
    width = len(next(iter(features.values())))
    return (
        np.stack([features[face.path] for face in faces]) if faces else np.zeros((0, width), np.float32)
    )


def _calibrate(
    bundle: Bundle,
    manifest: Manifest,
    trained: Trained,
    features: Mapping[Path, np.ndarray],
    settings: ExportSettings,
    pictures: Sequence[Face],
) -> tuple[Calibration, dict[str, Any]]:
    """Choose on `val`; return what was chosen and what to say of it."""
    known = _gather(bundle, manifest.of_split("val"), features)
    left_out = _list_left_out(manifest, trained)
    apart = len(left_out) >= FEWEST_UNKNOWNS
    unknowns = _gather(bundle, left_out, features) if apart else known
    if pictures:
        shown = _gather(bundle, pictures, features)
        nobody = _gather_nobody(bundle, pictures, features)
        calibration = calibrate_gate(known, shown, [unknowns, nobody], settings.false_accept)
    else:
        calibration = calibrate(known, unknowns, settings.false_accept)
    open_set_scores = known.score_open_set(known.merge(calibration), calibration)
    passed = measure_unknowns(unknowns, calibration) >= calibration.familiarity_threshold
    return calibration, {
        "val_faces": len(known.targets),
        "known_accepted": round(float((open_set_scores >= calibration.familiarity_threshold).mean()), 4),
        "strangers": "characters left out of training" if apart else "val faces without their character",
        "stranger_faces": len(unknowns.targets),
        "stated_false_accept": settings.false_accept,
        "strangers_accepted": round(float(passed.mean()), 4),
    }


def _list_left_out(manifest: Manifest, trained: Trained) -> list[Face]:
    """Return the faces of characters that the features were not trained on."""
    shown = trained.labels if trained.shown is None else trained.shown
    return [
        face for face in manifest.faces if face.split in ("train", "val") and face.label not in shown
    ]


def _gather(bundle: Bundle, faces: Sequence[Face], features: Mapping[Path, np.ndarray]) -> Evidence:
    row_of = {label: row for row, label in enumerate(bundle.labels)}
    known = [face for face in faces if face.label in row_of]
    targets = np.array([row_of[face.label] for face in known], np.int64)
    return gather_evidence(bundle, _stack(known, features), targets)


def _gather_nobody(
    bundle: Bundle, pictures: Sequence[Face], features: Mapping[Path, np.ndarray]
) -> Evidence:
    """Ask about the faces in whole pictures whom the bundle does not know."""
    known = set(bundle.labels)
    strange = [face for face in pictures if face.label not in known]
    return gather_evidence(bundle, _stack(strange, features), np.full(len(strange), NOBODY, np.int64))


def export_labels(
    trained: Trained,
    held_out: HeldOut,
    data: TaggedPictures,
    folder: Path,
    *,
    provenance: Mapping[str, Any],
) -> Bundle:
    """Write a trained network as a bundle that gives a picture several labels.

    Args:
        trained: by the recipe `multilabel`.
        held_out: gives the thresholds.
        data: the dataset.
        folder: target `model/<name>`.
        provenance: how it was made, for `bundle.json`.
    """
    thresholds = choose_label_thresholds(sigmoid(held_out.scores), held_out.truth)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / BACKBONE_FILE
        path.write_bytes(trained.backbone)
        bundle = Bundle(
            name=folder.name,
            version="",
            characters=tuple(
                Character(label, {"en": name}, {})
                for label, name in zip(data.labels, data.names, strict=True)
            ),
            preprocessing=trained.preprocessing,
            calibration=Calibration(label_thresholds=thresholds),
            backbone=path,
            head_weight=trained.weight,
            head_bias=trained.bias,
            gallery_features=np.zeros((0, len(trained.weight)), np.float32),
            gallery_rows=np.zeros(0, np.int64),
            provenance={**provenance, "label_frequencies": data.of_split("train").frequencies()},
            task="multi",
            colourless=trained.colourless,
        )
        return save_bundle(bundle, folder)
