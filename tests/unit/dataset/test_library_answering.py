"""Who a face of a library is: answered again where the model was taught something, watched if asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from libraries import Seen, dump, look, open_new
from sqlalchemy import update

from kyara.dataset.library.answering import Answerer, answer_anew, count_outdated
from kyara.dataset.library.reading import Library
from kyara.dataset.library.tables import FaceRow
from kyara.recognition.bundle import load_bundle
from kyara.recognition.classifier import Classifier
from kyara.vision.images import read_image


@pytest.fixture
def crop(tiny_data: Path) -> np.ndarray:
    return read_image(sorted(tiny_data.rglob("*.png"))[0])


def test_the_fingerprint_tells_models_and_what_they_were_taught(tiny_bundle, taught, crop):
    bundle = load_bundle(tiny_bundle)
    assert Answerer(bundle).fingerprint == bundle.version
    assert Answerer(bundle, taught).fingerprint == bundle.version
    classifier = Classifier(bundle, taught=taught)
    assert Answerer(bundle, taught).network == classifier.backbone.fingerprint
    classifier.teach("new_one", [crop])
    once = Answerer(bundle, taught).fingerprint
    assert once.startswith(f"{bundle.version}-")
    assert Answerer(bundle, taught).fingerprint == once
    classifier.teach("new_one", [crop[:, ::-1]])
    twice = Answerer(bundle, taught).fingerprint
    classifier.forget("aka_ribbon")
    forgotten = Answerer(bundle, taught).fingerprint
    assert len({bundle.version, once, twice, forgotten}) == 4


def test_what_was_taught_is_answered_without_the_pictures(tiny_bundle, taught, crop, tmp_path):
    bundle = load_bundle(tiny_bundle)
    classifier = Classifier(bundle, taught=taught)
    embedding = tuple(classifier.backbone.extract([crop])[0].tolist())
    place, folder = str(tmp_path / "library.db"), tmp_path / "pictures"
    folder.mkdir()
    with open_new(place, folder) as engine:
        for number in range(600):  # more than a commit has
            (folder / f"{number}.png").write_text(str(number))
            look(engine, folder / f"{number}.png", [Seen(None, 0.1, embedding)])
        with engine.begin() as connection:
            mine = update(FaceRow).where(FaceRow.id > 1)
            connection.execute(mine.values(network=classifier.backbone.fingerprint))
        first = Answerer(bundle, taught)
        assert count_outdated(engine, first) == 599
        assert list(answer_anew(engine, first)) == [512, 87]
        assert count_outdated(engine, first) == 0
        classifier.teach("new_one", [crop], {"ja": "新顔"}, {"en": "A work"})
        assert count_outdated(engine, Answerer(bundle, taught)) == 599
        assert sum(answer_anew(engine, Answerer(bundle, taught))) == 599
        character = Library(engine).read_characters()["new_one"]
        assert (character.name, character.work) == ({"ja": "新顔"}, {"en": "A work"})
    labels = [faces[0]["label"] for _, _, faces in dump(place)]
    assert labels.count("new_one") == 599  # the face of another network stays as it was
    assert labels.count(None) == 1
