"""Embeddings beside answers: the same answers, unit vectors, and numbers to rank others by."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from classification import Classifier
from kyara.recognition.ranking import (
    UNGATED_WEIGHTS,
    describe_ranking,
    find_alike_from,
    identify_embedded,
)
from kyara.vision.images import read_image

GATE = (-9.0, 0.4, 12.0, 0.3, 0.5)
LONGER_GATE = (*GATE, 3.0, -1.5)


@pytest.fixture
def crops(tiny_data):
    return [read_image(tiny_data / "aka_ribbon" / f"{number:03}.png") for number in range(3)]


def test_the_answers_are_those_of_identify(tiny_classifier, crops):
    found = identify_embedded(tiny_classifier, iter(crops), top_k=2)
    assert [one.answers for one in found] == tiny_classifier.identify(crops, top_k=2)


def test_the_embedding_is_what_teaching_would_keep(tiny_classifier, crops):
    (first, second, _) = identify_embedded(tiny_classifier, crops)
    expected = tiny_classifier.backbone.extract(crops)[0]
    assert first.embedding == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    view = tiny_classifier.without(["aka_ribbon"]).teaching({"aka_ribbon": second.embedding[None]})
    (cosine,) = view.nearest(expected, "aka_ribbon", 1)
    assert float(first.embedding @ second.embedding) == pytest.approx(cosine.similarity, abs=1e-5)


def test_a_described_face_carries_embedding_scores_and_references(tiny_classifier, crops):
    (found,) = identify_embedded(tiny_classifier, crops[:1])
    entry = found.complete(tiny_classifier.describe(found.answers, "en"))
    decoded = np.frombuffer(base64.b64decode(entry["embedding"]), "<f4")
    assert decoded.tolist() == found.embedding.tolist()
    counts = tiny_classifier.count_references()
    compared = tiny_classifier.compare(tiny_classifier.look(crops[:1]))
    for answer in entry["answers"]:
        column = tiny_classifier.labels.index(answer["label"])
        assert answer["score"] == pytest.approx(float(compared.scores[0, column]), abs=1e-4)
        assert answer["references"] == counts[answer["label"]]
        assert answer["prototype"] == pytest.approx(float(compared.prototypes[0, column]), abs=1e-4)
        assert answer["headed"] == bool(compared.identities.headed[column])


@pytest.mark.parametrize("gate", [(), GATE, LONGER_GATE])
def test_the_weights_give_the_familiarity(tiny_classifier, crops, gate):
    bundle = tiny_classifier.bundle
    bundle = replace(bundle, calibration=replace(bundle.calibration, gate=gate))
    classifier = Classifier(bundle)
    ranking = describe_ranking(bundle)
    assert ranking is not None
    assert ranking["gated"] == bool(gate)
    assert ranking["weights"] == list(gate or UNGATED_WEIGHTS)
    (found,) = identify_embedded(classifier, crops[:1])
    expected = classifier.compare(classifier.look(crops[:1])).open_set_scores
    lead = found.scores[0] - found.scores[1]
    similarity = found.answers.answers[0].similarity or 0
    measures = [1, found.scores[0], similarity, lead, np.log1p(found.references[0])]
    measures += [found.prototypes[0] or 0, float(found.headed[0])]
    weights = ranking["weights"]
    told = float(np.dot(weights, measures[: len(weights)]))
    assert told == pytest.approx(float(expected[0]), abs=1e-4)


def test_a_threshold_that_is_none_is_null(tiny_classifier):
    bundle = tiny_classifier.bundle
    open_to_all = replace(bundle.calibration, familiarity_threshold=float("-inf"))
    ranking = describe_ranking(replace(bundle, calibration=open_to_all))
    assert ranking is not None
    assert ranking["familiarity_threshold"] is None
    assert describe_ranking(replace(bundle, task="multi")) is None


def test_pictures_of_one_character_are_more_alike_than_strangers(tiny_classifier, crops):
    least = find_alike_from(tiny_classifier.bundle)
    assert least is not None
    (first, second, _) = identify_embedded(tiny_classifier, crops)
    assert float(first.embedding @ second.embedding) > least
    apart = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    by_hand = replace(
        tiny_classifier.bundle,
        version="by hand",
        gallery_features=apart,
        gallery_rows=np.array([0, 0, 1]),
        gallery_ids=("", "", ""),
    )
    assert find_alike_from(by_hand) == pytest.approx(0.8)  # of 0 and 0.8, twice each
    nobody = replace(
        by_hand,
        version="nobody",
        gallery_features=apart[:0],
        gallery_rows=np.zeros(0, np.int64),
        gallery_ids=(),
    )
    assert find_alike_from(nobody) is None
