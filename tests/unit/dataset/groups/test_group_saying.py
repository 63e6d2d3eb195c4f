"""What a person says of single faces, whoever a model takes them for; taken back and done again."""

from __future__ import annotations

import pytest
from grouped_library import read_rows, view
from sqlalchemy import update

from kyara.dataset.library.answering import Answerer, answer_anew
from kyara.dataset.library.groups.changes import MOST_CHOSEN
from kyara.dataset.library.groups.deciding import GroupJournal
from kyara.dataset.library.groups.reading import State, list_groups
from kyara.dataset.library.reading import Library
from kyara.dataset.library.tables import FaceRow, PictureRow
from kyara.errors import BadInputError, ConflictError, NotFoundError
from kyara.recognition.characters import Character

REI = Character("drawn/rei", {"en": "Rei", "ja": "レイ"}, {"en": "Drawn"})
KOU = Character("drawn/kou", {"en": "Kou"}, {})


def answer(engine, classifier, tmp_path) -> None:
    list(answer_anew(engine, Answerer(classifier.bundle, tmp_path / "taught.db", classifier)))


def labels(engine) -> list[str | None]:
    return [row["label"] for row in read_rows(engine)]


def test_faces_without_a_group_and_of_several_have_the_name_and_are_taught(engine, classifier):
    with engine.begin() as connection:
        connection.execute(update(FaceRow).where(FaceRow.id <= 3).values(label="x", status="known"))
    journal = GroupJournal(engine, classifier, "rin")
    outcome = journal.say([1, 2, 7], REI)
    assert (outcome.action, outcome.taught, outcome.problem) == ("faces", 3, "")
    assert labels(engine) == [REI.label, REI.label, "x", None, None, None, REI.label, *[None] * 5]
    assert len(classifier.taught[REI.label]) == 3
    (face,) = next(Library(engine).read_pictures(character=REI.label)).faces
    assert (face.names, face.confidence, face.status) == (dict(REI.name), 1.0, "known")
    assert [(one.label, one.size) for one in list_groups(engine, State.NAMED)] == [(REI.label, 3)]


def test_undone_the_model_says_again_who_they_are_and_redone_the_person(
    grouped, journal, classifier, tmp_path
):
    before = view(grouped)
    journal.say([1, 2, 7], REI)
    assert view(grouped) != before
    journal.undo()
    assert classifier.taught == {}
    assert [row["answered_by"] for row in read_rows(grouped)[:2]] == ["", ""]
    assert view(grouped) == before
    answer(grouped, classifier, tmp_path)
    with grouped.begin() as connection:  # as a model that knows them now would
        connection.execute(update(FaceRow).where(FaceRow.id == 1).values(label="x", status="known"))
    journal.redo()
    assert [labels(grouped)[face - 1] for face in (1, 2, 7)] == [REI.label] * 3
    assert len(classifier.taught[REI.label]) == 3


def test_a_face_of_a_named_group_gets_another_name_and_comes_back(grouped, journal, classifier):
    journal.name(1, REI)
    journal.say([1], KOU)
    assert labels(grouped)[:5] == [KOU.label, *[REI.label] * 4]
    assert (len(classifier.taught[REI.label]), len(classifier.taught[KOU.label])) == (4, 1)
    journal.undo()
    assert labels(grouped)[:5] == [REI.label] * 5
    assert KOU.label not in classifier.taught
    assert len(classifier.taught[REI.label]) == 5


def test_what_is_no_face_leaves_its_picture(grouped, journal):
    journal.say([1, 6], None)
    shown = [len(picture.faces) for picture in Library(grouped).read_pictures()]
    assert sorted(shown) == [0] * 2 + [1] * 10
    journal.undo()
    assert all(picture.faces for picture in Library(grouped).read_pictures())


def test_what_is_said_already_changes_nothing(grouped, journal, classifier):
    journal.say([1, 2], REI)
    with pytest.raises(ConflictError, match="said of them already"):
        journal.say([2, 1], REI)
    outcome = journal.say([1, 3], REI)  # of the first it is
    assert outcome.taught == 1
    assert len(classifier.taught[REI.label]) == 3


def test_nobody_decides_about_what_they_have_not_seen(grouped, classifier):
    GroupJournal(grouped, classifier, "len").say([1], REI)
    before = read_rows(grouped)
    with pytest.raises(ConflictError, match="meanwhile"):
        GroupJournal(grouped, classifier, "rin", seen=0).say([2], KOU)
    assert read_rows(grouped) == before


@pytest.mark.parametrize(
    ("faces", "error", "sentence"),
    [
        ([], BadInputError, "Choose 1 to"),
        (list(range(1, MOST_CHOSEN + 2)), BadInputError, "received 1001"),
        ([1, 99], NotFoundError, "There is no face 99 any more"),
        ([12], NotFoundError, "There is no face 12 any more"),
    ],
)
def test_what_cannot_be_said_changes_nothing(grouped, journal, faces, error, sentence):
    with grouped.begin() as connection:
        missing = {"missing_since": PictureRow.scanned_at}
        connection.execute(update(PictureRow).where(PictureRow.id == 12).values(missing))
    before = read_rows(grouped)
    with pytest.raises(error, match=sentence):
        journal.say(faces, REI)
    assert read_rows(grouped) == before
