"""Unknown faces into groups: new ones join, what was decided stays, other networks are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawings import draw_face
from grouped_library import add_face, name_faces, read_rows, view
from sqlalchemy import text, update

from kyara.dataset.library.groups.making import Grouping, make_groups
from kyara.dataset.library.groups.reading import list_faces, list_groups
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.tables import FaceRow, PictureRow
from kyara.recognition.characters import Character
from kyara.storage.clock import tell_time

LEAST = 0.8


def draw(folder: Path, character: int, name: str, seed: int) -> Path:
    path = folder / "pictures" / name
    draw_face(character, np.random.default_rng(seed)).save(path)
    return path


def test_each_drawn_character_is_a_group_the_largest_first(grouped):
    groups, names = list_groups(grouped), name_faces(grouped)
    assert [one.size for one in groups] == [5, 4, 3]
    for group, faces in list_faces(grouped, [one.id for one in groups]).items():
        assert len({names[face] for face in faces}) == 1, group


def test_making_groups_again_changes_nothing(grouped, classifier):
    before = view(grouped)
    assert make_groups(grouped, classifier.backbone.fingerprint, LEAST) == Grouping()
    assert view(grouped) == before


def test_new_faces_join_open_groups_and_never_those_that_were_decided(
    grouped, journal, classifier, tmp_path
):
    journal.name(2, Character("ao_glasses", {}, {}))
    one = add_face(grouped, draw(tmp_path, 0, "aka-new.png", 90), classifier)
    other = add_face(grouped, draw(tmp_path, 1, "ao-new.png", 91), classifier)
    made = make_groups(grouped, classifier.backbone.fingerprint, LEAST)
    assert (made.faces, made.joined, made.groups, made.alone) == (2, 1, 0, 1)
    assert one in list_faces(grouped, [1])[1]
    assert other not in list_faces(grouped, [2])[2]
    second = add_face(grouped, draw(tmp_path, 1, "ao-newer.png", 92), classifier)
    made = make_groups(grouped, classifier.backbone.fingerprint, LEAST)
    assert (made.faces, made.grouped, made.groups) == (2, 2, 1)  # who was alone is looked at again
    (new,) = [group for group in list_groups(grouped) if group.id > 3]
    assert set(list_faces(grouped, [new.id])[new.id]) == {other, second}


def test_parts_of_a_large_library_join_the_groups_before_them(engine, classifier, monkeypatch):
    monkeypatch.setattr("kyara.dataset.library.groups.making.MOST_AT_ONCE", 4)
    made = make_groups(engine, classifier.backbone.fingerprint, LEAST)
    assert (made.faces, made.joined, made.groups, made.alone) == (12, 2, 3, 0)
    names = name_faces(engine)
    for group in list_groups(engine):
        (faces,) = list_faces(engine, [group.id]).values()
        assert len({names[face] for face in faces}) == 1


def test_known_missing_and_other_networks_faces_are_left_out(engine, classifier):
    with engine.begin() as connection:
        connection.execute(update(FaceRow).where(FaceRow.id <= 2).values(status="known", label="x"))
        connection.execute(update(FaceRow).where(FaceRow.id == 3).values(status="probably"))
        connection.execute(update(FaceRow).where(FaceRow.id == 6).values(network="another"))
        gone = update(PictureRow).where(PictureRow.id == 7).values(missing_since=tell_time())
        connection.execute(gone)
    made = make_groups(engine, classifier.backbone.fingerprint, LEAST)
    assert (made.faces, made.other_network) == (7, 1)
    assert [one.size for one in list_groups(engine)] == [3, 2, 2]
    assert make_groups(engine, classifier.backbone.fingerprint, LEAST, probably=True).joined == 1


def test_a_face_that_is_known_by_now_leaves_its_group(grouped):
    with grouped.begin() as connection:
        connection.execute(update(FaceRow).where(FaceRow.id == 1).values(status="known", label="x"))
    assert [one.size for one in list_groups(grouped)] == [4, 4, 3]


def test_a_library_of_before_is_brought_up_to_date(place, classifier):
    with open_library(place) as engine, engine.begin() as connection:
        before = read_rows(engine)
        for statement in (
            "DROP TABLE library_groups",
            "DROP TABLE library_group_steps",
            "DROP INDEX ix_library_faces_group",
            "ALTER TABLE library_faces DROP COLUMN face_group",
            "ALTER TABLE library_pictures DROP COLUMN next_sha256",
            "UPDATE alembic_version_library SET version_num = '0001'",
        ):
            connection.execute(text(statement))
    with open_library(place) as engine:
        assert read_rows(engine) == before
        assert make_groups(engine, classifier.backbone.fingerprint, LEAST).groups == 3
