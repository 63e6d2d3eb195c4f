"""Review: decisions, undo, deletion and the vote, and a dataset folder that follows."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from first_release_data import DUMPS
from sqlalchemy import text

from kyara.dataset.review.exporting import export_to_folder
from kyara.dataset.review.journal import Action
from kyara.dataset.review.opinion import form_opinion
from kyara.dataset.review.queue import describe_page
from kyara.dataset.review.reports import NOT_A_FACE, NOT_LISTED, Report, ReportStore, ReviewState
from kyara.dataset.review.reports.choosing import Choice
from kyara.dataset.review.reports.journal import ReportJournal
from kyara.dataset.review.reports.settings import hash_visitor
from kyara.dataset.review.reports.votes import FLOOD_SUBMISSIONS
from kyara.dataset.review.vote import VOTER, is_vote_on, switch_vote, take_votes
from kyara.errors import BadInputError, ConflictError, KyaraError, NotFoundError, TooLateError
from kyara.recognition.characters import Character
from kyara.recognition.name_search import KnownNames
from kyara.vision.images import read_image

MIKU = Character("vocaloid/miku", {"en": "Hatsune Miku", "ja": "初音ミク"}, {"en": "Vocaloid"})
LUKA = Character("luka", {"en": "Megurine Luka"}, {"en": "Vocaloid"})
KNOWN = KnownNames.of([MIKU, LUKA])


def draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 25, 3), dtype=np.uint8)


@pytest.fixture(params=["file", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReportStore]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    store = ReportStore(tmp_path / "user_report", url)
    yield store
    store.close()


@pytest.fixture
def journal(store: ReportStore, dataset: Path) -> ReportJournal:
    return ReportJournal(store, dataset, lambda: KNOWN)


def report(store: ReportStore, seed: int, label: str = "luka", sender: str | None = None) -> Report:
    return store.add(draw(seed), label, sender=sender)[0]


def faces(dataset: Path) -> dict[str, str]:
    """Path → label of the index; every file is in it, and it names no other."""
    with (dataset / "faces" / "index.csv").open(newline="") as file:
        rows = {row["path"]: row["label"] for row in csv.DictReader(file)}
    files = {
        path.relative_to(dataset / "faces").as_posix() for path in (dataset / "faces").rglob("*.png")
    }
    assert set(rows) == files
    return rows


def test_accepting_puts_the_crop_into_the_dataset_with_its_history(store, journal, dataset):
    one = report(store, 1, "初音ミク")
    (done,) = journal.decide({one.id: one.revision}, Action.ACCEPT, "rin")
    assert (done.state, done.reviewed_label, done.reviewed_by) == ("accepted", "vocaloid/miku", "rin")
    assert faces(dataset) == {f"vocaloid/miku/report-{one.id}.png": "vocaloid/miku"}
    assert np.array_equal(read_image(dataset / "faces/vocaloid/miku" / f"report-{one.id}.png"), draw(1))
    with (dataset / "faces" / "index.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["split"], row["group"]) == ("train", f"report-{(one.pixels_sha256 or '')[:16]}")
    kept = json.loads((dataset / "reports" / f"report-{one.id}.json").read_text())
    assert (kept["said"], kept["label"]) == ("初音ミク", "vocaloid/miku")
    assert [review["operator"] for review in kept["reviews"]] == ["rin"]
    assert "token" not in json.dumps(kept)


def test_every_decision_can_be_taken_back_and_the_dataset_follows(store, journal, dataset):
    one = report(store, 1)
    for action, label in [
        (Action.ACCEPT, None),
        (Action.CORRECT, "hatsune miku"),
        (Action.REJECT, None),
        (Action.NEW, "someone_new"),
        (Action.NOT_A_FACE, None),
        (Action.REOPEN, None),
    ]:
        journal.decide({one.id: None}, action, "rin", label=label)
    assert faces(dataset) == {}
    stood = []
    for _ in range(6):
        _, (now,) = journal.undo_last("rin")
        stood.append((str(now.state), now.reviewed_label))
        expected = {now.reviewed_label} if now.state == "accepted" else set()
        assert set(faces(dataset).values()) == expected
    assert stood == [
        ("rejected", NOT_A_FACE),
        ("accepted", "someone_new"),
        ("rejected", None),
        ("accepted", "vocaloid/miku"),
        ("accepted", "luka"),
        ("pending", None),
    ]
    assert len(journal.read_history(one.id)) == 12
    with pytest.raises(NotFoundError, match="nothing of yours"):
        journal.undo_last("rin")
    assert not list((dataset / "reports").iterdir())


def test_a_step_is_its_operators_and_the_last_one(store, journal):
    one = report(store, 1)
    journal.decide({one.id: 0}, Action.ACCEPT, "rin", step="step-of-rin")
    with pytest.raises(ConflictError, match="This step is rin's"):
        journal.undo("step-of-rin", "len")
    journal.decide({one.id: 1}, Action.REJECT, "len", step="step-of-len")
    with pytest.raises(ConflictError, match="decided anew by len"):
        journal.undo("step-of-rin", "rin")
    journal.undo("step-of-len", "len")
    journal.undo("step-of-len", "len")
    (now,) = journal.undo("step-of-rin", "rin")
    assert now.state == "pending"
    with pytest.raises(NotFoundError):
        journal.undo("no-such-step", "rin")


def test_a_step_sent_twice_is_one_step(store, journal):
    one = report(store, 1)
    journal.decide({one.id: 0}, Action.ACCEPT, "rin", step="once-and-again")
    (now,) = journal.decide({one.id: 0}, Action.ACCEPT, "rin", step="once-and-again")
    assert (now.revision, len(journal.read_history(one.id))) == (1, 1)
    with pytest.raises(ConflictError, match="used for something else"):
        journal.decide({one.id: 1}, Action.REJECT, "rin", step="once-and-again")
    journal.decide({one.id: 0}, Action.ACCEPT, "len")
    assert len(journal.read_history(one.id)) == 1


def test_two_operators_do_not_overwrite_each_other(store, journal):
    one, two = report(store, 1), report(store, 2)
    journal.decide({one.id: 0}, Action.REJECT, "len")
    with pytest.raises(ConflictError, match="was decided by len since you saw it"):
        journal.decide({two.id: 0, one.id: 0}, Action.ACCEPT, "rin")
    assert store.get(two.id).state == "pending"


@pytest.mark.parametrize(
    ("said", "action", "label", "words"),
    [
        ("nobody at all", Action.ACCEPT, None, "nobody who is known"),
        (NOT_LISTED, Action.ACCEPT, None, "nobody who is known"),
        ("luka", Action.CORRECT, "nobody", "nobody who is known"),
        ("luka", Action.CORRECT, None, "nobody who is known"),
        ("luka", Action.NEW, "Not ASCII é", "cannot be taken"),
        ("luka", Action.NEW, "../evil", "cannot be taken"),
        ("luka", Action.NEW, NOT_A_FACE, "not a character"),
    ],
)
def test_a_decision_that_makes_no_sense_changes_nothing(
    store, journal, dataset, said, action, label, words
):
    one = report(store, 1, said)
    with pytest.raises(BadInputError, match=words):
        journal.decide({one.id: 0}, action, "rin", label=label)
    assert store.get(one.id).state == "pending"
    assert not list(dataset.rglob("*.png"))


def test_two_operators_at_once_each_decide_what_the_other_did_not(store, journal):
    ids = [report(store, seed).id for seed in range(6)]

    def review(operator: str, action: Action) -> int:
        done = 0
        for report_id in ids:
            with suppress(ConflictError):
                journal.decide({report_id: 0}, action, operator)
                done += 1
        return done

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(review, "rin", Action.ACCEPT), pool.submit(review, "len", Action.REJECT)]
        assert sum(job.result() for job in jobs) == len(ids)
    for report_id in ids:
        (only,) = journal.read_history(report_id)
        assert store.get(report_id).reviewed_by == only.operator


def test_a_dataset_that_cannot_be_written_leaves_the_report_pending(store, journal, dataset):
    one = report(store, 1)
    dataset.mkdir()
    (dataset / "faces").write_text("a file where the folder should be")
    with pytest.raises(KyaraError):
        journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    assert store.get(one.id).state == "pending"
    (dataset / "faces").unlink()
    journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    assert faces(dataset) == {f"luka/report-{one.id}.png": "luka"}


def test_a_picture_has_one_label_in_the_dataset(store, journal):
    one, two = report(store, 1, "luka"), report(store, 1, "初音ミク")
    journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    with pytest.raises(ConflictError, match="accepted as Megurine Luka already"):
        journal.decide({two.id: 0}, Action.ACCEPT, "rin")


def test_an_undo_gives_no_picture_two_labels(store, journal):
    one, two = report(store, 1, "luka"), report(store, 1, "初音ミク")
    journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    journal.decide({one.id: 1}, Action.REOPEN, "rin")
    journal.decide({two.id: 0}, Action.ACCEPT, "len")
    with pytest.raises(ConflictError, match="accepted as Hatsune Miku already"):
        journal.undo_last("rin")


def test_a_report_whose_picture_is_gone_cannot_be_accepted(store, journal):
    one = report(store, 1)
    (store.folder / one.file).unlink()
    with pytest.raises(NotFoundError, match="is gone"):
        journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    assert store.get(one.id).state == "pending"


def test_deleting_takes_everything_but_a_stub(store, journal, dataset):
    one = report(store, 1)
    journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    assert journal.delete(Choice(ids=[one.id]), "rin") == [one.id]
    assert faces(dataset) == {}
    assert not list(store.folder.glob("*.png"))
    assert store.count_stored_bytes() == 0
    with pytest.raises(TooLateError, match="withdrawn or deleted"):
        journal.decide({one.id: None}, Action.ACCEPT, "rin")
    assert [review.action for review in journal.read_history(one.id)] == ["accept", "delete"]


def test_deleting_a_sender_leaves_what_others_said(store, journal):
    both, mine = report(store, 1, sender="a" * 32), report(store, 2, sender="a" * 32)
    report(store, 1, sender="b" * 32)
    assert journal.delete(Choice(sender="a" * 32), "rin") == [mine.id]
    assert (store.get(both.id).count, store.get(mine.id).state) == (1, ReviewState.WITHDRAWN)
    named = report(store, 3, "初音ミク")
    assert journal.delete(Choice(label="初音ミク"), "rin") == [named.id]
    with pytest.raises(BadInputError, match="which reports"):
        journal.delete(Choice(), "rin")


def test_the_next_start_puts_right_what_a_crash_cut_in_two(store, journal, dataset):
    one, two, three = report(store, 1), report(store, 2), report(store, 3)
    journal.decide(dict.fromkeys([one.id, two.id, three.id]), Action.ACCEPT, "rin")
    place = dataset / "faces" / "luka"
    (place / f"report-{one.id}.png").unlink()
    with store.sessions.begin() as session:
        session.execute(text("UPDATE reports SET state = 'rejected' WHERE id = :id"), {"id": two.id})
    elsewhere = dataset / "faces" / "by_hand"
    elsewhere.mkdir()
    (place / f"report-{three.id}.png").rename(elsewhere / f"report-{three.id}.png")
    stranger = place / f"report-{'0' * 32}.png"
    shutil.copyfile(place / f"report-{two.id}.png", stranger)
    ReportJournal(store, dataset, lambda: KNOWN).recover()
    assert sorted(path.name for path in place.iterdir()) == sorted(
        [f"report-{one.id}.png", stranger.name]
    )
    assert [path.name for path in elsewhere.iterdir()] == [f"report-{three.id}.png"]


def test_what_the_release_before_decided_is_known_and_can_be_undone(tmp_path, dataset):
    (tmp_path / "old").mkdir()
    with closing(sqlite3.connect(tmp_path / "old" / "reports.db")) as connection:
        connection.executescript((DUMPS / "reviewed.sql").read_text(encoding="utf-8"))
    with closing(ReportStore(tmp_path / "old")) as store:
        journal = ReportJournal(store, dataset, lambda: KNOWN)
        with pytest.raises(ConflictError, match="decided anew by len"):
            journal.undo("step-of-rin", "rin")
        (one,) = journal.undo("step-of-len", "len")
        assert (one.state, one.reviewed_label, one.revision) == ("rejected", None, 3)
        actions = [(review.operator, review.action) for review in journal.read_history(one.id)]
        assert actions == [("rin", "reject"), ("len", "not_a_face"), ("len", "undo")]
        assert {report.state for report in journal.undo("step-of-rin", "rin")} == {"pending"}


def test_an_address_is_kept_as_a_keyed_hash_only(store, tmp_path):
    one = hash_visitor(store, "203.0.113.7")
    assert one == hash_visitor(store, "::ffff:203.0.113.7") != hash_visitor(store, "203.0.113.8")
    assert hash_visitor(store, "2001:db8:1:2::3") == hash_visitor(store, "2001:db8:1:2:ffff::9")
    assert hash_visitor(store, None) is None
    other = ReportStore(tmp_path / "another")
    assert hash_visitor(other, "203.0.113.7") != one
    other.close()


def test_an_export_holds_bare_crops_and_the_history(store, journal, tmp_path):
    one = store.add(draw(1), "luka", note="private", token="visitors-secret")[0]
    journal.decide({one.id: 0}, Action.ACCEPT, "rin")
    assert export_to_folder(store, Choice(label="luka"), tmp_path / "out") == 1
    text = (tmp_path / "out" / "reports.json").read_text()
    (entry,) = json.loads(text)["reports"]
    data = (tmp_path / "out" / entry["file"]).read_bytes()
    assert b"visitors-secret" not in data + text.encode()
    assert "private" not in text
    with pytest.raises(BadInputError, match="is there already"):
        export_to_folder(store, Choice(), tmp_path / "out")


# --- with the tiny model -------------------------------------------------------------------------


@pytest.fixture
def tiny_journal(store: ReportStore, dataset: Path, tiny_classifier) -> ReportJournal:
    return ReportJournal(store, dataset, lambda: KnownNames.of(tiny_classifier.characters))


@pytest.fixture
def face(tiny_data: Path) -> np.ndarray:
    return read_image(tiny_data / "aka_ribbon" / "000.png")


FAR = "far_away"


@pytest.fixture
def far_sighted(tiny_classifier, face: np.ndarray):
    """The tiny model, which also knows somebody to whom the features object."""
    features = tiny_classifier.backbone.extract([face])
    view = tiny_classifier.teaching({FAR: -features})
    assert form_opinion(view, features[0], FAR).objects
    return view


@pytest.fixture
def far_journal(store: ReportStore, dataset: Path, far_sighted) -> ReportJournal:
    return ReportJournal(store, dataset, lambda: KnownNames.of(far_sighted.characters))


def send(store: ReportStore, face: np.ndarray, label: str, senders: str) -> Report:
    sent = [store.add(face, label, sender=sender * 32)[0] for sender in senders]
    return sent[-1]


@pytest.mark.parametrize(
    ("votes", "accepted"),
    [
        ({"aka_ribbon": "abc"}, True),
        ({"赤リボン": "ab", "aka_ribbon": "c"}, True),
        ({"aka_ribbon": "ab"}, False),
        ({"aka_ribbon": "aaaa"}, False),
        ({"aka_ribbon": "abcd", "ao_glasses": "ef"}, False),
        ({"aka_ribbon": "abcde", "ao_glasses": "fg"}, True),
        ({"aka_ribbon": "abc", "ao_glasses": "a"}, False),
    ],
)
def test_three_senders_and_more_than_two_thirds_decide(
    store, tiny_journal, tiny_classifier, face, votes, accepted
):
    for label, senders in votes.items():
        send(store, face, label, senders)
    done = take_votes(tiny_journal, tiny_classifier)
    assert {one.reviewed_label for one in done} == ({"aka_ribbon"} if accepted else set())
    assert {one.reviewed_by for one in done} <= {VOTER}


def test_the_vote_does_not_pass_over_the_features(store, far_journal, far_sighted, face):
    send(store, face, FAR, "abcd")
    assert take_votes(far_journal, far_sighted) == []


def test_unknown_senders_and_floods_have_no_voice(store, tiny_journal, tiny_classifier, face):
    for _ in range(5):
        store.add(face, "aka_ribbon")
    send(store, face, "aka_ribbon", "ab")
    for seed in range(FLOOD_SUBMISSIONS):
        report(store, seed, "aka_ribbon", sender="f" * 32)
    send(store, face, "aka_ribbon", "f")
    assert take_votes(tiny_journal, tiny_classifier) == []
    send(store, face, "aka_ribbon", "c")
    assert len(take_votes(tiny_journal, tiny_classifier)) == 1


def test_what_an_operator_decided_is_not_voted_on(store, tiny_journal, tiny_classifier, face):
    one = send(store, face, "aka_ribbon", "abc")
    tiny_journal.decide({one.id: 0}, Action.REJECT, "rin")
    tiny_journal.undo_last("rin")
    assert take_votes(tiny_journal, tiny_classifier) == []


def test_the_switch_of_the_vote_outlives_the_process(store):
    assert (is_vote_on(store, False), is_vote_on(store, True)) == (False, True)
    switch_vote(store, True)
    assert is_vote_on(store, False)
    switch_vote(store, False)
    assert not is_vote_on(store, True)


def test_suspicious_reports_are_marked(store, far_journal, far_sighted, face):
    far = send(store, face, FAR, "x")
    fine = send(store, face, "aka_ribbon", "y")
    for seed in range(FLOOD_SUBMISSIONS + 1):
        report(store, seed, "aka_ribbon", sender="f" * 32)
    view = far_sighted
    page = describe_page(
        store,
        Choice(state=ReviewState.PENDING),
        far_journal.find_names(),
        limit=100,
        offset=0,
        classifier=view,
        extract=lambda one: view.backbone.extract([face if one.id in (far.id, fine.id) else draw(1)])[0],
    )
    entries = {entry["id"]: entry for entry in page.entries}
    assert entries[far.id]["marks"] == ["outlier", "conflicting"]
    assert entries[fine.id]["marks"] == ["conflicting"]
    assert entries[fine.id]["answers"][0]["label"] == "aka_ribbon"
    assert entries[fine.id]["references"][0]["label"] == "aka_ribbon"
    assert {"flood"} <= set.intersection(
        *(set(entry["marks"]) for key, entry in entries.items() if key not in (far.id, fine.id))
    )
