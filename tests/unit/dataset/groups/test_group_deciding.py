"""Decisions about groups: what they change, what is refused, and that all of them can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from grouped_library import read_rows, view, write_unknown
from sqlalchemy import update

from kyara.dataset.library.answering import Answerer, answer_anew, count_outdated
from kyara.dataset.library.contents import count_library
from kyara.dataset.library.groups.cutting import cut_crops, cut_thumbnail, find_faces_by_id
from kyara.dataset.library.groups.deciding import GroupJournal
from kyara.dataset.library.groups.naming import choose_character
from kyara.dataset.library.groups.reading import State, find_group, list_faces, list_groups, read_head
from kyara.dataset.library.groups.suggesting import suggest
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.reading import Library
from kyara.dataset.library.tables import FaceRow
from kyara.errors import BadInputError, ConflictError, NotFoundError
from kyara.recognition.characters import Character
from kyara.recognition.name_search import KnownNames

NEW = Character("drawn/rei", {"en": "Rei", "ja": "レイ"}, {"en": "Drawn"})
OTHER = Character("drawn/kou", {"en": "Kou"}, {})


def test_a_name_is_that_of_all_faces_and_is_taught(grouped, journal, classifier):
    outcome = journal.name(1, NEW)
    assert (outcome.action, outcome.taught, outcome.unread, outcome.problem) == ("name", 5, 0, "")
    (picture, *_rest) = pictures = list(Library(grouped).read_pictures(character=NEW.label))
    assert len(pictures) == 5
    (face,) = picture.faces
    assert (face.names, face.confidence, face.status) == (dict(NEW.name), 1.0, "known")
    assert len(classifier.taught[NEW.label]) == 5
    assert classifier.character(NEW.label).name == NEW.name
    assert [one.label for one in list_groups(grouped, State.NAMED)] == [NEW.label]
    assert count_library(grouped)["known"] == 5


def test_what_a_person_said_is_not_answered_again(grouped, journal, classifier, tmp_path):
    journal.name(1, NEW)
    journal.reject([2])
    answerer = Answerer(classifier.bundle, tmp_path / "taught.db", classifier)
    assert count_outdated(grouped, answerer) == sum(answer_anew(grouped, answerer)) == 3
    labels = [row["label"] for row in read_rows(grouped)]
    assert labels[:9] == [NEW.label] * 5 + [None] * 4


def test_what_is_no_face_is_in_no_picture_and_no_count(grouped, journal):
    before = count_library(grouped)["faces"]
    journal.reject([3])
    counts = count_library(grouped)
    assert (before, counts["faces"], counts["unknown"]) == (12, 9, 9)
    shown = [picture.faces for picture in Library(grouped).read_pictures()]
    assert sorted(map(len, shown)) == [0] * 3 + [1] * 9
    assert [one.id for one in list_groups(grouped, State.NOT_A_FACE)] == [3]


def test_faces_are_split_off_and_the_others_stay(grouped, journal):
    faces = list_faces(grouped, [1])[1]
    outcome = journal.split(1, faces[:2])
    assert [one.size for one in list_groups(grouped)] == [4, 3, 3, 2]
    assert set(list_faces(grouped, outcome.groups)[outcome.groups[0]]) == set(faces[:2])


def test_faces_split_off_a_named_group_are_no_longer_taught(grouped, journal, classifier):
    journal.name(1, NEW)
    faces = list_faces(grouped, [1])[1]
    journal.split(1, faces[:2])
    assert len(classifier.taught[NEW.label]) == 3
    assert [row["label"] for row in read_rows(grouped)].count(NEW.label) == 3
    journal.undo()
    assert len(classifier.taught[NEW.label]) == 5
    journal.undo()
    assert classifier.taught == {}


def test_groups_that_are_put_together_have_one_name(grouped, journal, classifier):
    journal.name(2, NEW)
    journal.merge(1, [2, 3])
    (group,) = list_groups(grouped, State.NAMED)
    assert (group.id, group.size, list_groups(grouped)) == (1, 12, [])
    assert len(classifier.taught[NEW.label]) == 12
    with pytest.raises(NotFoundError, match="The group 2 is part of the group 1 now"):
        find_group(grouped, 2)
    journal.undo()
    assert [one.size for one in list_groups(grouped)] == [5, 3]
    assert len(classifier.taught[NEW.label]) == 4


def test_everything_is_undone_to_the_start_and_done_again(grouped, journal, classifier):
    first, rows = view(grouped), [row["status"] for row in read_rows(grouped)]
    faces = list_faces(grouped, [1, 2])
    seen = [first]
    for decide in (
        lambda: journal.split(1, faces[1][:2]),
        lambda: journal.merge(2, [1]),
        lambda: journal.name(2, NEW),
        lambda: journal.split(2, [faces[1][3], faces[2][0]]),  # of both that were put together
        lambda: journal.reject([3]),
        lambda: journal.name(2, OTHER),
        lambda: journal.merge(2, [4]),
    ):
        decide()
        seen.append(view(grouped))
    taught = {label: len(references) for label, references in classifier.taught.items()}
    for expected in seen[-2::-1]:
        journal.undo()
        assert view(grouped) == expected
    assert classifier.taught == {}
    assert [row["status"] for row in read_rows(grouped)] == rows
    assert read_head(grouped)["undo"] is None
    with pytest.raises(NotFoundError, match="There is nothing to undo"):
        journal.undo()
    for expected in seen[1:]:
        journal.redo()
        assert view(grouped) == expected
    assert {label: len(references) for label, references in classifier.taught.items()} == taught
    with pytest.raises(NotFoundError, match="There is nothing to redo"):
        journal.redo()


def test_a_new_decision_ends_what_could_be_done_again(grouped, journal):
    journal.reject([1])
    journal.undo()
    journal.reject([2])
    with pytest.raises(NotFoundError, match="There is nothing to redo"):
        journal.redo()


def test_undo_leaves_what_others_taught(grouped, journal, classifier, tmp_path):
    crop = cut_first(grouped, classifier)
    classifier.teach(NEW.label, [crop], NEW.name)
    assert journal.name(1, NEW).taught == 4  # one of the five was taught by somebody already
    journal.undo()
    assert len(classifier.taught[NEW.label]) == 1


def cut_first(engine, classifier):
    ((_, crop),) = cut_crops(find_faces_by_id(engine, [1]), classifier.bundle.preprocessing)
    return crop


def test_pictures_that_are_gone_or_changed_are_told_and_the_name_stands(
    grouped, journal, classifier, tmp_path
):
    pictures = sorted((tmp_path / "pictures").glob("aka_ribbon-*.png"))
    pictures[0].unlink()
    pictures[1].write_bytes(b"something else")
    outcome = journal.name(1, NEW)
    assert (outcome.taught, outcome.unread) == (3, 2)
    assert [row["label"] for row in read_rows(grouped)].count(NEW.label) == 5


def test_where_the_model_cannot_be_taught_the_name_stands_and_it_is_told(grouped, tiny_classifier):
    outcome = GroupJournal(grouped, tiny_classifier).name(1, NEW)
    assert "keeps nothing" in outcome.problem
    assert [row["label"] for row in read_rows(grouped)].count(NEW.label) == 5


def test_a_name_leaves_a_face_alone_that_the_model_knows_by_now(grouped, journal):
    with grouped.begin() as connection:
        known = update(FaceRow).where(FaceRow.id == 1)
        connection.execute(known.values(status="known", label="ao_glasses"))
    journal.name(1, NEW)
    assert [row["label"] for row in read_rows(grouped)].count(NEW.label) == 4
    assert read_rows(grouped)[0]["label"] == "ao_glasses"


def test_somebody_else_was_faster(grouped, classifier):
    mine, theirs = (GroupJournal(grouped, classifier, name, seen=0) for name in ("rin", "len"))
    theirs.reject([1])
    before = view(grouped)
    for decide in (lambda: mine.reject([2]), mine.undo):
        with pytest.raises(ConflictError, match="Somebody else has changed the groups meanwhile"):
            decide()
    assert view(grouped) == before
    step = read_head(grouped)["step"]
    GroupJournal(grouped, classifier, "rin", seen=int(step or 0)).undo()


@pytest.mark.parametrize(
    ("decide", "error", "message"),
    [
        (lambda j: j.name(9, NEW), NotFoundError, "There is no group 9"),
        (lambda j: j.reject([1, 9]), NotFoundError, "There is no group 9"),
        (lambda j: j.merge(1, []), BadInputError, "Choose 2 to 1000 groups"),
        (lambda j: j.merge(1, [1]), BadInputError, "received 1"),
        (lambda j: j.merge(1, [9]), NotFoundError, "There is no group 9"),
        (lambda j: j.split(1, []), BadInputError, "Choose 1 to 1000 faces"),
        (lambda j: j.split(1, [12]), NotFoundError, "The group 1 has no face 12"),
        (lambda j: j.split(1, [1, 2, 3, 4, 5]), BadInputError, "leave some in it"),
        (lambda j: j.undo(), NotFoundError, "There is nothing to undo"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(grouped, journal, decide, error, message):
    before = view(grouped)
    with pytest.raises(error, match=message):
        decide(journal)
    assert view(grouped) == before
    assert read_head(grouped) == {"step": 0, "undo": None, "redo": None}


def test_two_names_are_not_put_together_and_a_name_is_not_given_twice(journal):
    journal.name(1, NEW)
    journal.name(2, OTHER)
    with pytest.raises(ConflictError, match=r"different names \(drawn/kou, drawn/rei\)"):
        journal.merge(1, [2])
    with pytest.raises(ConflictError, match="said of it already"):
        journal.name(1, NEW)


def test_suggestions_name_those_that_were_taught_and_groups_that_are_near(grouped, journal, classifier):
    faces = list_faces(grouped, [1])[1]
    (part,) = journal.split(1, faces[:2]).groups
    found = suggest(grouped, classifier, [1, 2, part])
    assert found[part].groups[0].id == 1
    assert found[1].groups[0].similarity > 0.6
    journal.name(1, NEW)
    found = suggest(grouped, classifier.without(["aka_ribbon"]), [part])[part]  # who was drawn
    assert found.characters[0].label == NEW.label
    assert found.groups[0].label == NEW.label
    assert suggest(grouped, classifier, [99]) == {}


KNOWN = KnownNames.of(
    [
        Character("a/rin", {"en": "Rin"}, {}),
        Character("b/rin", {"en": "Rin"}, {}),
        Character("miku", {"en": "Hatsune Miku", "ja": "初音ミク"}, {}),
    ]
)


@pytest.mark.parametrize(
    ("text", "more", "label"),
    [
        ("Hatsune Miku", {}, "miku"),
        ("初音ミク", {}, "miku"),
        ("miku", {}, "miku"),
        ("", {"label": "miku"}, "miku"),
        ("Rin", {"label": "a/rin"}, "a/rin"),
        ("Rin", {"label": "c/rin"}, "c/rin"),
        ("Somebody New", {"work": "A Work"}, "somebody_new"),
        ("綾波レイ", {"label": "rei"}, "rei"),
    ],
)
def test_who_is_meant(text: str, more: dict[str, str], label: str) -> None:
    chosen = choose_character(KNOWN, text, **more)
    assert chosen.label == label
    if label == "somebody_new":
        assert (chosen.name, chosen.work) == ({"en": "Somebody New"}, {"en": "A Work"})
    if label == "rei":
        assert chosen.name == {"ja": "綾波レイ"}


@pytest.mark.parametrize(
    ("text", "label", "error", "message"),
    [
        ("Rin", "", ConflictError, "Several are called 'Rin': a/rin, b/rin"),
        ("Somebody", "miku", ConflictError, "The label miku is that of Hatsune Miku"),
        ("", "", BadInputError, "Write a name"),
        ("！？", "", BadInputError, "No label can be made"),
        ("New", "Not A Label", BadInputError, "label"),
    ],
)
def test_who_cannot_be_meant(text: str, label: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        choose_character(KNOWN, text, label=label)


def test_a_face_is_cut_from_its_picture_as_it_was_scanned(classifier, tmp_path: Path) -> None:
    with open_library(write_unknown(tmp_path, classifier, (2,))) as engine:
        (placed,) = find_faces_by_id(engine, [2])
        assert max(cut_thumbnail(placed).shape[:2]) == 96
        assert find_faces_by_id(engine, [77]) == []
        placed.path.write_bytes(b"x")
        with pytest.raises(NotFoundError, match="has changed since it was scanned"):
            cut_thumbnail(placed)
