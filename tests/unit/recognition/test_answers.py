from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kyara.recognition.answers import choose_answers, merge_scores, score_open_set
from kyara.recognition.bundle import Calibration, Character

CHARACTERS = tuple(Character(label, {}, {}) for label in ("a", "b", "c"))
NO_REFERENCES = np.full((1, 3), np.nan, np.float32)


def test_answers_are_ranked_with_calibrated_confidence():
    scores = np.log([[1, 6, 3]]).astype(np.float32)
    (face,) = choose_answers(scores, NO_REFERENCES, CHARACTERS, Calibration(), top_k=2)
    assert [answer.label for answer in face.answers] == ["b", "c"]
    assert [answer.confidence for answer in face.answers] == pytest.approx([0.6, 0.3])
    assert face.answers[0].similarity is None
    assert face.verdict == "known"


def test_temperature_changes_confidence_but_not_the_order():
    scores = np.array([[1.0, 3.0, 2.0]], np.float32)
    sharp, soft = (
        choose_answers(scores, NO_REFERENCES, CHARACTERS, Calibration(t))[0].answers for t in (0.5, 5)
    )
    assert [a.label for a in sharp] == [a.label for a in soft] == ["b", "c", "a"]
    assert sharp[0].confidence > soft[0].confidence


def test_a_face_below_the_threshold_is_unknown_and_still_has_guesses():
    scores = np.array([[0.0, 1.0, 0.0], [0.0, 9.0, 0.0]], np.float32)
    none = np.full((2, 3), np.nan, np.float32)
    far, near = choose_answers(scores, none, CHARACTERS, Calibration(1.0, 5.0))
    assert (far.verdict, near.verdict) == ("unknown", "known")
    assert len(far.answers) == 3


def test_a_near_reference_makes_a_face_more_familiar():
    scores = np.array([[0.0, 1.0, 0.0]], np.float32)
    near, far = np.array([[0, 0.9, 0]]), np.array([[0, 0.1, 0]])
    plain = Calibration()
    assert score_open_set(scores, near, plain) > score_open_set(scores, far, plain)


@pytest.mark.parametrize(("scores", "top_k"), [(np.zeros((1, 3)), 0), (np.zeros((1, 2)), 1)])
def test_choose_answers_refuses(scores, top_k):
    with pytest.raises(ValueError, match=str(top_k)):
        choose_answers(scores, NO_REFERENCES, CHARACTERS, Calibration(), top_k)


def test_scores_are_merged_by_the_formula():
    nan = np.nan
    head = np.array([[4, 4, nan, nan]])
    nearest = np.array([[nan, 0.8, 0.8, nan]])
    prototype = np.array([[nan, 0.6, 0.6, nan]])
    calibration = Calibration(similarity_scale=10, gallery_weight=0.25)
    (scores,) = merge_scores(head, nearest, prototype, calibration)
    expected = [4, 0.75 * 4 + 0.25 * 10 * 0.8, 10 * (0.75 * 0.6 + 0.25 * 0.8)]
    assert scores[:3] == pytest.approx(expected)
    assert np.isnan(scores[3])


def test_with_a_gallery_of_no_weight_the_head_decides_alone():
    head, cosine = np.array([[4.0, -2.0]]), np.array([[0.1, 0.9]])
    assert merge_scores(head, cosine, cosine, Calibration()).tolist() == head.tolist()


@pytest.mark.parametrize(
    ("scores", "verdict", "labels"),
    [
        ([2, -1, 0], "known", ["a", "c"]),
        ([-9, 3, -9], "known", ["b"]),
        ([-3, -1, -2], "unknown", ["b", "c", "a"]),
        ([9, 9, 9], "known", ["a", "b", "c"]),
    ],
)
def test_independent_labels_are_those_above_their_own_thresholds(scores, verdict, labels):
    calibration = Calibration(label_thresholds=(0.7, 0.5, 0.4))
    given = np.array([scores], np.float32)
    (face,) = choose_answers(given, NO_REFERENCES, CHARACTERS, calibration, task="multi")
    assert face.verdict == verdict
    assert [answer.label for answer in face.answers] == labels
    confidences = [answer.confidence for answer in face.answers]
    assert confidences == pytest.approx([1 / (1 + np.exp(-max(scores))), *confidences[1:]])


