from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from drawings import LABELS

from classification import Classifier
from kyara.dataset.manifest import read_manifest
from kyara.errors import BundleError
from kyara.recognition.answers import score_open_set
from kyara.recognition.backbone import Backbone, prepare_crop
from kyara.recognition.bundle import Preprocessing, View, load_bundle
from kyara.vision.images import encode_png, read_image


def test_unseen_drawings_of_known_characters_are_recognised(tiny_classifier, tiny_data):
    faces = read_manifest(tiny_data).of_split("test")
    answers = tiny_classifier.identify(read_image(face.path) for face in faces)
    right = [face.label == answer.answers[0].label for face, answer in zip(faces, answers, strict=True)]
    assert sum(right) >= 0.9 * len(faces)


def test_identify_gives_the_same_answer_every_time_and_in_any_company(tiny_classifier, tiny_data):
    crops = [read_image(tiny_data / label / "003.png") for label in LABELS]
    together = tiny_classifier.identify(crops)
    assert together == tiny_classifier.identify(crops)
    for face, crop in zip(together, crops, strict=True):
        (alone,) = tiny_classifier.identify([crop])
        assert [a.label for a in alone.answers] == [a.label for a in face.answers]
        assert [a.confidence for a in alone.answers] == pytest.approx(
            [a.confidence for a in face.answers]
        )


def test_identify_answers_no_crops_with_nothing(tiny_classifier):
    assert tiny_classifier.identify([]) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (900, 2), (700, 700)])
def test_crops_of_any_size_are_answered(tiny_classifier, shape):
    (face,) = tiny_classifier.identify([np.full((*shape, 3), 90, np.uint8)])
    assert len(face.answers) == len(LABELS)


def test_threads_get_their_own_answers(tiny_classifier, tiny_data):
    crops = [read_image(tiny_data / label / "005.png") for label in LABELS]
    alone = [tiny_classifier.identify([crop])[0] for crop in crops]
    answers: dict[int, list] = {}

    def ask(number: int) -> None:
        answers[number] = [tiny_classifier.identify([crops[number]])[0] for _ in range(10)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(crops))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers[number] == [alone[number]] * 10 for number in range(len(crops)))


def test_a_mirrored_crop_has_nearly_the_same_features(tiny_classifier, tiny_data):
    crop = read_image(tiny_data / "kiiro_star" / "007.png")
    plain, mirrored = tiny_classifier.backbone.extract([crop, crop[:, ::-1]])
    cosine = plain @ mirrored / np.linalg.norm(plain) / np.linalg.norm(mirrored)
    assert cosine > 0.97
    first, second = tiny_classifier.identify([crop, crop[:, ::-1]])
    assert first.answers[0].label == second.answers[0].label


def test_prepare_crop_scales_and_shows_each_view():
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[:, 4:] = 255
    views = (View(), View(mirror=True), View(inset=0.25))
    shown = prepare_crop(crop, Preprocessing(8, (-1.0, 1.0), views))
    assert shown.shape == (3, 8, 8, 3)
    assert shown[0, 0, :, 0].tolist() == [-1] * 4 + [1] * 4
    assert shown[1, 0, :, 0].tolist() == [1] * 4 + [-1] * 4
    assert shown[2, 0, 0, 0] == -1
    assert shown[2, 0, 7, 0] == 1


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
def test_prepare_crop_refuses_other_arrays(wrong):
    with pytest.raises(ValueError, match=str(wrong.dtype)):
        prepare_crop(wrong, Preprocessing(8))


