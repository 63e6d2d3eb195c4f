from __future__ import annotations

import numpy as np
import pytest
from paper_bundle import make_paper_bundle

from kyara.recognition.answers import GATE_MEASURES, score_open_set, weigh_measures
from kyara.recognition.bundle import Calibration
from kyara.recognition.head import softmax
from kyara.recognition.identities import Identities
from kyara.training.calibrate import (
    NOBODY,
    Evidence,
    calibrate,
    calibrate_gate,
    choose_label_thresholds,
    choose_merging,
    choose_threshold,
    choose_weighted_threshold,
    fit_gate,
    gather_evidence,
    match_scale,
    measure_balanced_top1,
    measure_unknowns,
)


def make_evidence(head_noise: float, gallery_noise: float, seed: int = 0, faces: int = 400) -> Evidence:
    """Return faces of 20 characters whose head and gallery are right up to noise."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 20, faces)
    truth = np.eye(20)[targets]
    head = 10 * (truth + head_noise * rng.normal(size=truth.shape))
    nearest = 0.3 * (truth + gallery_noise * rng.normal(size=truth.shape))
    return Evidence(
        head.astype(np.float32), nearest.astype(np.float32), nearest.astype(np.float32), targets
    )


def test_the_parts_of_a_bundle_are_asked_apart():
    evidence = gather_evidence(
        make_paper_bundle(), np.array([[1, 0, 0]], np.float32), np.array([0], np.int64)
    )
    np.testing.assert_array_equal(evidence.head, [[4, 0, np.nan]])
    np.testing.assert_allclose(evidence.nearest, [[np.nan, 0, 0.5**0.5]], rtol=1e-6)


def test_merged_evidence_is_what_serving_scores():
    bundle = make_paper_bundle()
    features = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    evidence = gather_evidence(bundle, features, np.zeros(5, np.int64))
    scores, similarities = Identities.of_bundle(bundle).score(features)
    np.testing.assert_array_equal(evidence.merge(bundle.calibration), scores)
    np.testing.assert_array_equal(evidence.nearest, similarities)
    np.testing.assert_array_equal(evidence.references, [0, 1, 2])


def test_strangers_are_faces_whose_character_is_left_out():
    bundle = make_paper_bundle()
    features = np.random.default_rng(2).normal(size=(12, 3)).astype(np.float32)
    targets = np.arange(12) % 3
    measured = measure_unknowns(gather_evidence(bundle, features, targets), bundle.calibration)
    for row, target in enumerate(targets):
        rest = Identities.of_bundle(bundle).without([bundle.labels[target]])
        open_set_scores = score_open_set(*rest.score(features[row : row + 1]), bundle.calibration)[0]
        assert measured[row] == pytest.approx(open_set_scores, rel=1e-5)


def test_the_loudness_of_the_gallery_is_matched_to_the_head():
    assert match_scale(make_evidence(0, 0)) == pytest.approx(10 / 0.3, rel=1e-5)


def test_a_model_without_a_head_has_a_scale():
    evidence = make_evidence(0, 0)
    headless = Evidence(
        np.full_like(evidence.head, np.nan), evidence.nearest, evidence.prototype, evidence.targets
    )
    assert match_scale(headless) > 0
    assert np.isfinite(headless.merge(choose_merging(headless))).all()


def test_the_better_part_is_given_the_larger_weight():
    assert choose_merging(make_evidence(0.05, 2.0)).gallery_weight <= 0.2
    assert choose_merging(make_evidence(2.0, 0.05)).gallery_weight >= 0.8


def test_of_two_parts_that_are_equally_good_the_one_that_can_be_taught_is_louder():
    assert choose_merging(make_evidence(0, 0)).gallery_weight >= 0.8


def test_two_parts_that_err_apart_are_better_together():
    evidence = make_evidence(0.45, 0.45)
    chosen = choose_merging(evidence)

    def top1(weight: float) -> float:
        scale = chosen.similarity_scale
        calibration = Calibration(similarity_scale=scale, gallery_weight=weight)
        return measure_balanced_top1(evidence.merge(calibration), evidence.targets)

    assert top1(chosen.gallery_weight) > max(top1(0.0), top1(1.0))


def test_balanced_top1_by_hand():
    # three faces of the first character, all right; one of the second, wrong: (3/4 + (1 + 0)/2) / 2
    scores = np.array([[1, 0], [1, 0], [1, 0], [1, 0]], np.float32)
    assert measure_balanced_top1(scores, np.array([0, 0, 0, 1])) == pytest.approx(0.625)


def test_the_stated_share_of_strangers_passes():
    unknowns = np.random.default_rng(0).normal(size=1001)
    for rate in (0.05, 0.1, 0.5):
        passed = (unknowns >= choose_threshold(unknowns, rate)).mean()
        assert passed == pytest.approx(rate, abs=0.002)


def test_calibrated_confidence_is_as_high_as_answers_are_right():
    evidence, unseen = (make_evidence(0.5, 0.6, seed, faces=2000) for seed in (0, 5))
    calibration = calibrate(evidence, evidence, 0.1)
    confidences = softmax(unseen.merge(calibration), calibration.temperature)
    right = (confidences.argmax(axis=1) == unseen.targets).mean()
    assert confidences.max(axis=1).mean() == pytest.approx(right, abs=0.05)
    unknowns = measure_unknowns(unseen, calibration) >= calibration.familiarity_threshold
    assert unknowns.mean() == pytest.approx(0.1, abs=0.03)


def test_label_thresholds_by_hand():
    # the first label is told apart at 0.6; the second never occurs
    probabilities = np.array([[0.9, 0.2], [0.6, 0.1], [0.5, 0.3], [0.1, 0.1]])
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], bool)
    assert choose_label_thresholds(probabilities, truth) == (0.6, 1.0)


def test_a_rare_label_that_cannot_be_told_is_not_said_of_every_picture():
    rng = np.random.default_rng(3)
    common, rare = rng.random(500) < 0.4, rng.random(500) < 0.02
    probabilities = np.stack([np.where(common, 0.7, 0.2), 0.02 + 0.001 * rng.random(500)], axis=1)
    truth = np.stack([common, rare], axis=1)
    thresholds = choose_label_thresholds(probabilities, truth)
    assert 0.2 < thresholds[0] <= 0.7
    assert (probabilities[:, 1] >= thresholds[1]).mean() < 0.2


def make_strangers(seed: int, faces: int = 300) -> Evidence:
    """Return faces of nobody among the 20 characters: noise alone."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(faces, 20)).astype(np.float32)
    nobody = np.full(faces, NOBODY, np.int64)
    return Evidence(3 * values, 0.1 * values, 0.1 * values, nobody)


