"""Measures of groups, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kyara.evaluation.grouping import measure_groups

# the example of three groups: {a a a b}, {b b}, {c}
GROUPS = np.array([0, 0, 0, 0, 1, 1, 2])
CHARACTERS = ["a", "a", "a", "b", "b", "b", "c"]


def test_measures_worked_by_hand() -> None:
    found = measure_groups(GROUPS, CHARACTERS)
    # of a face's group, the share that is of its character: 3 × 3/4, 1/4, 2 × 1, 1
    assert found.precision == pytest.approx((3 * 3 / 4 + 1 / 4 + 2 + 1) / 7)
    # of a face's character, the share that is in its group: 3 × 1, 1/3, 2 × 2/3, 1
    assert found.recall == pytest.approx((3 + 1 / 3 + 2 * 2 / 3 + 1) / 7)
    f1 = 2 * found.precision * found.recall / (found.precision + found.recall)
    assert found.f1 == pytest.approx(f1)
    assert found.purity == pytest.approx((3 + 2 + 1) / 7)
    assert found.inverse_purity == pytest.approx((3 + 2 + 1) / 7)
    assert (found.faces, found.characters, found.groups, found.largest) == (7, 3, 3, 2)
    assert found.groups_per_character == pytest.approx((1 + 2) / 2)  # c has one face alone
    # 90% of 7 faces are 6.3: all three names; six of the seven faces are named rightly
    assert (found.names, found.named_right) == (3, pytest.approx(6 / 7))


def test_what_is_perfect_and_what_is_one_heap() -> None:
    perfect = measure_groups(np.array([5, 5, 9]), ["a", "a", "b"])
    measures = perfect.to_json()
    for name in ("purity", "inverse_purity", "precision", "recall", "f1", "homogeneity"):
        assert measures[name] == 1
    assert (perfect.adjusted_rand, perfect.completeness, perfect.names) == (1, 1, 2)
    heap = measure_groups(np.zeros(10, int), ["a"] * 9 + ["b"])
    assert (heap.names, heap.named_right, heap.recall) == (1, pytest.approx(0.9), 1)


def test_names_stop_at_nine_tenths_of_the_faces() -> None:
    groups = np.array([0] * 9 + [1])
    assert measure_groups(groups, ["a"] * 9 + ["b"]).names == 1
