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
from kyara.recognition.bundle import Bundle, load_bundle
from kyara.recognition.gallery import scale_to_unit
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


def test_greys_are_recognised_more_often_than_before(tiny_bundle, made):
    crops, labels = draw_unseen(40)
    altered = [alter(crop) for alter in ALTERED.values() for crop in crops]
    right = []
    for bundle in (load_bundle(tiny_bundle), made):
        found = Classifier(bundle).identify(altered, top_k=1)
        right.append(sum(f.answers[0].label == own for f, own in zip(found, labels * 2, strict=True)))
    assert right[1] > right[0] or right[1] == len(altered)


def test_everything_else_stays(tiny_bundle, made):
    bundle = load_bundle(tiny_bundle)
    for name in ("head_weight", "head_bias", "head_rows", "gallery_features", "gallery_rows"):
        assert np.array_equal(getattr(made, name), getattr(bundle, name)), name
    assert replace(made.calibration) == bundle.calibration
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
