"""The gallery: exact comparison, and changes that leave the old gallery as it was."""

from __future__ import annotations

import numpy as np
import pytest

import kyara.recognition.gallery
from kyara.recognition.gallery import FEW_FACES, Gallery, choose_references, scale_to_unit


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(kyara.recognition.gallery, "BLOCK_REFERENCES", 7)


def draw(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 5)).astype(np.float32)


def make(features: np.ndarray, rows: list[int], classes: int) -> Gallery:
    names = [f"{number}.png" for number in range(len(rows))]
    return Gallery.empty(classes).add(features, np.array(rows), names, taught=False)


def compare_one_by_one(faces, features, rows, classes) -> tuple[np.ndarray, np.ndarray]:
    nearest, prototype = np.full((2, len(faces), classes), np.nan)
    for row in set(rows):
        own = scale_to_unit(features[[r == row for r in rows]])
        mean = own.mean(axis=0)
        for number, face in enumerate(scale_to_unit(faces)):
            nearest[number, row] = max(own @ face)
            prototype[number, row] = mean @ face / np.linalg.norm(mean)
    return nearest, prototype


def test_nearest_and_prototype_by_hand():
    gallery = make(np.array([[1, 0], [0, 2], [0.6, 0.8]], np.float32), [0, 0, 2], 3)
    nearest, prototype = gallery.compare(np.array([[3, 4]], np.float32))
    assert nearest[0, 0] == pytest.approx(0.8)
    assert nearest[0, 2] == pytest.approx(1.0)
    assert prototype[0, 0] == pytest.approx(1.4 / np.sqrt(2))
    assert prototype[0, 2] == pytest.approx(1.0)
    assert np.isnan([nearest[0, 1], prototype[0, 1]]).all()


@pytest.mark.parametrize("asked", [4, FEW_FACES + 1])
def test_comparison_agrees_with_one_by_one_whatever_the_order(asked):
    rows = np.random.default_rng(2).integers(0, 9, 60).tolist()
    features, faces = draw(60), draw(asked, 3)
    found = make(features, rows, 10).compare(faces)
    np.testing.assert_allclose(found, compare_one_by_one(faces, features, rows, 10), atol=1e-6)


def test_an_empty_gallery_knows_nobody():
    for found in Gallery.empty(3).compare(draw(2)):
        assert found.shape == (2, 3)
        assert np.isnan(found).all()
    assert Gallery.empty(0).compare(draw(2))[0].shape == (2, 0)
    assert make(draw(3), [0, 1, 1], 2).compare(draw(0))[0].shape == (0, 2)


def test_adding_and_removing_by_chance_is_as_if_built_at_once():
    rng = np.random.default_rng(4)
    gallery, features, rows, ids = Gallery.empty(1), draw(0), [], []
    faces = draw(3, 5)
    for step in range(60):
        if rng.random() < 0.6:
            new, row = draw(int(rng.integers(1, 12)), 100 + step), int(rng.integers(0, 12))
            names = [f"{step}-{number}" for number in range(len(new))]
            gallery = gallery.add(new, np.full(len(new), row), names, taught=True, classes=row + 1)
            features, rows, ids = np.concatenate([features, new]), rows + [row] * len(new), ids + names
        else:
            gone = rng.random(len(rows)) < 0.3
            gallery = gallery.remove(gone)
            features = features[~gone]
            rows = [row for row, leaves in zip(rows, gone, strict=True) if not leaves]
            ids = [name for name, leaves in zip(ids, gone, strict=True) if not leaves]
        assert gallery.rows.tolist() == rows
        assert list(gallery.ids) == ids
        expected = compare_one_by_one(faces, features, rows, gallery.classes)
        np.testing.assert_allclose(gallery.compare(faces), expected, atol=1e-5)
        if rows:
            taken = gallery.take(np.arange(len(rows)))
            np.testing.assert_allclose(taken, scale_to_unit(features), atol=1e-6)


def test_a_change_leaves_the_old_gallery_as_it_was():
    old = make(draw(10), [0] * 5 + [1] * 5, 2)
    faces = draw(3, 6)
    before = [found.copy() for found in old.compare(faces)]
    old.add(draw(3, 7), np.array([0, 1, 2]), ["", "", ""], taught=True, classes=3)
    old.remove(np.arange(10) % 2 == 0)
    np.testing.assert_array_equal(old.compare(faces), before)
    assert len(old.rows) == 10


def test_a_character_without_references_left_is_not_compared():
    gallery = make(draw(4), [0, 0, 1, 1], 2).remove(np.array([True, True, False, False]))
    nearest, _ = gallery.compare(draw(1))
    assert np.isnan(nearest[0, 0])
    assert gallery.lengths[0] == 0


def test_references_are_those_whose_mean_is_nearest_to_the_mean_of_all():
    angles = np.deg2rad([0, 10, 20, 90])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [2], [3], [4]]
    assert choose_references(features, 1).tolist() == [2]
    assert sorted(choose_references(features, 9).tolist()) == [0, 1, 2, 3]
