"""Average linkage by sums: worked by hand, and the same as scikit-learn's over all pairs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from kyara.dataset.library.groups.linking import group_faces, link_faces
from kyara.errors import NotInstalledError
from kyara.recognition.gallery import scale_to_unit


def at(*degrees: float) -> np.ndarray:
    """Return unit vectors of the plane."""
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def draw_crowd(seed: int, faces: int = 120) -> np.ndarray:
    """Draw faces of some characters, some of which are alone."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, faces // 4, faces)
    centres = rng.normal(size=(faces // 4, 16))
    return scale_to_unit((centres[of] + 0.6 * rng.normal(size=(faces, 16))).astype(np.float32))


def test_groups_worked_by_hand() -> None:
    # 0° and 10° are one (cos 10° = 0.98); 40° is like them on average (0.77 and 0.87, mean 0.82), and
    # 80° is not: its cosines are 0.17, 0.34 and 0.77, mean 0.43
    assert link_faces(at(0, 10, 40, 80), 0.8).tolist() == [0, 0, 0, 1]
    assert link_faces(at(0, 10, 40, 80), 0.83).tolist() == [0, 0, 1, 2]
    assert link_faces(at(0, 10, 40, 80), 0.42).tolist() == [0, 0, 0, 0]
    # single linkage would chain these: each is like the next, and the ends are not
    assert len(set(link_faces(at(0, 30, 60, 90, 120, 150), 0.8).tolist())) == 3


@pytest.mark.parametrize("faces", [0, 1, 2])
def test_few_faces(faces: int) -> None:
    groups = link_faces(at(*range(faces)), 0.5)
    assert groups.tolist() == [0] * faces
    assert link_faces(at(0, 180), 0.5).tolist() == [0, 1]


@given(st.integers(0, 1000), st.floats(0.2, 0.8))
@settings(max_examples=30, deadline=None)
def test_the_groups_are_those_of_scikit_learn(seed: int, least: float) -> None:
    unit = draw_crowd(seed)
    oracle = AgglomerativeClustering(
        n_clusters=None,  # type: ignore[arg-type]  # its stub says int
        metric="cosine",
        linkage="average",
        distance_threshold=1 - least,
    )
    ours = link_faces(unit, least, neighbours=len(unit))
    assert adjusted_rand_score(ours, oracle.fit_predict(unit)) == pytest.approx(1)


def test_a_few_neighbours_give_nearly_the_groups_of_all() -> None:
    unit = draw_crowd(1, 400)
    whole = link_faces(unit, 0.5, neighbours=399)
    assert adjusted_rand_score(link_faces(unit, 0.5, neighbours=20), whole) > 0.98


def test_the_order_of_the_faces_changes_nothing() -> None:
    unit = draw_crowd(2)
    order = np.random.default_rng(0).permutation(len(unit))
    assert adjusted_rand_score(link_faces(unit, 0.5)[order], link_faces(unit[order], 0.5)) == 1


def test_hdbscan_leaves_faces_alone_and_numbers_every_one() -> None:
    unit = scale_to_unit(np.concatenate([at(0, 1, 2, 3), at(90, 91, 92, 93), at(200)]))
    groups = group_faces(unit, 0.9, "hdbscan")
    assert len(set(groups[:4])) == len(set(groups[4:8])) == 1
    assert len(set(groups.tolist())) == 3
    assert group_faces(at(0, 1), 0.9, "hdbscan").tolist() == [0, 1]


def test_hdbscan_without_scikit_learn_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(NotInstalledError, match=r"HDBSCAN needs scikit-learn.*`average` needs nothing"):
        group_faces(at(0, 1, 2, 3, 4, 5), 0.5, "hdbscan")
    assert group_faces(at(0, 1), 0.5).tolist() == [0, 0]
