"""References in eight bits: they say whom to compare, and never change an answer."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from videos import read_example

from classification import Classifier
from kyara.recognition import quantised
from kyara.recognition.bundle import Bundle, Character, load_bundle
from kyara.recognition.comparison import Comparison
from kyara.recognition.gallery import FEW_FACES, Gallery, scale_to_unit
from kyara.recognition.identities import Enrolment, Identities
from kyara.recognition.pictures import find_faces
from kyara.recognition.quantised import MIN_REFERENCES, QuantisedReferences
from kyara.storage.paths import MODEL_FOLDER
from kyara.vision.detectors.base import open_detector

CLOSE = 2e-6
"""How far two float32 products of the same numbers may be from each other, in cosines."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(MODEL_FOLDER / "people-8491")


@pytest.fixture(scope="module")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle)


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    return read_example(800)


@pytest.fixture(scope="module")
def identities(bundle: Bundle) -> Identities:
    known = Identities.of_bundle(bundle).indexed(None)
    assert known.gallery.quantised is not None
    return known


@pytest.fixture(scope="module")
def faces(identities: Identities) -> np.ndarray:
    """Faces near to references, between two of them, and of nobody; of any length."""
    rng = np.random.default_rng(3)
    features = identities.gallery.take(np.arange(len(identities.gallery.rows)))
    one, other = (features[rng.integers(0, len(features), 60)] for _ in range(2))
    noise = scale_to_unit(rng.standard_normal((60, 256)).astype(np.float32))
    return np.concatenate([one + 0.4 * noise, 7 * (one + other), 0.01 * noise, one])


def list_best(compared: Comparison, best: int) -> list[list[tuple[str, float, float, float]]]:
    """Return label, score and both cosines of the best of each face."""
    found = []
    for scores, near, mean in zip(
        compared.scores, compared.similarities, compared.prototypes, strict=True
    ):
        columns = np.argsort(-scores, kind="stable")[:best]
        found.append(
            [
                (
                    compared.identities.characters[column].label,
                    float(scores[column]),
                    float(near[column]),
                    float(mean[column]),
                )
                for column in columns
            ]
        )
    return found


def check_same(known: Identities, faces: np.ndarray, best: int) -> None:
    """See that the best of each face are those of the exact comparison, and so are their numbers."""
    scale = abs(known.bundle.calibration.similarity_scale)
    for start in range(0, len(faces), FEW_FACES):
        some = faces[start : start + FEW_FACES]
        compared = known.compare_best(some, best)
        assert compared.best == best
        exact = list_best(known.compare(some), best)
        for own, right in zip(list_best(compared, best), exact, strict=True):
            for given, wanted in zip(own, right, strict=True):
                assert given[1] == pytest.approx(wanted[1], rel=0, abs=CLOSE * scale)
                if given[0] == wanted[0]:  # else two whose scores float32 cannot tell apart
                    assert given[2:] == pytest.approx(wanted[2:], rel=0, abs=CLOSE, nan_ok=True)
        np.testing.assert_allclose(
            compared.open_set_scores, known.compare(some).open_set_scores, atol=1e-3
        )


@pytest.mark.parametrize("best", [2, 5, 20])
def test_the_best_are_those_of_the_exact_comparison(identities, faces, best):
    check_same(identities, faces, best)


def test_so_are_fifty_of_faces_that_look_like_somebody(identities, faces):
    check_same(identities, np.concatenate([faces[:120], faces[180:]]), 50)


def test_all_are_exact_where_more_are_wanted_than_there_are(identities, faces):
    count = len(identities.characters)
    compared = identities.compare_best(faces[:2], count + 1)
    assert compared.best is None
    exact = identities.compare(faces[:2])
    np.testing.assert_allclose(compared.similarities, exact.similarities, atol=CLOSE)
    np.testing.assert_allclose(compared.prototypes, exact.prototypes, atol=CLOSE)


