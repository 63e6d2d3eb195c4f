"""Teaching and forgetting through the Classifier, with a real network."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from strangers import NEW, STRANGERS

from classification import Classifier
from kyara.errors import BadInputError, KyaraError, NotFoundError
from kyara.recognition.bundle import Bundle, View
from kyara.recognition.enrolment import Lesson
from kyara.vision.images import read_image


@pytest.fixture
def classifier(bundle: Bundle, taught: Path) -> Classifier:
    return Classifier(bundle, taught=taught)


def test_a_taught_character_is_answered_at_once_and_after_a_restart(classifier, bundle, taught):
    assert NEW not in classifier.labels
    assert classifier.teach(NEW, STRANGERS[:3], {"ja": "しましま"}, {"en": "Drawn"}) == 3
    for asked in (classifier, Classifier(bundle, taught=taught)):
        (face,) = asked.identify([STRANGERS[3]])
        assert face.answers[0].label == NEW
        assert face.answers[0].similarity == pytest.approx(1, abs=0.05)
        described = asked.describe(face, "ja")["answers"][0]
        assert (described["name"], described["work"]) == ("しましま", "Drawn")
        assert asked.labels == (*bundle.labels, NEW)
        near = asked.nearest(asked.backbone.extract([STRANGERS[0]])[0], NEW, count=9)
        assert [n.taught for n in near] == [True] * 3
        assert near[0].similarity == pytest.approx(1, abs=0.01)
        assert sorted(n.reference for n in near) == sorted(asked.taught[NEW])


def test_a_lesson_is_taught_as_its_crops_are_and_the_network_runs_once(classifier, bundle, tmp_path):
    large = np.kron(STRANGERS[0], np.ones((5, 5, 1), np.uint8))
    other = Classifier(bundle, taught=tmp_path / "other.db")
    other.teach(NEW, [large, STRANGERS[1]])
    lesson = Lesson.of(classifier.backbone, iter([large, STRANGERS[1]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(type(classifier.backbone), "extract")
        assert classifier.teach(NEW, lesson) == 2
    near, expected = (one.nearest(lesson.features[0], NEW, 2) for one in (classifier, other))
    assert [one.similarity for one in near] == [one.similarity for one in expected]
    shown, same = (one.draw_thumbnail(one.taught[NEW][0]) for one in (classifier, other))
    assert shown is not None and same is not None
    assert np.array_equal(shown, same)


def test_a_lesson_is_split_into_parts_that_can_be_taught(classifier):
    lesson = Lesson.of(classifier.backbone, (STRANGERS[number % 2] for number in range(45)))
    parts = list(lesson.split())
    assert [len(part.crops) for part in parts] == [len(part.features) for part in parts] == [20, 20, 5]
    assert np.array_equal(np.concatenate([part.features for part in parts]), lesson.features)
    with pytest.raises(BadInputError, match="more than 20"):
        classifier.teach(NEW, lesson)


def test_one_process_sees_what_another_teaches_and_forgets(classifier, bundle, taught):
    other = Classifier(bundle, taught=taught)
    classifier.teach(NEW, STRANGERS[:1])
    assert NEW in other.labels
    other.forget(NEW)
    assert NEW not in classifier.labels
    classifier.forget(bundle.labels[0])
    assert other.forgotten == [bundle.labels[0]]


def test_a_character_of_the_model_is_forgotten_and_comes_back(classifier, bundle, tiny_data):
    label = bundle.labels[0]
    crop = read_image(tiny_data / label / "000.png")
    before = classifier.identify([crop])
    assert classifier.forget(label) == 0
    (face,) = classifier.identify([crop])
    assert label not in [answer.label for answer in face.answers]
    with pytest.raises(KeyError):
        classifier.character(label)
    with pytest.raises(NotFoundError, match=label):
        classifier.forget(label)
    assert classifier.teach(label, [crop]) == 1
    (face,) = classifier.identify([crop])
    assert face.answers[0].label == label
    assert classifier.character(label).name == bundle.characters[0].name
    assert classifier.forget(label, classifier.taught[label][0]) == 0
    assert classifier.identify([crop]) == before


def test_a_taught_character_goes_with_its_last_reference(classifier):
    classifier.teach(NEW, STRANGERS[:2])
    first, second = classifier.taught[NEW]
    assert classifier.forget(NEW, first) == 1
    assert classifier.taught[NEW] == [second]
    with pytest.raises(NotFoundError, match="reference"):
        classifier.forget(NEW, first)
    assert classifier.forget(NEW, second) == 0
    assert NEW not in classifier.labels


def test_an_answer_can_be_read_after_its_character_was_forgotten(classifier):
    classifier.teach(NEW, STRANGERS[:1], {"en": "Stripes"})
    (face,) = classifier.identify(STRANGERS[:1])
    classifier.forget(NEW)
    assert classifier.describe(face, "en")["answers"][0]["name"] == "Stripes"


def test_names_are_kept_by_later_lessons_and_made_of_the_label_otherwise(classifier):
    classifier.teach("drawn/some_one.2", STRANGERS[:1])
    assert classifier.character("drawn/some_one.2").name_in("zh") == "Some One 2"
    classifier.teach(NEW, STRANGERS[:1], {"ja": "しま"})
    classifier.teach(NEW, STRANGERS[1:2])
    assert classifier.character(NEW).name == {"ja": "しま"}


def test_another_backbone_makes_its_own_features_of_the_kept_crops(classifier, bundle, taught):
    classifier.teach(NEW, STRANGERS[:2])
    views = (View(), View(inset=0.2))
    other = replace(bundle, preprocessing=replace(bundle.preprocessing, views=views))
    for _ in range(2):  # the second start finds them in the file
        changed = Classifier(other, taught=taught)
        assert changed.backbone.fingerprint != classifier.backbone.fingerprint
        (face,) = changed.identify(STRANGERS[:1])
        assert face.answers[0].label == NEW
        assert face.answers[0].similarity == pytest.approx(1, abs=0.001)
    (face,) = classifier.identify(STRANGERS[:1])
    assert face.answers[0].similarity == pytest.approx(1, abs=0.001)


def test_large_crops_are_kept_small_and_shown_smaller(classifier):
    wide = STRANGERS[0].repeat(8, axis=0).repeat(12, axis=1)
    classifier.teach(NEW, [wide])
    (reference,) = classifier.taught[NEW]
    thumbnail = classifier.draw_thumbnail(reference)
    assert thumbnail is not None
    assert thumbnail.shape == (107, 160, 3)
    assert classifier.draw_thumbnail("no such") is None


@pytest.mark.parametrize(
    ("label", "crops", "texts", "sentence"),
    [
        ("", 1, {}, "The label '' cannot be taken"),
        ("Miku", 1, {}, "cannot be taken"),
        ("初音", 1, {}, "cannot be taken"),
        ("a/b/c", 1, {}, "cannot be taken"),
        ("../x", 1, {}, "cannot be taken"),
        ("a" * 101, 1, {}, "up to 100"),
        ("miku", 0, {}, "1 to 20 crops of miku; received none"),
        ("miku", 21, {}, "received more than 20"),
        ("miku", 1, {"name": {"fr": "Miku"}}, "The name is given as text in the languages"),
        ("miku", 1, {"work": {"en": 3}}, "The work is given as text"),
        ("miku", 1, {"name": {"en": "x" * 101}}, "more than 100"),
        ("miku", 1, {"name": {"en": "a\u202eb"}}, "cannot be read"),
    ],
)
def test_teach_refuses(classifier, taught, label, crops, texts, sentence):
    with pytest.raises(BadInputError, match=sentence):
        classifier.teach(label, [STRANGERS[0]] * crops, **texts)
    assert not taught.exists()


def test_a_model_of_independent_labels_is_not_taught(bundle, taught):
    thresholds = replace(bundle.calibration, label_thresholds=(0.5,) * len(bundle.characters))
    tagger = Classifier(replace(bundle, task="multi", calibration=thresholds), taught=taught)
    with pytest.raises(BadInputError, match="independent labels"):
        tagger.teach(NEW, STRANGERS[:1])


def test_without_a_file_nothing_can_be_kept(bundle):
    for change in (lambda c: c.teach(NEW, STRANGERS[:1]), lambda c: c.forget(bundle.labels[0])):
        with pytest.raises(BadInputError, match="keeps nothing"):
            change(Classifier(bundle))


def test_a_damaged_file_is_told_and_the_model_serves_without_it(classifier, bundle, taught, caplog):
    classifier.teach(NEW, STRANGERS[:1])
    damaged = taught.with_name("damaged.db")
    damaged.write_bytes(b"no database" * 500)
    with caplog.at_level(logging.ERROR):
        other = Classifier(bundle, taught=damaged)
        assert other.labels == bundle.labels
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "cannot be read" in caplog.text
    with pytest.raises(KyaraError, match="cannot be changed"):
        other.teach(NEW, STRANGERS[:1])


def test_views_stay_as_they_are_and_write_nothing(classifier, bundle):
    features = classifier.backbone.extract(STRANGERS[:2])
    frozen = classifier.frozen()
    view = classifier.without([bundle.labels[1]]).teaching({NEW: features, bundle.labels[1]: features})
    classifier.teach("drawn/six", STRANGERS[:1])
    classifier.forget(bundle.labels[0])
    assert frozen.labels == bundle.labels
    assert view.labels == (bundle.labels[0], *bundle.labels[2:], NEW, bundle.labels[1])
    assert view.answer(features)[0].answers[0].similarity == pytest.approx(1, abs=0.01)
    assert len(view.nearest(features[0], bundle.labels[1], 99)) == 2
    assert NEW not in classifier.labels
    assert np.isnan(classifier.without_gallery().score(features)[1]).all()
    assert "drawn/six" not in classifier.without_gallery().labels
    assert view.backbone is classifier.backbone
