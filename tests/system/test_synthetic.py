"""Synthetic embeddings: distributed as the real ones, drawn again from the same seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.synthetic import SyntheticFaces
from kyara.recognition.bundle import load_bundle
from kyara.recognition.gallery import scale_to_unit
from kyara.storage.paths import MODEL_FOLDER

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
Faces = tuple[np.ndarray, np.ndarray]
"""Features of unit length, and whom they show, sorted."""


@pytest.fixture(scope="module")
def real() -> Faces:
    bundle = load_bundle(MODEL_FOLDER / "people-8491")
    return scale_to_unit(bundle.gallery_features), bundle.gallery_rows


@pytest.fixture(scope="module")
def synthetic(real: Faces) -> Faces:
    """As many characters as the real ones, questions among their references."""
    block = SyntheticFaces(*real).draw(1, 0, int(real[1].max()) + 1)
    features = np.concatenate([block.features, block.queries])
    rows = np.concatenate([block.rows, block.query_rows])
    order = np.argsort(rows, kind="stable")
    return features[order], rows[order]


def measure_within(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosines of references to the next one of the same character."""
    same = rows[1:] == rows[:-1]
    return np.einsum("ij,ij->i", features[:-1][same], features[1:][same])


def measure_between(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosines of references of different characters."""
    one, other = np.random.default_rng(1).integers(0, len(rows), (2, 200_000))
    apart = rows[one] != rows[other]
    return np.einsum("ij,ij->i", features[one[apart]], features[other[apart]])


def measure_nearest(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosine of references to the nearest one of another character."""
    some = np.random.default_rng(1).choice(len(rows), 1000, replace=False)
    cosines = features[some] @ features.T
    cosines[rows[some][:, None] == rows] = -1
    return cosines.max(axis=1)


@pytest.mark.parametrize(
    ("measure", "farthest"),
    [(measure_within, 0.1), (measure_between, 0.04), (measure_nearest, 0.14)],
)
def test_similarities_are_distributed_as_the_real_ones(
    real: Faces, synthetic: Faces, measure: Callable[..., np.ndarray], farthest: float
) -> None:
    one, other = (np.quantile(measure(*faces), QUANTILES) for faces in (real, synthetic))
    np.testing.assert_allclose(other, one, atol=farthest)
    assert abs(one[3] - other[3]) < farthest / 2


def test_characters_have_as_many_references_as_the_real_ones(real: Faces, synthetic: Faces) -> None:
    one, other = (np.bincount(np.bincount(faces[1]), minlength=17)[1:17] for faces in (real, synthetic))
    np.testing.assert_allclose(other / other.sum(), one / one.sum(), atol=0.02)


def test_gaussian_noise_would_not_pass(real: Faces) -> None:
    features, rows = real
    noise = np.random.default_rng(2).multivariate_normal(features.mean(0), np.cov(features.T), len(rows))
    nearest = np.quantile(measure_nearest(scale_to_unit(noise), np.arange(len(rows))), QUANTILES)
    assert np.abs(nearest - np.quantile(measure_nearest(*real), QUANTILES)).max() > 0.14


def test_a_block_can_be_drawn_again_and_questions_are_of_characters_with_references(real: Faces) -> None:
    faces = SyntheticFaces(*real)
    one, again, other = faces.draw(3, 5, 500), faces.draw(3, 5, 500), faces.draw(3, 6, 500)
    np.testing.assert_array_equal(one.features, again.features)
    np.testing.assert_array_equal(one.queries, again.queries)
    assert not np.isin(one.features[:, 0], other.features[:, 0]).any()
    assert (one.rows.min(), one.rows.max() + 1) == (5 * 500, 6 * 500)
    assert (np.diff(one.rows) >= 0).all()
    assert np.isin(one.query_rows, one.rows).all()
    assert one.features.dtype == np.float32
    assert len(np.unique(one.query_rows)) == len(one.query_rows) > 50
    drawn = list(faces.draw_many(3, 20_000))
    assert sum(len(block.rows) for block in drawn[:-1]) < 20_000 <= sum(len(b.rows) for b in drawn)