def test_no_cosine_is_further_off_than_the_bound(identities, faces):
    references = identities.gallery.take(np.arange(len(identities.gallery.rows)))
    for unit in (scale_to_unit(faces[:70]), np.eye(256, dtype=np.float32), np.full((1, 256), 1 / 16)):
        measure_error(references, unit.astype(np.float32))


def test_the_bound_holds_for_the_worst_face():
    """Its numbers lie between two steps, and the references, which lose nothing, along what it loses."""
    rng = np.random.default_rng(6)
    signs = rng.choice([-1, 1], (MIN_REFERENCES, 256)).astype(np.float32) / 16
    face = np.full((1, 256), 0.0, np.float32)
    face[0, :2] = 1, -1
    face[0, 2:] = (rng.integers(-60, 60, 254) + 0.5) * 2 / 255
    step = 2 / 255
    lost = face - np.rint(face / step) * step
    signs[0] = np.where(lost >= 0, 1, -1)[0] / 16
    weight_error = 0.001  # none, but for float32
    assert measure_error(signs, scale_to_unit(face)) > 2 * weight_error


def measure_error(references: np.ndarray, unit: np.ndarray) -> float:
    """Return by how much a cosine is off at most, and see that the bound says so."""
    found = QuantisedReferences([references]).measure_cosines(unit)
    assert found is not None
    cosines, bound = found
    error = float(np.abs(cosines - unit @ references.T).max())
    assert error <= bound
    return error


def test_hundreds_of_characters_as_good_as_each_other_are_all_compared(bundle, faces):
    """Rounding cannot tell them from each other, nor whom of them it puts before the best."""
    rng = np.random.default_rng(4)
    middle = scale_to_unit(rng.standard_normal((1, 256)))
    near = rng.standard_normal((MIN_REFERENCES, 256)).astype(np.float32)
    near[::8] = middle + 1e-3 * near[::8]
    rows = rng.permutation(MIN_REFERENCES)
    gallery = Gallery.empty(MIN_REFERENCES).add(near, rows, [""] * len(rows), taught=False)
    empty = replace(
        bundle,
        head_weight=np.zeros((256, 0), np.float32),
        head_bias=np.zeros(0, np.float32),
        head_rows=np.zeros(0, np.int64),
    )
    characters = tuple(Character(f"c{number}", {}, {}) for number in range(MIN_REFERENCES))
    known = Identities(empty, characters, np.arange(MIN_REFERENCES), gallery.with_quantised())
    check_same(known, np.concatenate([near[:80:8], middle.astype(np.float32)]), 5)


def test_it_stays_so_while_characters_come_and_go(identities, faces):
    known = identities
    known.compare_best(faces[:1], 5)  # the layer is made; those after share it
    for step in range(4):
        gone = [known.characters[number].label for number in range(step, 8000, 400)]
        known = known.without(gone)
        check_same(known, faces[::4], 5)
        taught = dict(enumerate(faces[step:40:4]))
        known = known.learn(
            [
                Enrolment(Character(f"new_{step}_{number}", {}, {}), face[None], [f"{number}.png"])
                for number, face in taught.items()
            ]
        )
        check_same(known, faces[::4], 5)
        for number, face in taught.items():
            best = {one[0]: one[2] for one in list_best(known.compare_best(face[None], 5), 5)[0]}
            assert best[f"new_{step}_{number}"] == pytest.approx(1, abs=CLOSE)
    assert known.gallery.quantised is not None
    assert len(known.gallery.quantised) < len(identities.gallery.rows)
    again = known.indexed(None)  # as at the next start: who was taught is in eight bits, too
    assert again.gallery.quantised is not None
    assert len(again.gallery.quantised) == len(known.gallery.rows)
    check_same(again, faces[::4], 5)


@pytest.mark.parametrize(("scale", "weight"), [(-9.0, 0.3), (40.0, 0.0), (5.0, 1.0)])
def test_any_calibration_keeps_the_best(identities, faces, scale, weight):
    calibration = replace(identities.bundle.calibration, similarity_scale=scale, gallery_weight=weight)
    other = replace(identities, bundle=replace(identities.bundle, calibration=calibration))
    check_same(other, faces[::3], 5)


