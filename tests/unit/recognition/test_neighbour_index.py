"""The index beside a large gallery, forced upon small ones: the same answers as the exact search."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kyara.recognition.identities
from bench.synthetic import SyntheticFaces
from classification import Classifier
from kyara.recognition.bundle import Bundle, Character, load_bundle
from kyara.recognition.gallery import Gallery, scale_to_unit
from kyara.recognition.identities import Identities
from kyara.recognition.neighbour_index import MIN_REFERENCES, NeighbourIndex
from kyara.recognition.ranking import identify_embedded
from kyara.storage.paths import MODEL_FOLDER
from kyara.vision.images import read_image

HALF = 1e-3
"""How far the cosine of two float16 vectors may be from that of their originals."""


@pytest.fixture(scope="module")
def faces() -> SyntheticFaces:
    bundle = load_bundle(MODEL_FOLDER / "people-8491")
    return SyntheticFaces(bundle.gallery_features, bundle.gallery_rows)


@pytest.fixture(scope="module")
def drawn(faces: SyntheticFaces) -> tuple[Gallery, np.ndarray]:
    """A gallery of some thousand references, and questions."""
    block = faces.draw(11, 0, 3000)
    names = [f"{number}.png" for number in range(len(block.rows))]
    gallery = Gallery.empty(3000).add(block.features, block.rows, names, taught=False)
    return gallery, block.queries[:200]


@pytest.fixture(scope="module")
def indexed(drawn: tuple[Gallery, np.ndarray]) -> Gallery:
    return drawn[0].with_index()


def compare_narrowed(gallery: Gallery, face: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whom a face was compared with, and both cosines."""
    characters = gallery.propose(face)
    nearest, prototype = gallery.narrow(characters).compare(face[None])
    return characters, nearest[0], prototype[0]


def test_who_is_proposed_is_compared_as_exactly_as_without_an_index(drawn, indexed):
    gallery, asked = drawn
    nearest, prototype = gallery.compare(asked)
    for number, face in enumerate(asked):
        characters, near, mean = compare_narrowed(indexed, face)
        assert 0 < len(characters) < gallery.classes / 5
        np.testing.assert_allclose(near, nearest[number, characters], atol=HALF)
        np.testing.assert_allclose(mean, prototype[number, characters], atol=HALF)


def test_the_index_finds_the_nearest_character(drawn, indexed):
    gallery, asked = drawn
    nearest = np.nan_to_num(gallery.compare(asked)[0], nan=-1)
    found = [compare_narrowed(indexed, face) for face in asked]
    best = [characters[near.argmax()] for characters, near, _ in found]
    assert np.mean(np.array(best) == nearest.argmax(axis=1)) >= 0.99
    top = np.argsort(-nearest, axis=1)[:, :5]
    assert np.mean([np.isin(five, one[0]).mean() for five, one in zip(top, found, strict=True)]) >= 0.97


def test_an_index_leaves_the_gallery_it_was_made_of_as_it_was(drawn, indexed):
    gallery, asked = drawn
    assert gallery.index is None
    assert {block.dtype for block in gallery.blocks} == {np.dtype(np.float32)}
    assert {block.dtype for block in indexed.blocks} == {np.dtype(np.float16)}
    np.testing.assert_allclose(indexed.compare(asked[:5]), gallery.compare(asked[:5]), atol=HALF)


def test_what_is_added_is_found_at_once_and_what_is_removed_never(drawn, indexed):
    gallery, asked = drawn
    face = asked[0]
    own = compare_narrowed(indexed, face)[0]
    gone = np.isin(gallery.rows, own)
    smaller = indexed.remove(gone)
    assert smaller.index is not None
    assert smaller.index.left == np.count_nonzero(~gone)
    assert not np.isin(smaller.propose(face), own).any()
    assert not len(smaller.find_positions(own))
    new = np.stack([face, -face])
    larger = smaller.add(new, np.array([own[0], gallery.classes]), ["a", "b"], taught=True, classes=3001)
    characters, near, _ = compare_narrowed(larger, face)
    assert characters[near.argmax()] == own[0]
    assert near.max() == pytest.approx(1, abs=HALF)
    narrowed = larger.narrow(np.array([own[0], gallery.classes]))
    assert (narrowed.ids, narrowed.rows.tolist()) == (("a", "b"), [0, 1])
    assert own[0] not in larger.remove(np.array(larger.ids) == "a").propose(face)


def test_changes_by_chance_agree_with_the_exact_gallery(drawn, indexed):
    rng = np.random.default_rng(5)
    exact, other = drawn[0], indexed
    for step in range(12):
        if step % 2:
            gone = rng.random(len(exact.rows)) < 0.04
            exact, other = exact.remove(gone), other.remove(gone)
        else:
            new = rng.standard_normal((9, 256))
            rows = rng.integers(0, 3000 + step, 9)
            names = [f"{step}-{number}" for number in range(9)]
            exact, other = (
                one.add(new, rows, names, taught=True, classes=3012) for one in (exact, other)
            )
        assert other.index is not None
        assert exact.ids == other.ids
        np.testing.assert_allclose(other.lengths, exact.lengths, atol=HALF)
        some = np.unique(rng.integers(0, 3012, 40))
        np.testing.assert_array_equal(other.find_positions(some), exact.find_positions(some))
        np.testing.assert_allclose(
            other.narrow(some).compare(drawn[1][:3]),
            np.array(exact.compare(drawn[1][:3]))[:, :, some],
            atol=HALF,
        )


