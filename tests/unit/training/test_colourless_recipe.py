"""The recipe `colourless`, on drawn faces: greys find their colours again, and all else stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from drawings import LABELS, draw_face
from PIL import Image

from classification import Classifier
from kyara.dataset.manifest import read_manifests
from kyara.errors import BadInputError
from kyara.recognition.backbone import load_backbone
from kyara.recognition.bundle import Bundle, Calibration, load_bundle, save_bundle
from kyara.recognition.gallery import scale_to_unit
from kyara.training.frozen import open_frozen
from kyara.training.plan import ColourlessPlan
from kyara.training.recipes.colourless import train_colourless
from kyara.vision.alterations import drain_colours, print_screentone

PLAN = ColourlessPlan(hidden=16, epochs=3, batch=16)
ALTERED = {"grey": drain_colours, "dotted": lambda pixels: print_screentone(pixels, 3)}


def draw_unseen(count: int) -> tuple[list[np.ndarray], list[str]]:
    rng = np.random.default_rng(99)
    characters = [number % len(LABELS) for number in range(count)]
    return [np.asarray(draw_face(one, rng)) for one in characters], [LABELS[one] for one in characters]


@pytest.fixture(scope="module")
def made(tiny_model_folder: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    manifest = read_manifests([tiny_data])
    cache = tmp_path_factory.mktemp("colourless")
    bundle = load_bundle(tiny_model_folder / "tiny")
    return train_colourless(bundle, manifest, PLAN, [None] * len(manifest.faces), cache)


@pytest.mark.parametrize("kind", list(ALTERED))
def test_faces_without_colours_come_nearer_to_themselves_in_colours(tiny_bundle, made, kind):
    crops, _ = draw_unseen(16)
    before, after = load_backbone(load_bundle(tiny_bundle)), load_backbone(made)
    in_colours = scale_to_unit(before.extract(crops))
    altered = [ALTERED[kind](crop) for crop in crops]
    cosines = [
        (scale_to_unit(network.extract(altered)) * in_colours).sum(axis=1).mean()
        for network in (before, after)
    ]
    assert cosines[1] > cosines[0]


def test_they_come_nearer_to_the_references_of_their_characters(tiny_bundle, made):
    crops, labels = draw_unseen(40)
    altered = [alter(crop) for alter in ALTERED.values() for crop in crops]
    own = []
    for bundle in (load_bundle(tiny_bundle), made):
        classifier = Classifier(bundle)
        _, similarities = classifier.score(classifier.backbone.extract(altered))
        columns = [classifier.columns[label] for label in labels * 2]
        own.append(float(similarities[np.arange(len(columns)), columns].mean()))
    assert own[1] > own[0]


def test_everything_else_stays(tiny_bundle, made):
    bundle = load_bundle(tiny_bundle)
    for name in ("head_weight", "head_bias", "head_rows", "gallery_features", "gallery_rows"):
        assert np.array_equal(getattr(made, name), getattr(bundle, name)), name
    for name in ("characters", "preprocessing", "calibration", "gallery_ids", "name"):
        assert getattr(made, name) == getattr(bundle, name), name
    assert made.backbone.read_bytes() == bundle.backbone.read_bytes()


@pytest.fixture
def half_grey(tiny_data: Path, tmp_path: Path) -> Path:
    """A dataset in which one character, of whom the bundle has references, was drawn without colours."""
    folder = tmp_path / "half-grey"
    for number, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for path in sorted((tiny_data / label).iterdir())[:12]:
            pixels = np.asarray(Image.open(path).convert("RGB"))
            shown = drain_colours(pixels) if number == 0 else pixels
            Image.fromarray(shown).save(folder / label / path.name)
    return folder


def test_references_without_colours_are_made_again(tiny_bundle, half_grey, tmp_path):
    bundle = load_bundle(tiny_bundle)
    manifest = read_manifests([half_grey])
    made = train_colourless(bundle, manifest, PLAN, [None] * len(manifest.faces), tmp_path / "cache")
    changed = (made.gallery_features != bundle.gallery_features).any(axis=1)
    grey = {
        manifest.locate(face).as_posix() for face in manifest.faces if face.label == LABELS[0]
    } & set(bundle.gallery_ids)
    assert grey
    assert {bundle.gallery_ids[place] for place in np.flatnonzero(changed)} == grey
    place = int(np.flatnonzero(changed)[0])
    pixels = np.asarray(Image.open(half_grey / bundle.gallery_ids[place]).convert("RGB"))
    own = scale_to_unit(load_backbone(made).extract([pixels]))[0]
    assert float(own @ made.gallery_features[place]) == pytest.approx(1, abs=1e-3)


def test_a_reference_of_another_character_with_the_same_name_stays(tiny_bundle, half_grey, tmp_path):
    """Names are relative to their dataset, so two datasets may use one twice."""
    bundle = load_bundle(tiny_bundle)
    first = bundle.labels.index(LABELS[0])
    other = (bundle.gallery_rows == first).nonzero()[0]
    moved = bundle.gallery_rows.copy()
    moved[other] = bundle.labels.index(LABELS[1])
    manifest = read_manifests([half_grey])
    boxes = [None] * len(manifest.faces)
    made = train_colourless(
        replace(bundle, gallery_rows=moved), manifest, PLAN, boxes, tmp_path / "cache"
    )
    assert np.array_equal(made.gallery_features, bundle.gallery_features)


def test_a_bundle_of_independent_labels_is_refused(tiny_bundle, tiny_data, tmp_path):
    count = len(load_bundle(tiny_bundle).characters)
    calibration = Calibration(label_thresholds=(0.5,) * count)
    tagger = replace(load_bundle(tiny_bundle), task="multi", calibration=calibration)
    manifest = read_manifests([tiny_data])
    with pytest.raises(BadInputError, match="independent labels"):
        train_colourless(tagger, manifest, PLAN, [None] * len(manifest.faces), tmp_path)


def test_a_dataset_without_colours_teaches_nothing(tiny_bundle, tmp_path):
    rng = np.random.default_rng(1)
    for label in LABELS:
        (tmp_path / "grey" / label).mkdir(parents=True)
        for number in range(3):
            draw_face(0, rng).convert("L").save(tmp_path / "grey" / label / f"{number}.png")
    manifest = read_manifests([tmp_path / "grey"])
    with pytest.raises(BadInputError, match="no face in colours"):
        train_colourless(load_bundle(tiny_bundle), manifest, PLAN, [None] * 12, tmp_path / "cache")


def test_the_command_writes_the_bundle_and_the_layer_goes_on(tiny_bundle, tiny_data, tmp_path):
    small = ("--hidden", "8", "--epochs", "1", "--models", tmp_path, "--cache", tmp_path / "cache")
    order = ("train", tiny_data, "--recipe", "colourless", "--features", tiny_bundle)
    done = run_kyara(*order, "--name", "layered", *small)
    assert "Candidate layered" in done.stdout
    bundle = load_bundle(tmp_path / "layered")
    assert bundle.colourless is not None
    assert bundle.colourless.hidden.shape[1] == 8
    assert bundle.provenance["colourless"]["plan"]["hidden"] == 8
    assert bundle.provenance["recipe"] == load_bundle(tiny_bundle).provenance["recipe"]
    anew = ("train", tiny_data, "--recipe", "gallery", "--features", tmp_path / "layered")
    run_kyara(*anew, "--name", "anew", "--models", tmp_path, "--cache", tmp_path / "cache")
    kept = load_bundle(tmp_path / "anew").colourless
    assert kept is not None
    assert np.array_equal(kept.linear, bundle.colourless.linear)
    assert "quantised" not in bundle.provenance["colourless"]


def test_a_head_on_the_features_of_a_bundle_keeps_its_layer(tiny_bundle, made, tmp_path):
    folder = tmp_path / "made"
    saved = load_backbone(save_bundle(made, folder))
    crop = ALTERED["grey"](draw_unseen(1)[0][0])
    for _ in range(2):  # made, and gone on with
        frozen = open_frozen(str(folder), 75, tmp_path / "run").load()
        assert np.array_equal(frozen.extract([crop]), saved.extract([crop]))
        assert frozen.fingerprint == saved.fingerprint
