from __future__ import annotations

import numpy as np
import pytest

from kyara.answers import choose_answers, measure_familiarity
from kyara.bundle import Calibration
from kyara.gallery import choose_references, compare_with_gallery

LABELS = ("a", "b", "c")
NO_REFERENCES = np.full((1, 3), np.nan, np.float32)


def test_similarity_is_the_highest_cosine_of_each_character():
    references = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    cosines = compare_with_gallery(np.array([[3, 4]], np.float32), references, np.array([0, 0, 2]), 3)
    assert cosines[0, 0] == pytest.approx(0.8)
    assert np.isnan(cosines[0, 1])
    assert cosines[0, 2] == pytest.approx(1.0)


def test_references_are_those_whose_mean_is_nearest_to_the_mean_of_all():
    angles = np.deg2rad([0, 10, 20, 90])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [2], [3], [4]]
    assert choose_references(features, 1).tolist() == [2]
    assert sorted(choose_references(features, 9).tolist()) == [0, 1, 2, 3]


def test_answers_are_ranked_with_calibrated_confidence():
    scores = np.log([[1, 6, 3]]).astype(np.float32)
    (face,) = choose_answers(scores, NO_REFERENCES, LABELS, Calibration(), top_k=2)
    assert [answer.label for answer in face.answers] == ["b", "c"]
    assert [answer.confidence for answer in face.answers] == pytest.approx([0.6, 0.3])
    assert face.answers[0].similarity is None
    assert face.verdict == "known"


def test_temperature_changes_confidence_but_not_the_order():
    scores = np.array([[1.0, 3.0, 2.0]], np.float32)
    sharp, soft = (
        choose_answers(scores, NO_REFERENCES, LABELS, Calibration(t))[0].answers for t in (0.5, 5)
    )
    assert [a.label for a in sharp] == [a.label for a in soft] == ["b", "c", "a"]
    assert sharp[0].confidence > soft[0].confidence


def test_a_face_below_the_threshold_is_unknown_and_still_has_guesses():
    scores = np.array([[0.0, 1.0, 0.0], [0.0, 9.0, 0.0]], np.float32)
    none = np.full((2, 3), np.nan, np.float32)
    far, near = choose_answers(scores, none, LABELS, Calibration(1.0, 5.0))
    assert (far.verdict, near.verdict) == ("unknown", "known")
    assert len(far.answers) == 3


def test_a_near_reference_makes_a_face_more_familiar():
    scores = np.array([[0.0, 1.0, 0.0]], np.float32)
    near, far = np.array([[0, 0.9, 0]]), np.array([[0, 0.1, 0]])
    assert measure_familiarity(scores, near) > measure_familiarity(scores, far)


@pytest.mark.parametrize(("scores", "top_k"), [(np.zeros((1, 3)), 0), (np.zeros((1, 2)), 1)])
def test_choose_answers_refuses(scores, top_k):
    with pytest.raises(ValueError, match=str(top_k)):
        choose_answers(scores, NO_REFERENCES, LABELS, Calibration(), top_k)