def test_an_index_of_which_most_was_removed_is_given_up(indexed):
    gone = np.zeros(len(indexed.rows), bool)
    gone[: len(gone) * 6 // 10] = True
    assert indexed.remove(gone).index is None


def make_crowd(tiny_bundle: Path) -> Bundle:
    """The tiny model and 1,500 characters beside it, some of them near to its own faces."""
    bundle, rng = load_bundle(tiny_bundle), np.random.default_rng(3)
    centres = scale_to_unit(rng.standard_normal((1500, bundle.head_weight.shape[0])))
    centres[:200] = bundle.gallery_features[rng.integers(0, len(bundle.gallery_rows), 200)]
    noise = scale_to_unit(rng.standard_normal((3000, centres.shape[1])))
    features = scale_to_unit(np.repeat(centres, 2, axis=0) + 0.6 * noise).astype(np.float16)
    count = len(bundle.characters)
    crowd = tuple(Character(f"crowd/c{number:04}", {"en": f"C {number}"}, {}) for number in range(1500))
    return replace(
        bundle,
        characters=(*bundle.characters, *crowd),
        gallery_features=np.concatenate([bundle.gallery_features, features.astype(np.float32)]),
        gallery_rows=np.concatenate([bundle.gallery_rows, count + np.repeat(np.arange(1500), 2)]),
        gallery_ids=(*bundle.gallery_ids, *("",) * len(features)),
        calibration=replace(bundle.calibration, gallery_weight=0.5),
    )


@pytest.fixture(scope="module")
def crowd(tiny_model_folder: Path) -> Bundle:
    return make_crowd(tiny_model_folder / "tiny")


def read_crops(tiny_data: Path) -> list[np.ndarray]:
    return [read_image(path) for path in sorted(tiny_data.rglob("*.png"))[::12]]


def test_the_classifier_gives_the_same_five_answers_with_an_index_as_without(crowd, tiny_data):
    crops = read_crops(tiny_data)
    exact, other = Classifier(crowd), Classifier(crowd, index_from=MIN_REFERENCES)
    assert other._identities.gallery.index is not None
    expected, found = (one.identify(crops) for one in (exact, other))
    assert len(crops) > 5
    for one, two in zip(expected, found, strict=True):
        assert one.verdict == two.verdict
        assert [answer.label for answer in one.answers] == [answer.label for answer in two.answers]
        for first, second in zip(one.answers, two.answers, strict=True):
            assert second.similarity == pytest.approx(first.similarity, abs=HALF)
        json.dumps(other.describe(two, "en"), allow_nan=False)
    for one, two in zip(expected, identify_embedded(other, crops), strict=True):
        assert [answer.label for answer in one.answers] == [each.label for each in two.answers.answers]
        assert two.references == tuple(exact.count_references()[answer.label] for answer in one.answers)
        json.dumps(two.complete(other.describe(two.answers, "en")), allow_nan=False)


def test_neighbours_are_found_through_the_index(crowd, tiny_data):
    exact, other = Classifier(crowd), Classifier(crowd, index_from=MIN_REFERENCES)
    features = exact.look(read_crops(tiny_data)[:4])
    for face in features:
        for label in (None, crowd.labels[1], "crowd/c0007"):
            expected, found = (one.nearest(face, label, 3) for one in (exact, other))
            assert [one.label for one in expected] == [one.label for one in found]
            assert [one.similarity for one in found] == pytest.approx(
                [one.similarity for one in expected], abs=HALF
            )
    with pytest.raises(KeyError):
        other.nearest(features[0], "nobody")


def test_what_is_taught_beside_an_index_is_answered_and_forgotten_again(crowd, tiny_data, tmp_path):
    crops = read_crops(tiny_data)
    classifier = Classifier(crowd, taught=tmp_path / "taught.db", index_from=MIN_REFERENCES)
    before = classifier.identify(crops[:1])[0].answers[0]
    classifier.teach("brand_new", [crops[0]])
    near = classifier.nearest(classifier.look(crops[:1])[0], None, 1)
    assert (near[0].label, near[0].taught) == ("brand_new", True)
    assert near[0].similarity == pytest.approx(1, abs=0.02)
    assert "brand_new" in [one.label for one in classifier.identify(crops[:1])[0].answers]
    again = Classifier(crowd, taught=tmp_path / "taught.db", index_from=MIN_REFERENCES)
    assert again._identities.gallery.index is not None
    assert again._identities.gallery.index.left == len(again._identities.gallery.rows)
    assert again.nearest(again.look(crops[:1])[0], None, 1)[0].label == "brand_new"
    classifier.forget("brand_new")
    assert classifier.identify(crops[:1])[0].answers[0].label == before.label
    assert "brand_new" not in classifier.labels


def test_a_smaller_gallery_is_searched_exactly(crowd):
    identities = Identities.of_bundle(crowd)
    assert identities.indexed(len(crowd.gallery_rows) + 1) is identities
    assert identities.indexed(None) is identities
    assert identities.narrow(crowd.gallery_features[0]) is identities


def test_without_the_library_the_exact_search_goes_on_and_the_log_says_so(crowd, monkeypatch, caplog):
    monkeypatch.setattr(kyara.recognition.identities, "has_library", lambda: False)
    identities = Identities.of_bundle(crowd)
    with caplog.at_level(logging.WARNING, logger="kyara"):
        assert identities.indexed(MIN_REFERENCES) is identities
    assert caplog.messages == [
        f"{len(crowd.gallery_rows):,} references are compared one by one with every face, because "
        'faiss is missing: pip install "kyara[scale]".'
    ]


def test_dimensions_that_four_does_not_divide_are_indexed_too():
    rng = np.random.default_rng(1)
    features = scale_to_unit(rng.standard_normal((1200, 30)).astype(np.float32))
    index = NeighbourIndex.build([features[:700], features[700:]], features, np.arange(1200))
    assert index.measure_bytes() > 0
    assert np.mean([number in index.propose(features[number]) for number in range(50)]) >= 0.98
