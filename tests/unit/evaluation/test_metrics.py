"""Measures against cases worked by hand; what is our own also against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    f1_score,
    precision_recall_curve,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from kyara.evaluation.metrics import (
    SEPARATORS,
    fit_temperature,
    measure_auroc,
    measure_average_precision,
    measure_calibration,
    measure_classes,
    measure_fpr_at_tpr,
    measure_interval,
    measure_labels,
    measure_macro_f1,
    measure_micro_f1,
    measure_separators,
    measure_sign_test,
    measure_top_k,
    trace_roc,
    trace_thresholds,
)
from kyara.recognition.head import score_features, softmax

RNG = np.random.default_rng(5)
TARGETS = RNG.integers(0, 6, 300)
SCORES = RNG.normal(size=(300, 6)) + 1.5 * np.eye(6)[TARGETS]
PREDICTED = SCORES.argmax(axis=1)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_agrees_with_scikit_learn(k):
    assert measure_top_k(SCORES, TARGETS, k) == pytest.approx(top_k_accuracy_score(TARGETS, SCORES, k=k))


def test_precision_recall_and_f1_of_a_case_worked_by_hand():
    # class 0: said 3 times, right twice, occurs twice; class 1: said once, wrong; class 2: never said
    ours = measure_classes(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 2]), 3)
    assert ours.precision == pytest.approx([2 / 3, 0, 0])
    assert ours.recall == pytest.approx([1, 0, 0])
    assert ours.f1 == pytest.approx([4 / 5, 0, 0])
    assert ours.support.tolist() == [2, 0, 2]
    assert measure_macro_f1(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 2])) == pytest.approx(2 / 5)


def test_measures_of_several_labels_of_a_case_worked_by_hand():
    said = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], bool)
    truth = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 0]], bool)
    ours = measure_labels(said, truth)
    assert ours.precision == pytest.approx([1 / 2, 1, 0])
    assert ours.recall == pytest.approx([1, 1, 0])
    assert ours.f1 == pytest.approx([2 / 3, 1, 0])
    assert ours.support.tolist() == [1, 2, 1]


def test_a_single_label_is_measured_as_a_label():
    ours = measure_labels(np.array([[True], [True], [False]]), np.array([[True], [False], [False]]))
    assert [values.tolist() for values in ours] == [[1 / 2], [1], [2 / 3], [1]]


def test_micro_f1_of_a_case_worked_by_hand():
    said, truth = np.array([[1, 1], [0, 1]], bool), np.array([[1, 0], [0, 1]], bool)
    assert measure_micro_f1(said, truth) == pytest.approx(2 * 2 / (3 + 2))
    assert measure_micro_f1(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0


def test_macro_f1_leaves_out_classes_without_faces():
    assert measure_macro_f1(np.array([0, 0, 1]), np.array([0, 0, 2])) == pytest.approx(1 / 2)


def test_auroc_of_a_case_worked_by_hand():
    # of 3 x 2 pairs: 9 and 5 lie above both, 3 is above 1 and ties with 3
    assert measure_auroc(np.array([9, 5, 3]), np.array([3, 1])) == pytest.approx(5.5 / 6)


def test_an_roc_worked_by_hand():
    false_rate, true_rate, thresholds = trace_roc(np.array([9.0, 5, 3]), np.array([3.0, 1]))
    assert thresholds.tolist() == [np.inf, 9, 5, 3, 1]
    assert true_rate == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert false_rate == pytest.approx([0, 0, 0, 1 / 2, 1])


def test_false_positives_of_a_case_worked_by_hand():
    # 2 of 4 positives lie above every negative; to let 3 pass, one of two negatives passes too
    positives, negatives = np.array([9.0, 8, 4, 1]), np.array([5.0, 3])
    assert measure_fpr_at_tpr(positives, negatives, 0.5) == 0
    assert measure_fpr_at_tpr(positives, negatives, 0.75) == 0.5
    assert measure_fpr_at_tpr(positives, negatives, 0.95) == 1


def test_auroc_refuses_one_kind_alone():
    with pytest.raises(ValueError, match="received 3 and 0"):
        measure_auroc(np.ones(3), np.ones(0))


def test_an_roc_refuses_one_kind_alone():
    with pytest.raises(ValueError, match="received 0 and 3"):
        trace_roc(np.ones(0), np.ones(3))


def test_calibration_bins_agree_with_scikit_learn():
    confidences = RNG.random(400)
    correct = RNG.random(400) < confidences
    accuracy, confidence = calibration_curve(correct, confidences, n_bins=15)
    error, bins = measure_calibration(confidences, correct)
    assert [entry["accuracy"] for entry in bins] == pytest.approx(accuracy)
    assert [entry["confidence"] for entry in bins] == pytest.approx(confidence)
    counts = np.histogram(confidences, np.linspace(0, 1, 16))[0]
    assert error == pytest.approx((np.abs(accuracy - confidence) * counts).sum() / 400)


def test_calibration_error_of_a_case_worked_by_hand():
    confidences = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, False, True, True])
    # bins: 0.95 against 0.5 (half the faces), 0.55 against 1.0 (the other half)
    error, bins = measure_calibration(confidences, correct, bins=10)
    assert error == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    assert [entry["count"] for entry in bins] == [2, 2]


def test_threshold_curves_of_one_label_agree_with_scikit_learn():
    values, truth = RNG.random(200).round(2), RNG.random(200) < 0.3
    curve = trace_thresholds(values, truth, int(truth.sum()))
    precision, recall, thresholds = precision_recall_curve(truth, values)
    assert curve.thresholds == pytest.approx(thresholds)
    assert curve.precision == pytest.approx(precision[:-1])
    assert curve.recall == pytest.approx(recall[:-1])
    for place in (0, 30, len(thresholds) - 1):
        oracle = f1_score(truth, values >= thresholds[place])
        assert curve.f1[place] == pytest.approx(oracle)
    assert curve.f1[curve.best] == curve.f1.max()


@pytest.mark.parametrize("separator", SEPARATORS)
def test_threshold_curves_of_recognition_agree_with_scikit_learn(separator):
    """Answers below the threshold are taken back; the oracle gets them as a class of their own."""
    values = measure_separators(softmax(SCORES))[separator]
    whole = trace_thresholds(values, PREDICTED == TARGETS, len(TARGETS))
    one = trace_thresholds(
        values[PREDICTED == 2], TARGETS[PREDICTED == 2] == 2, int((TARGETS == 2).sum())
    )
    for threshold in np.quantile(values, [0, 0.25, 0.5, 0.9]):
        kept = np.where(values >= threshold, PREDICTED, -1)
        for curve, options in (
            (whole, {"labels": range(6), "average": "micro"}),
            (one, {"labels": [2], "average": "micro"}),
        ):
            place = int(np.searchsorted(curve.thresholds, threshold))
            oracle = precision_recall_fscore_support(TARGETS, kept, **options)
            ours = curve.precision[place], curve.recall[place], curve.f1[place]
            assert ours == pytest.approx(oracle[:3])


def test_a_threshold_curve_worked_by_hand():
    curve = trace_thresholds(np.array([0.9, 0.6, 0.6, 0.2]), np.array([True, True, False, False]), 4)
    assert curve.thresholds.tolist() == [0.2, 0.6, 0.9]
    assert curve.precision == pytest.approx([2 / 4, 2 / 3, 1])
    assert curve.recall == pytest.approx([2 / 4, 2 / 4, 1 / 4])
    assert curve.f1 == pytest.approx([1 / 2, 4 / 7, 2 / 5])
    assert curve.best == 1
    with pytest.raises(ValueError, match="received none"):
        trace_thresholds(np.ones(0), np.ones(0, bool), 0)


def test_the_separators_of_a_case_worked_by_hand():
    separators = measure_separators(np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]]))
    assert tuple(separators) == SEPARATORS
    assert separators["top"] == pytest.approx([0.5, 1])
    assert separators["gap"] == pytest.approx([0.2, 1])
    assert separators["spread"] == pytest.approx([np.sqrt(0.14 / 9), np.sqrt(2 / 9)])
    assert measure_separators(np.ones((1, 1)))["gap"] == pytest.approx([1])


def test_average_precision_of_a_case_worked_by_hand():
    # found at precision 1, 2/3 and 3/5, a third of the recall each
    truth = np.array([True, False, True, False, True])
    area = measure_average_precision(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), truth)
    assert area == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert measure_average_precision(np.array([0.9, 0.8]), np.zeros(2, bool)) == 0


@pytest.mark.parametrize(
    ("hits", "count", "interval"),
    [(0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (42, 101, (0.3245, 0.5133))],
)
def test_the_interval_of_a_rate_is_wilsons(hits, count, interval):
    """z²/(n + z²) is 3.8415/13.8415 where nothing was hit."""
    assert measure_interval(hits, count) == pytest.approx(interval, abs=1e-4)


@pytest.mark.parametrize(
    ("lost", "won", "chance"), [(0, 0, 1), (0, 5, 1), (3, 1, 5 / 16), (4, 0, 1 / 16), (5, 5, 319 / 512)]
)
def test_the_sign_test_of_cases_worked_by_hand(lost, won, chance):
    assert measure_sign_test(lost, won) == pytest.approx(chance)


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
