"""Decisions, undo and refusals of the journal of labels."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from first_release_data import DUMPS
from inboxes import check_folder, fill_inbox, list_labelled, read_labels

from kyara.dataset.review.labelling import NOT_A_FACE, LabelJournal
from kyara.dataset.review.steps import ReviewConflictError
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
        (newest, *_) = journal.list_steps("aya", standing=True)
        (state,) = journal.undo(newest.id, "aya")
        assert state.label == before == list_labelled(dataset).get(face)
        check_folder(dataset, ids)
    assert journal.list_steps("aya", standing=True) == []
    assert len(journal.list_steps("aya")) == 10  # the journal forgets nothing
    assert sorted(path.name for path in (dataset / "faces").iterdir()) == ["index.csv", "splits.csv"]


def test_an_undo_of_a_whole_cluster_gives_each_face_its_own_label_back(journal, dataset, ids):
    journal.accept(ids[:2], "one", "aya")
    seen = {state.face: state.version for state in journal.get_states(ids[:4])}
    journal.accept(seen, "two", "aya", step="cluster-1")
    assert set(read_labels(dataset).values()) == {"two"}
    journal.undo("cluster-1", "aya")
    assert read_labels(dataset) == {ids[0]: "one", ids[1]: "one"}
    check_folder(dataset, ids)


def test_the_same_action_again_changes_nothing(journal, dataset, ids):
    first = journal.accept({ids[0]: ""}, "one", "aya", step="action-1")
    again = journal.accept({ids[0]: ""}, "one", "aya", step="action-1")
    assert again == first
    undone = journal.undo("action-1", "aya", step="action-2")
    assert journal.undo("action-1", "aya", step="action-2") == undone
    # a late repeat of what was undone meanwhile does not do it again
    assert journal.accept({ids[0]: ""}, "one", "aya", step="action-1") == undone
    assert len(journal.list_steps()) == 2
    check_folder(dataset, ids)
    for other in (
        ({ids[1]: ""}, "one", "aya"),
        ({ids[0]: ""}, "two", "aya"),
        ({ids[0]: ""}, "one", "b"),
    ):
        with pytest.raises(ConflictError, match="used for something else"):
            journal.accept(*other, step="action-1")


def test_what_the_operator_did_not_see_is_not_overwritten(journal, dataset, ids):
    seen = {face: "" for face in ids[:3]}
    journal.accept({ids[1]: ""}, "one", "aya")
    with pytest.raises(ReviewConflictError, match="1 of 3 faces changed meanwhile") as caught:
        journal.accept(seen, "two", "botan")
    assert [
        (state.face, state.label, state.operator) for state in journal.get_states(caught.value.items)
    ] == [(ids[1], "one", "aya")]
    assert read_labels(dataset) == {ids[1]: "one"}
    # a run that saw nothing takes only what has no label
    with pytest.raises(ReviewConflictError):
        journal.accept([ids[1]], "two", "a run")
    check_folder(dataset, ids)


def test_only_the_own_action_can_be_undone_and_only_once(journal, dataset, ids):
    journal.accept([ids[0]], "one", "aya", step="action-1")
    with pytest.raises(ConflictError, match="aya's decision"):
        journal.undo("action-1", "botan")
    (state,) = journal.get_states([ids[0]])
    journal.accept({ids[0]: state.version}, "two", "botan", step="action-2")
    with pytest.raises(ReviewConflictError, match="decided anew by botan"):
        journal.undo("action-1", "aya")
    journal.undo("action-2", "botan", step="action-3")
    journal.undo("action-1", "aya")  # what stood in the way is gone
    with pytest.raises(ConflictError, match="undone already"):
        journal.undo("action-1", "aya")
    with pytest.raises(ConflictError, match="cannot be undone"):
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
        (["face0000"], "one", "a b", "step's id"),
    ],
)
def test_what_cannot_be_is_refused(journal, dataset, ids, faces, label, action, message):
    with pytest.raises((BadInputError, NotFoundError), match=message):
        journal.accept(faces, label, "aya", step=action)
    check_folder(dataset, ids)
    assert journal.list_steps() == []


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


def test_a_journal_of_the_release_before_is_carried_over(open_journal, dataset):
    ids = fill_inbox(dataset, 6, size_px=8)
    with closing(sqlite3.connect(dataset / "labels.db")) as connection:
        connection.executescript((DUMPS / "labels.sql").read_text(encoding="utf-8"))
    journal = open_journal()
    check_folder(dataset, ids)
    assert read_labels(dataset) == {
        ids[0]: "simpsons/burns",
        ids[2]: NOT_A_FACE,
        ids[3]: "fire_emblem/べロア",
    }
    kept = [(step.id, step.operator, step.undoes, step.items) for step in journal.list_steps()]
    assert kept == [
        ("action-6", "botan", None, (ids[3],)),
        ("action-5", "botan", None, (ids[1],)),
        ("action-4", "aya", "action-2", (ids[0],)),
        ("action-3", "botan", None, (ids[2],)),
        ("action-2", "aya", None, (ids[0],)),
        ("action-1", "aya", None, (ids[0], ids[1])),
    ]
    (state,) = journal.get_states([ids[0]])
    assert (state.version, state.operator) == ("action-4", "aya")
    assert state.at == datetime(2026, 11, 29, 3, 11, 46, 512_000, UTC)
    (made,) = journal.list_characters()
    assert (made.name["en"], made.work["en"]) == ("Charles Montgomery Burns", "Springfield")
    # what a page of then sends again is known; what it did can be undone, in the order of then
    journal.accept([ids[3]], "fire_emblem/べロア", "botan", step="action-6")
    assert len(journal.list_steps()) == 6
    with pytest.raises(ReviewConflictError, match="decided anew by botan"):
        journal.undo("action-1", "aya")
    journal.undo("action-5", "botan")
    assert [state.label for state in journal.undo("action-1", "aya")] == [None, None]
    check_folder(dataset, ids)
