"""Whom the model knows at one moment, on a bundle that is checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from paper_bundle import EAST, NORTH, UP, make_paper_bundle

from kyara.recognition.bundle import Character
from kyara.recognition.identities import Enrolment, Identities

FACE = (EAST + NORTH)[None] / np.sqrt(2).astype(np.float32)


def labels(identities: Identities) -> list[str]:
    return [character.label for character in identities.characters]


def enrolment(label: str, *features: np.ndarray, forgotten: bool = False, **name: str) -> Enrolment:
    stacked = np.array(features, np.float32).reshape(-1, 3)
    return Enrolment(
        Character(label, name, {}), stacked, [str(n) for n in range(len(stacked))], forgotten
    )


@pytest.fixture
def identities() -> Identities:
    return Identities.of_bundle(make_paper_bundle())


def test_scores_are_merged_as_the_formula_says(identities):
    scores, similarities = identities.score(FACE)
    half = np.sqrt(0.5)
    prototype = np.array([half, half, 1]) / np.sqrt(2)  # of c: the mean of north-east and up
    c = 10 * (0.75 * prototype @ [half, half, 0] + 0.25 * 1)
    assert scores[0] == pytest.approx([4 * half, 0.75 * 4 * half + 0.25 * 10 * half, c], rel=1e-5)
    assert np.isnan(similarities[0, 0])
    assert similarities[0, 1:] == pytest.approx([half, 1])


def test_a_new_character_is_answered_and_the_old_roster_stays(identities):
    taught = identities.learn([enrolment("new", UP, en="New")])
    assert labels(taught) == ["a", "b", "c", "new"]
    assert labels(identities) == ["a", "b", "c"]
    scores, similarities = taught.score(UP[None])
    assert scores[0].argmax() == 3
    assert similarities[0, 3] == pytest.approx(1)
    np.testing.assert_array_equal(taught.score(FACE)[0][:, :3], identities.score(FACE)[0])


def test_a_lesson_on_a_known_label_adds_references_and_names(identities):
    taught = identities.learn([enrolment("a", NORTH, ja="ア")])
    assert labels(taught) == ["a", "b", "c"]
    assert taught.characters[0].name == {"en": "A", "ja": "ア"}
    assert taught.characters[0].work == {"ja": "紙"}
    assert taught.score(NORTH[None])[1][0, 0] == pytest.approx(1)
    assert taught.learn([enrolment("a")]).characters == identities.characters


def test_a_later_lesson_replaces_the_earlier_one(identities):
    taught = identities.learn([enrolment("new", UP, NORTH)]).learn([enrolment("new", EAST)])
    assert taught.taught == {"new": ["0"]}
    assert taught.score(UP[None])[1][0, 3] == pytest.approx(0)


def test_forgotten_characters_are_gone_and_come_back_whole(identities):
    gone = identities.learn([enrolment("c", forgotten=True), enrolment("a", forgotten=True)])
    assert labels(gone) == ["b"]
    assert gone.score(FACE)[0].shape == (1, 1)
    assert [near.label for near in gone.find_neighbours(UP)] == ["b"]
    back = gone.learn([enrolment("c", EAST)])
    assert labels(back) == ["b", "c"]
    assert len(back.find_neighbours(UP, "c")) == 3
    assert labels(gone.learn([enrolment("a"), enrolment("c")])) == labels(identities)


def test_a_taught_character_without_references_is_nobody(identities):
    assert labels(identities.learn([enrolment("new", UP)]).learn([enrolment("new")])) == ["a", "b", "c"]


def test_the_place_of_a_forgotten_character_is_free_for_the_next(identities):
    taught = identities
    for number in range(50):
        taught = taught.learn([enrolment(f"new{number}", UP)]).learn(
            [enrolment(f"new{number}", forgotten=True)]
        )
    taught = taught.learn([enrolment("x", UP), enrolment("y", EAST)])
    assert taught.gallery.classes == 5
    assert labels(taught)[3:] == ["x", "y"]


def test_neighbours_are_the_nearest_references_with_their_names(identities):
    taught = identities.learn([enrolment("new", NORTH + EAST / 10)])
    near = taught.find_neighbours(NORTH, most=2)
    assert [(n.label, n.reference, n.taught) for n in near] == [
        ("b", "b/1.png", False),
        ("new", "0", True),
    ]
    assert near[0].similarity == pytest.approx(1)
    assert [n.reference for n in taught.find_neighbours(NORTH, "c", 9)] == ["c/1.png", "c/2.png"]
    assert taught.find_neighbours(NORTH, "a") == []
    with pytest.raises(KeyError):
        taught.find_neighbours(NORTH, "nobody")


def test_without_characters_they_do_not_exist_even_if_taught(identities):
    view = identities.without(["b", "nobody"])
    assert labels(view) == ["a", "c"]
    assert "b/1.png" not in view.gallery.ids
    taught = view.add_references({"b": UP[None] * 7})
    assert labels(taught) == ["a", "c", "b"]
    assert [near.reference for near in taught.find_neighbours(UP, "b")] == [""]
    assert taught.characters[2].name == {}


def test_without_the_gallery_only_the_head_answers(identities):
    view = identities.without_gallery()
    assert labels(view) == ["a", "b"]
    scores, similarities = view.score(FACE)
    assert scores[0] == pytest.approx([4 * np.sqrt(0.5)] * 2)
    assert np.isnan(similarities).all()


def test_added_references_come_beside_the_taught_ones(identities):
    taught = identities.learn([enrolment("new", UP)]).add_references(
        {"new": EAST[None], "b": EAST[None]}
    )
    assert len(taught.find_neighbours(UP, "new")) == 2
    assert len(taught.find_neighbours(UP, "b")) == 2


def test_references_are_counted_for_every_column(identities):
    assert identities.references.tolist() == [0, 1, 2]
    taught = identities.learn([enrolment("new", UP, NORTH), enrolment("b", forgotten=True)])
    assert dict(zip(labels(taught), taught.references.tolist(), strict=True)) == {
        "a": 0,
        "c": 2,
        "new": 2,
    }