def test_equal_scores_are_answered_in_the_order_of_the_characters():
    characters = tuple(Character(str(number), {}, {}) for number in range(500))
    scores = np.zeros((1, 500), np.float32)
    scores[0, 400] = 1
    (face,) = choose_answers(scores, np.full((1, 500), np.nan), characters, Calibration(), 4)
    assert [answer.label for answer in face.answers] == ["400", "0", "1", "2"]


def test_a_model_that_knows_nobody_answers_unknown():
    nobody = np.zeros((2, 0), np.float32)
    assert [face.verdict for face in choose_answers(nobody, nobody, (), Calibration())] == [
        "unknown"
    ] * 2


GATED = Calibration(
    gate=(-6.0, 1.0, 4.0, 0.5, 1.0), familiarity_threshold=2.0, probable_threshold=0.0, temperature=2.0
)


def test_a_gate_tells_known_from_probable_and_unknown():
    scores = np.array([[6.0, 0, 0], [4.0, 0, 0], [2.0, 1.9, 0]], np.float32)
    similarities = np.full((3, 3), 0.25, np.float32)
    odds = score_open_set(scores, similarities, GATED)
    assert odds == pytest.approx([-6 + 6 + 1 + 3, -6 + 4 + 1 + 2, -6 + 2 + 1 + 0.05], abs=1e-5)
    faces = choose_answers(scores, similarities, CHARACTERS, GATED)
    assert [face.verdict for face in faces] == ["known", "probably", "unknown"]


def test_with_a_gate_the_first_confidence_is_its_probability_and_the_others_are_no_higher():
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 3, (50, 3)).astype(np.float32)
    similarities = rng.uniform(0, 0.9, (50, 3)).astype(np.float32)
    odds = score_open_set(scores, similarities, GATED)
    for face, log_odds in zip(
        choose_answers(scores, similarities, CHARACTERS, GATED), odds, strict=True
    ):
        first, *others = [answer.confidence for answer in face.answers]
        assert first == pytest.approx(1 / (1 + np.exp(-log_odds)))
        assert others == sorted(others, reverse=True)
        assert all(0 <= other <= min(first, 1 - first) + 1e-9 for other in others)


def test_without_probable_a_face_is_known_or_unknown():
    scores = np.array([[0.0, 1.0, 0.0]], np.float32)
    (face,) = choose_answers(scores, NO_REFERENCES[:1], CHARACTERS, Calibration(1.0, 5.0))
    assert face.verdict == "unknown"


def test_a_model_of_one_character_has_no_second_to_lead():
    scores, similarities = np.array([[3.0]], np.float32), np.array([[0.5]], np.float32)
    assert score_open_set(scores, similarities, GATED) == pytest.approx([-6 + 3 + 2])


def test_a_longer_gate_weighs_the_mean_of_the_references_and_the_head_too():
    longer = replace(GATED, gate=(*GATED.gate, 2.0, -3.0))
    scores = np.array([[6.0, 0, 0], [0, 4.0, 0], [0, 0, 2.0]], np.float32)
    similarities = np.full((3, 3), 0.25, np.float32)
    prototypes = np.array([[0.5, 0, 0], [0, 0.1, 0], [0, 0, np.nan]], np.float32)
    counts, headed = np.array([3, 1, 0]), np.array([True, False, False])
    told = (scores, similarities, counts, prototypes, headed)
    before = score_open_set(scores, similarities, GATED, counts)
    after = score_open_set(scores, similarities, longer, *told[2:])
    assert after - before == pytest.approx([2 * 0.5 - 3, 2 * 0.1, 0], abs=1e-6)
    assert score_open_set(scores, similarities, GATED, *told[2:]).tolist() == before.tolist()
    faces = choose_answers(
        scores, similarities, CHARACTERS, longer, references=counts, prototypes=prototypes, headed=headed
    )
    firsts = [face.answers[0].confidence for face in faces]
    assert firsts == pytest.approx((1 / (1 + np.exp(-after))).tolist())


def test_a_name_with_more_references_is_surer():
    scores, similarities = np.array([[4.0, 0, 0]] * 2, np.float32), np.full((2, 3), 0.25, np.float32)
    few, many = (
        score_open_set(scores, similarities, GATED, np.array([count, 9, 9]))[0] for count in (1, 15)
    )
    assert many - few == pytest.approx(np.log(16) - np.log(2))
    (face,) = choose_answers(
        scores[:1], similarities[:1], CHARACTERS, GATED, references=np.array([20, 0, 0])
    )
    assert face.verdict == "known"
