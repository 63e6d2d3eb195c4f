from __future__ import annotations

import numpy as np
import pytest
from drawings import LABELS

from kyara.errors import BadInputError
from kyara.recognition.embeddings import extract_cached
from kyara.vision.images import read_image


def test_features_are_the_served_ones_and_each_is_computed_once(tiny_classifier, tiny_data, tmp_path):
    backbone, cache = tiny_classifier.backbone, tmp_path / "cache"
    paths = [tiny_data / label / "001.png" for label in LABELS]
    done: list[int] = []
    first = extract_cached(backbone, paths, cache, done.append)
    assert sum(done) == len(paths)
    np.testing.assert_array_equal(first, backbone.extract(read_image(path) for path in paths))
    kept = sorted((cache / backbone.fingerprint).iterdir())
    assert len(kept) == len(paths)
    # what is kept is what is given out, so the network was not asked again
    for path in kept:
        np.save(path, np.load(path) * 2)
    np.testing.assert_array_equal(extract_cached(backbone, paths, cache), first * 2)


def test_features_follow_the_content_of_a_file_not_its_name(tiny_classifier, tiny_data, tmp_path):
    backbone, cache = tiny_classifier.backbone, tmp_path / "cache"
    path = tmp_path / "face.png"
    rows = []
    for label in (LABELS[0], LABELS[1], LABELS[0]):
        path.write_bytes((tiny_data / label / "001.png").read_bytes())
        rows.append(extract_cached(backbone, [path], cache)[0])
    assert not np.array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert len(list((cache / backbone.fingerprint).iterdir())) == 2


def test_a_picture_that_cannot_be_read_is_named(tiny_classifier, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BadInputError, match=r"broken\.png"):
        extract_cached(tiny_classifier.backbone, [tmp_path / "broken.png"], tmp_path / "cache")


def test_no_pictures_have_no_features(tiny_classifier, tmp_path):
    features = extract_cached(tiny_classifier.backbone, [], tmp_path)
    assert features.shape == (0, tiny_classifier.backbone.dimension)