def test_a_backbone_of_another_input_size_is_refused(tiny_bundle):
    bundle = load_bundle(tiny_bundle)
    wrong = replace(bundle, preprocessing=replace(bundle.preprocessing, input_px=99))
    with pytest.raises(BundleError, match="99"):
        Classifier(wrong)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "backbone.tflite"
    path.write_bytes(encode_png(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(BundleError, match="LiteRT"):
        Backbone(path, Preprocessing(75))


@pytest.fixture
def hesitant(tiny_bundle, tiny_data):
    """The tiny model, which looks once at a face that it is sure of; half of them are."""
    bundle = load_bundle(tiny_bundle)
    views = (View(), View(mirror=True), View(0.1))
    shown = replace(bundle.preprocessing, views=views, first_views=1)
    plain = Classifier(replace(bundle, preprocessing=replace(shown, first_views=0)))
    faces = [read_image(face.path) for face in read_manifest(tiny_data).of_split("test")]
    first = plain.backbone.extract_each(faces, slice(0, 1))[:, 0]
    middle = float(np.median(score_open_set(*plain.score(first), bundle.calibration, plain.references)))
    calibration = replace(bundle.calibration, settled_threshold=middle)
    served = replace(bundle, preprocessing=shown, calibration=calibration)
    return Classifier(served, threads=4), plain, faces


def test_only_unsure_faces_are_looked_at_again(hesitant):
    classifier, plain, faces = hesitant
    each = plain.backbone.extract_each(faces)
    seen = classifier.look(faces)
    once = np.array(
        [np.array_equal(row, all_views[0]) for row, all_views in zip(seen, each, strict=True)]
    )
    assert 0.3 < once.mean() < 0.7
    np.testing.assert_allclose(seen[~once], each[~once].mean(axis=1), rtol=1e-5, atol=1e-6)


def test_a_face_is_looked_at_again_before_it_is_judged_if_cores_are_idle(hesitant, monkeypatch):
    classifier, _, faces = hesitant
    together = classifier.look(faces)
    seen = count_views(classifier.backbone, monkeypatch)
    alone = np.concatenate([classifier.look([face]) for face in faces])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    assert len(seen) == 3 * len(faces)
    (found,), (expected,) = classifier.identify(faces[:1]), classifier.answer(together[:1])
    assert found.verdict == expected.verdict
    assert [one.label for one in found.answers] == [one.label for one in expected.answers]
    confidences = [one.confidence for one in expected.answers]
    assert [one.confidence for one in found.answers] == pytest.approx(confidences)


@pytest.mark.parametrize("explains", [False, True])
def test_no_core_is_taken_from_others_for_views_that_may_not_count(hesitant, monkeypatch, explains):
    classifier, _, faces = hesitant
    backbone, together = classifier.backbone, classifier.look(faces)
    if explains:
        parts = prepare_crop(faces[0], backbone.preprocessing)
        other = backbone.deciding_by(faces[0]).extract_views(np.repeat(parts, 4, axis=0))
    else:
        other = backbone.see((face, View()) for face in faces)
    next(other)
    seen = count_views(classifier.backbone, monkeypatch)
    alone = np.concatenate([classifier.look([face]) for face in faces])
    other.close()
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    assert len(faces) < len(seen) < 3 * len(faces)


def count_views(backbone: Backbone, monkeypatch) -> list[View]:
    """Return a list that grows with each view that crops are shown in."""
    seen: list[View] = []
    see = backbone.see

    def count(shown):
        return see((crop, seen.append(view) or view) for crop, view in shown)

    monkeypatch.setattr(backbone, "see", count)
    return seen


def test_what_evaluation_settles_on_is_what_is_served(hesitant):
    classifier, plain, faces = hesitant
    settled = classifier.settle(plain.backbone.extract_each(faces))
    np.testing.assert_array_equal(settled, classifier.look(iter(faces)))
    assert classifier.answer(settled) == classifier.identify(faces)
    assert classifier.look([]).shape == (0, plain.backbone.dimension)


def test_a_model_that_knows_nobody_any_more_still_looks(hesitant):
    classifier, _, faces = hesitant
    nobody = classifier.without(classifier.labels)
    assert nobody.look(faces[:2]).shape[0] == 2
    assert nobody.identify(faces[:1])[0].verdict == "unknown"