def test_without_a_gate_or_with_many_faces_everything_is_exact(bundle, identities, faces):
    assert identities.compare_best(faces[: FEW_FACES + 1], 5).best is None
    ungated = replace(bundle, calibration=replace(bundle.calibration, gate=()))
    labels = replace(bundle, task="multi")
    for other in (ungated, labels):
        assert Identities.of_bundle(other).indexed(None).gallery.quantised is None


def test_if_most_characters_may_be_the_best_all_are_compared_exactly(identities, faces):
    assert identities.compare_best(faces[:1], len(identities.characters) // 2).best is None


def test_references_in_eight_bits_may_all_go(identities, faces):
    labels = [one.label for one in identities.characters]
    lessons = [
        Enrolment(Character(f"new_{number}", {}, {}), face[None], [f"{number}.png"])
        for number, face in enumerate(faces[60:100])
    ]
    taught = identities.learn(lessons).without(labels)
    assert taught.gallery.quantised is not None
    assert len(taught.gallery.quantised) == 0
    check_same(taught, faces[:30], 1)


def test_without_room_for_them_everything_is_exact_and_the_log_says_so(
    bundle, faces, monkeypatch, caplog
):
    def refuse(*given: object) -> bytes:
        raise MemoryError("no room")

    monkeypatch.setattr(quantised, "_write_layer", refuse)
    known = Identities.of_bundle(bundle).indexed(None)
    for _ in range(2):
        found = list_best(known.compare_best(faces[:3], 5), 5)
        assert found == list_best(known.compare(faces[:3]), 5)
    assert caplog.messages == ["16757 references are not searched in eight bits: no room"]


def test_the_first_lesson_keeps_them(bundle, tmp_path):
    classifier = Classifier(bundle, taught=tmp_path / "taught.db")
    classifier.teach("new", [np.full((90, 90, 3), 200, np.uint8)])
    known = classifier.find_live().now()
    assert "new" in known.columns
    assert known.gallery.quantised is not None


def test_few_references_are_not_rounded(identities):
    few = identities.gallery.narrow(np.arange(MIN_REFERENCES // 20))
    assert few.with_quantised().quantised is None


def test_more_answers_than_were_compared_exactly_are_refused(identities, faces):
    compared = identities.compare_best(faces[:1], 5)
    assert len(compared.take(np.array([0])).choose(5)[0].answers) == 5
    with pytest.raises(ValueError, match="5 characters were compared exactly; 6 are wanted"):
        compared.take(np.array([0])).choose(6)


def test_no_faces_are_no_comparison(identities):
    compared = identities.compare_best(np.zeros((0, 256), np.float32), 5)
    assert compared.choose(5) == []


def test_many_threads_get_what_one_gets(bundle, faces):
    known = Identities.of_bundle(bundle).indexed(None)  # its layer is made by whoever is first
    expected = [list_best(known.compare(face[None]), 1)[0][0][0] for face in faces[:40]]
    found: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        best = [list_best(known.compare_best(face[None], 5), 1)[0][0][0] for face in faces[:40]]
        found[number] = best

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(8)] == [expected] * 8


@pytest.mark.parametrize("top_k", [1, 5, 50])
def test_the_shipped_model_answers_as_it_does_exactly(classifier, example, top_k):
    with open_detector(None) as finder:
        crops = find_faces(example, finder, classifier.bundle.preprocessing.find_window).crops
    crops = [*crops, *(crop[:, ::-1] for crop in crops), example]
    exact = classifier.compare(classifier.look(crops)).choose(top_k)
    for given, wanted in zip(classifier.identify(crops, top_k=top_k), exact, strict=True):
        assert given.verdict == wanted.verdict
        assert [one.label for one in given.answers] == [one.label for one in wanted.answers]
        for own, right in zip(given.answers, wanted.answers, strict=True):
            assert own.confidence == pytest.approx(right.confidence, abs=1e-5)
            assert own.similarity == pytest.approx(right.similarity, abs=1e-5)
