"""What the model says of an inbox: kinds, look-alikes, order, and the file that keeps it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawings import draw_face
from PIL import Image
from strangers import STRANGERS

from kyara.dataset.folder import IndexedFace
from kyara.dataset.review.labelling.counts import count_characters
from kyara.dataset.review.labelling.suggestions import (
    Suggestion,
    Suggestions,
    read_suggestions,
    write_suggestions,
)
from kyara.dataset.review.suggesting import find_clusters, suggest
from kyara.errors import BadInputError


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    """Two drawings of each drawn character, and strangers: each with a copy that differs a little."""
    rng = np.random.default_rng(5)
    found = {}
    for number in range(8):
        found[f"known{number}"] = tmp_path / f"known{number}.png"
        draw_face(number % 4, rng).save(found[f"known{number}"])
    for number, crop in enumerate(STRANGERS):
        for version in range(2):
            name = f"strange{number}-{version}"
            found[name] = tmp_path / f"{name}.png"
            Image.fromarray(np.clip(crop, version * 4, 255)).save(found[name])
    return found


def test_kinds_come_in_the_order_in_which_they_are_useful(tiny_classifier, paths, tmp_path):
    found = suggest(tiny_classifier, paths, tmp_path / "cache")
    assert found.faces.keys() == paths.keys()
    assert (found.model, found.version, found.note) == ("tiny", tiny_classifier.bundle.version, "")
    kinds = [face.kind for face in found.faces.values()]
    assert kinds == sorted(kinds, key=("uncertain", "new", "sure").index)
    for face in found.faces.values():
        confidences = [confidence for _, confidence in face.answers]
        assert confidences == sorted(confidences, reverse=True)
        assert len(face.answers) == min(5, len(tiny_classifier.labels))
        if face.kind == "sure":
            assert confidences[0] >= 0.9
            assert face.group == face.answers[0][0]
    answers = tiny_classifier.identify([np.asarray(Image.open(paths["known0"]).convert("RGB"))], top_k=1)
    assert found.faces["known0"].answers[0][0] == answers[0].answers[0].label


def test_features_are_made_once(tiny_classifier, paths, tmp_path):
    cache = tmp_path / "cache"
    first = suggest(tiny_classifier, paths, cache)
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")}
    assert len(kept) == len(paths)
    again = suggest(tiny_classifier, paths, cache)
    assert again.faces == first.faces
    assert kept == {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")}


def test_a_picture_that_cannot_be_read_stops_nothing(tiny_classifier, paths, tmp_path):
    paths["broken"] = tmp_path / "broken.png"
    paths["broken"].write_bytes(b"no picture")
    done: list[int] = []
    found = suggest(tiny_classifier, paths, tmp_path / "cache", done.append)
    assert found.faces.keys() == paths.keys() - {"broken"}
    assert found.note == "1 file cannot be read."
    assert sum(done) == len(paths)
    assert suggest(tiny_classifier, {}, tmp_path / "cache").faces == {}


def test_without_scikit_learn_there_are_suggestions_all_the_same(
    tiny_classifier, paths, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    found = suggest(tiny_classifier.without(tiny_classifier.labels[1:]), paths, tmp_path / "cache")
    assert "scikit-learn is not installed" in found.note
    assert found.faces.keys() == paths.keys()


def test_look_alikes_are_put_together():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(6, 64)) * 5
    features = np.repeat(centres, 5, axis=0) + rng.normal(size=(30, 64)) * 0.2
    clusters = find_clusters(features.astype(np.float32))
    truth = np.repeat(np.arange(6), 5)
    for cluster in set(clusters.tolist()) - {-1}:
        assert len(set(truth[clusters == cluster])) == 1  # no cluster joins two
    assert (clusters >= 0).mean() > 0.6
    assert find_clusters(features[:2].astype(np.float32)).tolist() == [-1, -1]


def test_suggestions_are_read_as_they_were_written(tmp_path):
    (tmp_path / "inbox").mkdir()
    assert read_suggestions(tmp_path) is None
    faces = {"b": Suggestion("new", "cluster 1", (("x", 0.5),)), "a": Suggestion("sure", "x", ())}
    kept = Suggestions("model", "1", "2026-01-01", "note", faces)
    write_suggestions(tmp_path, kept)
    found = read_suggestions(tmp_path)
    assert found == kept
    assert found is not None
    assert found.arrange(["a", "c", "b"]) == ["b", "a", "c"]
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "faces": {"a": 1}}'):
        (tmp_path / "inbox" / "suggestions.json").write_text(text)
        with pytest.raises(BadInputError, match="ask the model again"):
            read_suggestions(tmp_path)


@pytest.mark.parametrize(
    ("groups", "splits", "warnings"),
    [
        (["a"] * 9, ["train"] * 9, ("sources",)),
        (["a", "b", "c"], ["train"] * 3, ("drawings",)),
        (["a", "b", "c", "d", "e"], ["train"] * 5, ()),
        (["a", "b", "c", "d", "e"], ["test"] * 5, ("training",)),
        (["a"], ["val"], ("drawings", "sources", "training")),
    ],
)
def test_characters_with_too_little_are_told(groups, splits, warnings):
    pairs = zip(groups, splits, strict=True)
    index = [IndexedFace(f"x/{n}.png", "x", split, group) for n, (group, split) in enumerate(pairs)]
    (count,) = count_characters(index)
    assert count.warnings == warnings
    assert (count.drawings, count.sources) == (len(groups), len(set(groups)))
    assert Counter(splits)["train"] == count.training
