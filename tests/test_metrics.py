"""Measures against scikit-learn and against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score, top_k_accuracy_score

from kyara.head import score_features, softmax
from kyara.metrics import (
    fit_temperature,
    measure_auroc,
    measure_calibration,
    measure_f1,
    measure_macro_f1,
    measure_top_k,
)

RNG = np.random.default_rng(5)
TARGETS = RNG.integers(0, 6, 300)
SCORES = RNG.normal(size=(300, 6)) + 1.5 * np.eye(6)[TARGETS]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_agrees_with_scikit_learn(k):
    assert measure_top_k(SCORES, TARGETS, k) == pytest.approx(top_k_accuracy_score(TARGETS, SCORES, k=k))


def test_f1_agrees_with_scikit_learn():
    predicted = SCORES.argmax(axis=1)
    oracle = f1_score(TARGETS, predicted, average=None)  # pyright: ignore[reportArgumentType]
    assert measure_f1(predicted, TARGETS, 6) == pytest.approx(oracle)
    assert measure_macro_f1(predicted, TARGETS, 6) == pytest.approx(
        f1_score(TARGETS, predicted, average="macro")
    )


def test_macro_f1_leaves_out_classes_without_faces():
    assert measure_macro_f1(np.array([0, 0]), np.array([0, 0]), 3) == 1


def test_auroc_agrees_with_scikit_learn_with_ties():
    positives, negatives = RNG.integers(2, 9, 80), RNG.integers(0, 6, 50)
    truth = np.repeat([1, 0], [80, 50])
    oracle = roc_auc_score(truth, np.concatenate([positives, negatives]))
    assert measure_auroc(positives, negatives) == pytest.approx(oracle)


def test_auroc_refuses_one_kind_alone():
    with pytest.raises(ValueError, match="received 3 and 0"):
        measure_auroc(np.ones(3), np.ones(0))


def test_calibration_error_of_a_case_worked_by_hand():
    confidences = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, False, True, True])
    # bins: 0.95 against 0.5 (half the faces), 0.55 against 1.0 (the other half)
    error, bins = measure_calibration(confidences, correct, bins=10)
    assert error == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    assert [entry["count"] for entry in bins] == [2, 2]


def test_the_fitted_temperature_recovers_the_one_that_made_the_scores():
    logits = np.random.default_rng(0).normal(size=(20_000, 5)) * 2
    chances = softmax(logits)
    draws = np.random.default_rng(1).random((20_000, 1))
    targets = (draws > chances.cumsum(axis=1)).sum(axis=1).clip(max=4)
    assert fit_temperature(logits * 3, targets) == pytest.approx(3, rel=0.05)


def test_softmax_of_a_case_worked_by_hand():
    assert softmax(np.array([[0.0, np.log(3)]]))[0] == pytest.approx([0.25, 0.75])
    assert softmax(np.array([[0.0, np.log(9)]]), 2)[0] == pytest.approx([0.25, 0.75])
    assert softmax(np.array([[0.0, 1000.0]]))[0] == pytest.approx([0, 1])


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_softmax_refuses_a_temperature_that_is_not_above_0(temperature):
    with pytest.raises(ValueError, match=str(temperature)):
        softmax(np.zeros((1, 2)), temperature)


def test_score_features_refuses_features_of_another_length():
    with pytest.raises(ValueError, match=r"received \(2, 3\)"):
        score_features(np.zeros((2, 3)), np.zeros((4, 5)), np.zeros(5))
