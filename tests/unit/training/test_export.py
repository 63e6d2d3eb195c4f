"""What goes into a bundle, tried with the tiny model's network and characters of each kind."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawings import LABELS, draw_face

from classification import Classifier
from kyara.dataset.manifest import Manifest, read_manifests
from kyara.dataset.tagged import TaggedPictures, read_tagged
from kyara.errors import BadInputError
from kyara.recognition.answers import GATE_MEASURES
from kyara.recognition.bundle import load_bundle
from kyara.recognition.characters import Names
from kyara.training import export
from kyara.training.export import ExportSettings, choose_faces, export_bundle, export_labels
from kyara.training.recipes.multilabel import HeldOut
from kyara.training.trained import Trained
from kyara.vision.images import read_image

MANY, SOME, FEW, TAUGHT = (f"drawn/{label}" for label in LABELS)
FACES = {
    MANY: {"train": 24, "val": 3},
    SOME: {"train": 18, "val": 3},
    FEW: {"train": 5, "val": 2},
    TAUGHT: {"novel": 3},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("export") / "data"
    rng = np.random.default_rng(3)
    rows = []
    for character, (label, splits) in enumerate(FACES.items()):
        (root / label).mkdir(parents=True)
        for split, count in splits.items():
            for number in range(count):
                path = f"{label}/{split}-{number:02}.png"
                draw_face(character, rng).save(root / path)
                rows.append((path, LABELS[character], "The Drawn Four", split))
    with (root / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "work", "split"), *rows])
    return root


@pytest.fixture(scope="module")
def manifest(data: Path) -> Manifest:
    return read_manifests([data])


@pytest.fixture(scope="module")
def trained(tiny_model_folder: Path) -> Trained:
    bundle = load_bundle(tiny_model_folder / "tiny")
    return Trained(
        bundle.backbone.read_bytes(),
        bundle.preprocessing,
        tuple(f"drawn/{bundle.labels[row]}" for row in bundle.head_rows),
        bundle.head_weight,
        bundle.head_bias,
    )


@pytest.fixture
def write(trained: Trained, manifest: Manifest, data: Path, tmp_path: Path):
    def export_with(**settings):
        return export_bundle(
            trained,
            manifest,
            Names(),
            tmp_path / "model" / "candidate",
            settings=ExportSettings(**settings),
            provenance={"recipe": "test"},
            cache=data.parent / "bottlenecks",
        )

    return export_with


def count_references(bundle) -> dict[str, int]:
    return dict(Counter(bundle.labels[row] for row in bundle.gallery_rows))


def test_only_characters_with_many_drawings_have_a_column(write):
    bundle = write(head_from=20)
    assert [bundle.labels[row] for row in bundle.head_rows] == [MANY]
    assert bundle.labels == tuple(sorted((MANY, SOME, FEW)))
    assert {bundle.labels[row] for row in write(head_from=6).head_rows} == {MANY, SOME}


def test_columns_are_the_trained_ones(write, trained):
    bundle = write(head_from=1)
    for column, row in enumerate(bundle.head_rows):
        place = trained.labels.index(bundle.labels[row])
        np.testing.assert_array_equal(bundle.head_weight[:, column], trained.weight[:, place])
        assert bundle.head_bias[column] == trained.bias[place]


def test_the_gallery_holds_up_to_sixteen_training_faces_of_each(write, data):
    bundle = write()
    assert count_references(bundle) == {MANY: 16, SOME: 16, FEW: 5}
    for reference, row in zip(bundle.gallery_ids, bundle.gallery_rows, strict=True):
        assert (data / reference).is_file()
        assert reference.startswith(f"{bundle.labels[row]}/train-")


def test_references_are_features_as_served(write, data):
    bundle = write()
    (features,) = Classifier(bundle).backbone.extract([read_image(data / bundle.gallery_ids[0])])
    cosine = features @ bundle.gallery_features[0] / np.linalg.norm(features)
    assert cosine == pytest.approx(1, abs=1e-3)


def test_another_split_is_taught_though_not_trained_on(write, manifest):
    bundle = write(gallery_splits=("novel",))
    assert count_references(bundle)[TAUGHT] == 3
    (face,) = Classifier(bundle).identify([read_image(manifest.of_split("novel")[0].path)])
    assert face.answers[0].label == TAUGHT


def test_val_faces_ship_but_do_not_calibrate_themselves(write):
    without, bundle = write(), write(gallery_splits=("val",))
    assert bundle.calibration == without.calibration
    assert count_references(bundle)[FEW] == 7


def test_a_split_that_does_not_exist_is_refused(manifest):
    with pytest.raises(BadInputError, match="'nowhere'"):
        choose_faces(manifest, ExportSettings(gallery_splits=("nowhere",)))


def test_codes_do_not_become_names(write):
    assert all(character.name == {} for character in write().characters)


def test_the_bundle_says_what_its_threshold_lets_through(write):
    bundle = write(false_accept=0.25)
    facts = bundle.provenance["calibration"]
    assert facts["stated_false_accept"] == 0.25
    assert facts["strangers"] == "val faces without their character"
    assert facts["strangers_accepted"] == pytest.approx(0.25, abs=1 / facts["stranger_faces"])
    assert 0 <= facts["known_accepted"] <= 1
    assert bundle.provenance["recipe"] == "test"
    assert bundle.provenance["export"]["head_from"] == 20


def test_stricter_thresholds_let_fewer_strangers_through(write):
    strict, lax = (write(false_accept=rate).calibration.familiarity_threshold for rate in (0.05, 0.5))
    assert strict > lax


def test_characters_left_out_of_training_are_the_strangers(trained, manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "FEWEST_UNKNOWNS", 7)
    places = [place for place, label in enumerate(trained.labels) if label != FEW]
    shortened = Trained(
        trained.backbone,
        trained.preprocessing,
        tuple(trained.labels[place] for place in places),
        trained.weight[:, places],
        trained.bias[places],
    )
    settings = ExportSettings(head_from=1)
    bundle = export_bundle(
        *(shortened, manifest, Names(), tmp_path / "model"),
        settings=settings,
        provenance={},
        cache=tmp_path / "cache",
    )
    facts = bundle.provenance["calibration"]
    assert facts["strangers"] == "characters left out of training"
    assert facts["stranger_faces"] == 7


def test_kept_references_are_calibrated_anew_with_strangers(trained, write, manifest, tmp_path):
    kept = write()
    pictures = [face for face in manifest.of_split("val") if face.label in (MANY, FEW)]
    pictures += [replace(face, label="") for face in manifest.of_split("novel")]
    told = []
    bundle = export_bundle(
        replace(trained, kept=kept),
        manifest,
        Names(),
        tmp_path / "anew",
        settings=ExportSettings(false_accept=0.05),
        provenance={},
        cache=tmp_path / "cache",
        progress=told.append,
        pictures=pictures,
    )
    assert sum(told) == len(manifest.of_split("val")) + len(pictures), "no reference is looked at"
    for name in ("gallery_features", "gallery_rows", "head_weight", "head_bias", "head_rows"):
        np.testing.assert_array_equal(getattr(bundle, name), getattr(kept, name))
    assert bundle.characters == kept.characters
    assert (bundle.gallery_ids, bundle.preprocessing) == (kept.gallery_ids, kept.preprocessing)
    assert not kept.calibration.gate
    assert len(bundle.calibration.gate) == 1 + len(GATE_MEASURES)
    assert bundle.provenance["calibration"]["val_faces"] == len(manifest.of_split("val"))


@pytest.fixture
def tagged(data: Path, tmp_path: Path) -> TaggedPictures:
    (tmp_path / "images").mkdir()
    rows = [("Id", "Red", "Sci-Fi")]
    for number, path in enumerate(sorted(data.glob("drawn/*/train-*.png"))):
        (tmp_path / "images" / f"{number}.png").write_bytes(path.read_bytes())
        rows.append((str(number), str(int(LABELS[0] in path.parts)), "0"))
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return read_tagged(tmp_path)


def test_labels_are_exported_with_their_thresholds_and_frequencies(trained, tagged, tmp_path):
    two = Trained(
        trained.backbone,
        trained.preprocessing,
        tagged.labels,
        np.stack([trained.weight[:, 0], 0 * trained.weight[:, 0]], axis=1),
        np.array([0, -9], np.float32),
    )
    scores = np.where(tagged.truth, 2, -2).astype(np.float32)
    bundle = export_labels(two, HeldOut(scores, tagged.truth), tagged, tmp_path / "m", provenance={})
    assert bundle.task == "multi"
    assert [character.name for character in bundle.characters] == [{"en": "Red"}, {"en": "Sci-Fi"}]
    assert bundle.calibration.label_thresholds == pytest.approx((1 / (1 + np.exp(-2)), 1))
    assert bundle.provenance["label_frequencies"] == tagged.of_split("train").frequencies()