def test_a_gate_lets_the_stated_share_of_strangers_through_and_is_honest():
    known, shown = ((make_evidence(0.5, 0.6, seed, 1500)) for seed in (0, 1))
    calibration = calibrate_gate(known, shown, [(make_strangers(2, 1500))], 0.05)
    unknowns = make_strangers(3, 3000)
    odds = unknowns.score_open_set(unknowns.merge(calibration), calibration)
    assert calibration.probable_threshold is not None
    assert (odds >= calibration.probable_threshold).mean() <= 0.08
    assert (odds >= calibration.familiarity_threshold).mean() <= 0.04
    assert calibration.probable_threshold <= calibration.familiarity_threshold
    unseen = make_evidence(0.5, 0.6, 9, 3000)
    scores = unseen.merge(calibration)
    sure = unseen.score_open_set(scores, calibration)
    right = scores.argmax(axis=1) == unseen.targets
    told = 1 / (1 + np.exp(-np.concatenate([sure, odds])))
    truth = np.concatenate([right, np.zeros(len(odds), bool)])
    assert truth[told > 0.9].mean() == pytest.approx(told[told > 0.9].mean(), abs=0.06)


def test_whoever_has_no_character_is_asked_against_all():
    unknowns = make_strangers(5, 10)
    calibration = Calibration()
    np.testing.assert_array_equal(unknowns.merge_without(calibration), unknowns.merge(calibration))


def test_a_gate_finds_what_tells_right_from_wrong():
    rng = np.random.default_rng(6)
    measures = rng.normal(size=(4000, 6)) * [2, 0.1, 1, 1, 0.1, 1]
    odds = 1 + 1.5 * measures[:, 0] + 10 * measures[:, 1] - 5 * measures[:, 4] + measures[:, 5]
    right = rng.random(4000) < 1 / (1 + np.exp(-odds))
    gate = fit_gate(measures, right, np.ones(4000))
    assert gate == pytest.approx((1, 1.5, 10, 0, 0, -5, 1), abs=1.2)
    assert np.corrcoef(weigh_measures(measures, gate), odds)[0, 1] > 0.99


def test_a_fitted_gate_trusts_nobody_for_a_lead_or_many_references():
    rng = np.random.default_rng(7)
    measures = rng.normal(size=(500, 6))
    right = measures[:, 2] + measures[:, 3] + rng.normal(size=500) > 0
    gate = dict(zip(GATE_MEASURES, fit_gate(measures, right, np.ones(500))[1:], strict=True))
    assert (gate["lead"], gate["references"]) == (0, 0)


def test_a_threshold_weighs_its_strangers():
    values, weights = np.array([3.0, 2, 1, 0]), np.array([1.0, 1, 1, 7])
    assert 2 < choose_weighted_threshold(values, weights, 0.1) < 3
    assert 0 < choose_weighted_threshold(values, weights, 0.35) < 1
    assert choose_weighted_threshold(values, weights, 0.0) > 3
