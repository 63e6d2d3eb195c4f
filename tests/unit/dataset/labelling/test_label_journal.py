"""Decisions, undo and refusals of the journal of labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from inboxes import check_folder, fill_inbox, list_labelled, read_labels

from kyara.dataset.review.labelling import NOT_A_FACE, LabelConflictError, LabelJournal
from kyara.errors import BadInputError, ConflictError, NotFoundError

OpenJournal = Callable[[], LabelJournal]


@pytest.fixture
def ids(dataset: Path) -> list[str]:
    return fill_inbox(dataset, 12)


@pytest.fixture
def journal(open_journal: OpenJournal, ids: list[str]) -> LabelJournal:
    return open_journal()


def test_a_decision_moves_the_file_and_the_index_follows(journal, dataset, ids):
    before = (dataset / "inbox" / f"{ids[0]}.png").read_bytes()
    (state,) = journal.accept([ids[0]], "arknights/absin", "aya")
    assert (state.label, state.operator) == ("arknights/absin", "aya")
    assert (dataset / "faces" / "arknights" / "absin" / f"{ids[0]}.png").read_bytes() == before
    check_folder(dataset, ids)
    (row,) = journal.index
    assert (row.label, row.split) == ("arknights/absin", "train")
    journal.accept(ids[1:3], NOT_A_FACE, "aya")
    check_folder(dataset, ids)
    assert journal.list_inbox() == ids[3:]


def test_undo_goes_back_without_limit_and_through_relabelling(journal, dataset, ids):
    face, folders = ids[0], []
    for label in ("one", "two", None, "three", NOT_A_FACE):
        folders.append(list_labelled(dataset).get(face))
        journal.accept({face: journal.get_states([face])[0].version}, label, "aya")
    for before in reversed(folders):
        (newest, *_) = journal.list_actions("aya", standing=True)
        (state,) = journal.undo(newest.id, "aya")
        assert state.label == before == list_labelled(dataset).get(face)
        check_folder(dataset, ids)
    assert journal.list_actions("aya", standing=True) == []
    assert len(journal.list_actions("aya")) == 10  # the journal forgets nothing
    assert sorted(path.name for path in (dataset / "faces").iterdir()) == ["index.csv", "splits.csv"]


def test_an_undo_of_a_whole_cluster_gives_each_face_its_own_label_back(journal, dataset, ids):
    journal.accept(ids[:2], "one", "aya")
    seen = {state.face: state.version for state in journal.get_states(ids[:4])}
    journal.accept(seen, "two", "aya", action="cluster-1")
    assert set(read_labels(dataset).values()) == {"two"}
    journal.undo("cluster-1", "aya")
    assert read_labels(dataset) == {ids[0]: "one", ids[1]: "one"}
    check_folder(dataset, ids)


def test_the_same_action_again_changes_nothing(journal, dataset, ids):
    first = journal.accept({ids[0]: ""}, "one", "aya", action="action-1")
    again = journal.accept({ids[0]: ""}, "one", "aya", action="action-1")
    assert again == first
    undone = journal.undo("action-1", "aya", action="action-2")
    assert journal.undo("action-1", "aya", action="action-2") == undone
    # a late repeat of what was undone meanwhile does not do it again
    assert journal.accept({ids[0]: ""}, "one", "aya", action="action-1") == undone
    assert len(journal.list_actions()) == 2
    check_folder(dataset, ids)
    for other in (
        ({ids[1]: ""}, "one", "aya"),
        ({ids[0]: ""}, "two", "aya"),
        ({ids[0]: ""}, "one", "b"),
    ):
        with pytest.raises(ConflictError, match="used for something else"):
            journal.accept(*other, action="action-1")


def test_what_the_operator_did_not_see_is_not_overwritten(journal, dataset, ids):
    seen = {face: "" for face in ids[:3]}
    journal.accept({ids[1]: ""}, "one", "aya")
    with pytest.raises(LabelConflictError, match="1 of 3 faces changed meanwhile") as caught:
        journal.accept(seen, "two", "botan")
    assert [(state.face, state.label, state.operator) for state in caught.value.faces] == [
        (ids[1], "one", "aya")
    ]
    assert read_labels(dataset) == {ids[1]: "one"}
    # a run that saw nothing takes only what has no label
    with pytest.raises(LabelConflictError):
        journal.accept([ids[1]], "two", "a run")
    check_folder(dataset, ids)


def test_only_the_own_action_can_be_undone_and_only_once(journal, dataset, ids):
    journal.accept([ids[0]], "one", "aya", action="action-1")
    with pytest.raises(ConflictError, match="aya's decision"):
        journal.undo("action-1", "botan")
    (state,) = journal.get_states([ids[0]])
    journal.accept({ids[0]: state.version}, "two", "botan", action="action-2")
    with pytest.raises(LabelConflictError, match="labelled anew by botan"):
        journal.undo("action-1", "aya")
    journal.undo("action-2", "botan", action="action-3")
    journal.undo("action-1", "aya")  # what stood in the way is gone
    with pytest.raises(ConflictError, match="undone already"):
        journal.undo("action-1", "aya")
    with pytest.raises(ConflictError, match="label the faces again"):
        journal.undo("action-3", "botan")
    with pytest.raises(NotFoundError):
        journal.undo("action-9", "aya")
    check_folder(dataset, ids)


@pytest.mark.parametrize(
    ("faces", "label", "action", "message"),
    [
        ([], "one", None, "1 to 1000 faces"),
        (["../../etc/passwd"], "one", None, "not the id of a face"),
        ([".hidden"], "one", None, "not the id of a face"),
        (["nobody"], "one", None, "There is no face"),
        (["face0000"], "../one", None, "cannot be a character's label"),
        (["face0000"], "a/b/c", None, "cannot be a character's label"),
        (["face0000"], "one\\two", None, "cannot be a character's label"),
        (["face0000"], " one", None, "cannot be a character's label"),
        (["face0000"], "one\n", None, "cannot be a character's label"),
        (["face0000"], "", None, "cannot be a character's label"),
        (["face0000"], "\u306f\u3099", None, "cannot be a character's label"),
        (["face0000"], "一" * 70, None, "cannot be a character's label"),
        (["face0000"], "index.csv", None, "cannot be a character's label"),
        (["face0000"], "one.png/two", None, "cannot be a character's label"),
        (["face0000"], "not_listed", None, "cannot be a character's label"),
        (["face0000"], "one", "a b", "action's id"),
    ],
)
def test_what_cannot_be_is_refused(journal, dataset, ids, faces, label, action, message):
    with pytest.raises((BadInputError, NotFoundError), match=message):
        journal.accept(faces, label, "aya", action=action)
    check_folder(dataset, ids)
    assert journal.list_actions() == []


def test_a_label_of_the_model_may_be_written_in_any_script(journal, dataset, ids):
    journal.accept([ids[0]], "fire_emblem/べロア", "aya")
    assert read_labels(dataset) == {ids[0]: "fire_emblem/べロア"}
    check_folder(dataset, ids)


def test_labels_survive_a_reopening_and_a_collector_that_brings_the_face_again(
    journal, open_journal, dataset, ids
):
    journal.accept(ids[:2], "one", "aya")
    journal.close()
    same, other = (dataset / "inbox" / f"{face}.png" for face in ids[:2])
    same.write_bytes((dataset / "faces" / "one" / same.name).read_bytes())
    other.write_bytes(b"another picture of this name")
    journal = open_journal()
    assert journal.list_inbox() == ids[2:]
    assert journal.recovery.moved == ids[:2]
    assert not same.exists() and not other.exists()
    assert (dataset / "set_aside" / other.name).read_bytes() == b"another picture of this name"
    check_folder(dataset, ids)


def test_a_new_character_has_a_name_that_training_reads(journal, dataset, ids):
    made = journal.add_character("simpsons/burns", "aya", {"en": "Charles Montgomery Burns"}, {})
    assert made.name_in("en") == "Charles Montgomery Burns"
    # the first name stays
    again = journal.add_character("simpsons/burns", "botan", {"en": "Monty"}, {})
    assert again == made
    assert journal.add_character("some_one", "aya", {}, {}).name_in("en") == "Some One"
    names = json.loads((dataset / "characters.json").read_text(encoding="utf-8"))
    assert names["simpsons/burns"]["name"] == {"en": "Charles Montgomery Burns"}
    with pytest.raises(BadInputError):
        journal.add_character("Burns!", "aya", {}, {})
