"""What the desk decides, what the dataset has of it, and what can be taken back."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from review_samples import Send, list_faces

from kyara.errors import (
    BadInputError,
    ConflictError,
    KyaraError,
    NotFoundError,
    TooLateError,
)
from kyara.images import read_image
from kyara.reports import NOT_A_FACE, NOT_LISTED, ReportState, ReportStore
from kyara.reports.choosing import Choice
from kyara.reviewing import Action, ReviewDesk


def test_an_accepted_report_is_in_the_dataset_with_its_history(
    desk: ReviewDesk, send: Send, dataset: Path, store: ReportStore
) -> None:
    report = send("赤リボン")
    (decided,) = desk.decide({report.id: report.revision}, Action.ACCEPT, "rin")
    assert (decided.state, decided.reviewed_label, decided.reviewed_by) == (
        ReportState.ACCEPTED,
        "aka_ribbon",
        "rin",
    )
    path = f"aka_ribbon/report-{report.id}.png"
    assert list_faces(dataset) == [path]
    crop = read_image(store.folder / report.file)
    assert np.array_equal(read_image(dataset / "faces" / path), crop)
    with (dataset / "faces" / "index.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["path"], row["label"], row["split"]) == (path, "aka_ribbon", "train")
    history = json.loads((dataset / "reports" / f"report-{report.id}.json").read_text())
    assert (history["said"], history["label"]) == ("赤リボン", "aka_ribbon")
    assert [(one["operator"], one["action"]) for one in history["reviews"]] == [("rin", "accept")]


@pytest.mark.parametrize(
    ("said", "action", "label", "state", "stands"),
    [
        ("Aka Ribbon", Action.ACCEPT, None, ReportState.ACCEPTED, "aka_ribbon"),
        ("nobody at all", Action.CORRECT, "Ao Glasses", ReportState.ACCEPTED, "ao_glasses"),
        ("nobody at all", Action.NEW, "works/new_one", ReportState.ACCEPTED, "works/new_one"),
        ("Aka Ribbon", Action.REJECT, None, ReportState.REJECTED, None),
        ("Aka Ribbon", Action.NOT_A_FACE, None, ReportState.REJECTED, NOT_A_FACE),
        (NOT_A_FACE, Action.ACCEPT, None, ReportState.REJECTED, NOT_A_FACE),
    ],
)
def test_what_a_decision_makes_of_a_report(
    desk: ReviewDesk,
    send: Send,
    dataset: Path,
    said: str,
    action: Action,
    label: str | None,
    state: ReportState,
    stands: str | None,
) -> None:
    report = send(said)
    name = {"en": "New One"} if action == Action.NEW else None
    (decided,) = desk.decide({report.id: 0}, action, "rin", label=label, name=name)
    assert (decided.state, decided.reviewed_label) == (state, stands)
    faces = [f"{stands}/report-{report.id}.png"] if state == ReportState.ACCEPTED else []
    assert list_faces(dataset) == faces
    desk.undo_last("rin")
    assert desk.store.get(report.id).state == ReportState.PENDING
    assert list_faces(dataset) == []


@pytest.mark.parametrize(
    ("said", "action", "label", "message"),
    [
        ("nobody at all", Action.ACCEPT, None, "is nobody who is known"),
        (NOT_LISTED, Action.ACCEPT, None, "is nobody who is known"),
        ("Rin", Action.ACCEPT, None, "is nobody who is known"),  # there are two
        ("Rin", Action.CORRECT, "nobody at all", "is nobody who is known"),
        ("Rin", Action.NEW, "../rin", "label"),
        ("Rin", Action.NEW, NOT_A_FACE, "is not a character's label"),
    ],
)
def test_a_decision_that_means_nobody_is_refused_and_changes_nothing(
    desk: ReviewDesk, send: Send, dataset: Path, said: str, action: Action, label: str, message: str
) -> None:
    good, report = send("Aka Ribbon", seed=2), send(said)
    with pytest.raises(BadInputError, match=message):
        desk.decide({good.id: 0, report.id: 0}, action, "rin", label=label)
    assert {one.state for one in desk.store.list()} == {ReportState.PENDING}
    assert list_faces(dataset) == []


def test_undo_goes_back_step_by_step_and_only_ones_own(desk: ReviewDesk, send: Send) -> None:
    first, second = send("Aka Ribbon", seed=1), send("Ao Glasses", seed=2)
    desk.decide({first.id: 0}, Action.REJECT, "rin", step="step-one")
    desk.decide({first.id: 1, second.id: 0}, Action.ACCEPT, "rin", step="step-two")
    with pytest.raises(ConflictError, match="This step is rin's"):
        desk.undo("step-two", "len")
    with pytest.raises(NotFoundError, match="nothing of yours"):
        desk.undo_last("len")
    with pytest.raises(ConflictError, match="decided anew"):
        desk.undo("step-one", "rin")
    assert desk.undo_last("rin")[0] == "step-two"
    assert [desk.store.get(one.id).state for one in (first, second)] == ["rejected", "pending"]
    desk.undo("step-two", "rin")  # twice is harmless
    assert desk.undo_last("rin")[0] == "step-one"
    assert desk.store.get(first.id).state == ReportState.PENDING
    with pytest.raises(NotFoundError, match="nothing of yours"):
        desk.undo_last("rin")
    actions = [one.action for one in desk.read_history(first.id)]
    assert actions == ["reject", "accept", "undo", "undo"]


def test_who_saw_an_older_report_decides_nothing(desk: ReviewDesk, send: Send) -> None:
    report = send("Aka Ribbon")
    desk.decide({report.id: 0}, Action.REJECT, "rin")
    with pytest.raises(ConflictError, match="decided by rin since you saw it"):
        desk.decide({report.id: 0}, Action.ACCEPT, "len")
    assert desk.store.get(report.id).state == ReportState.REJECTED


def test_a_step_sent_again_is_one_step(desk: ReviewDesk, send: Send) -> None:
    report = send("Aka Ribbon")
    for _ in range(2):
        desk.decide({report.id: 0}, Action.ACCEPT, "rin", step="step-one")
    assert len(desk.read_history(report.id)) == 1
    with pytest.raises(ConflictError, match="used for something else"):
        desk.decide({report.id: 1}, Action.REJECT, "rin", step="step-one")


def test_the_same_picture_is_never_accepted_under_two_labels(desk: ReviewDesk, send: Send) -> None:
    first, second = send("Aka Ribbon"), send("Ao Glasses")
    desk.decide({first.id: 0}, Action.ACCEPT, "rin")
    with pytest.raises(ConflictError, match="accepted as aka_ribbon already"):
        desk.decide({second.id: 0}, Action.ACCEPT, "rin")


def test_two_operators_at_once_never_overwrite_each_other(desk: ReviewDesk, send: Send) -> None:
    ids = [send("Aka Ribbon", seed=seed).id for seed in range(6)]

    def review(operator: str, action: Action) -> int:
        done = 0
        for report_id in ids:
            try:
                desk.decide({report_id: 0}, action, operator)
                done += 1
            except ConflictError:
                pass
        return done

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(review, "rin", Action.ACCEPT), pool.submit(review, "len", Action.REJECT)]
        done = sum(job.result() for job in jobs)
    assert done == len(ids)
    for report_id in ids:
        (one,) = desk.read_history(report_id)
        report = desk.store.get(report_id)
        assert (report.reviewed_by, report.state) == (one.operator, one.after.state)


def test_the_next_desk_puts_right_what_a_crash_left(
    desk: ReviewDesk, open_desk: Callable[[], ReviewDesk], send: Send, dataset: Path
) -> None:
    accepted, rejected = send("Aka Ribbon", seed=1), send("Aka Ribbon", seed=2)
    desk.decide({accepted.id: 0, rejected.id: 0}, Action.ACCEPT, "rin")
    faces = list_faces(dataset)
    desk.decide({rejected.id: 1}, Action.REJECT, "rin")
    kept = dataset / "faces" / "aka_ribbon" / f"report-{accepted.id}.png"
    kept.rename(kept.with_name(f"report-{rejected.id}.png"))  # one too few, one too many
    open_desk()
    assert list_faces(dataset) == [path for path in faces if accepted.id in path]
    assert accepted.id in (dataset / "faces" / "index.csv").read_text()


def test_a_dataset_that_cannot_be_written_leaves_the_report_pending(
    desk: ReviewDesk, send: Send, dataset: Path
) -> None:
    report = send("Aka Ribbon")
    dataset.mkdir()
    (dataset / "faces").write_text("a file where the folder should be")
    with pytest.raises((KyaraError, OSError)):
        desk.decide({report.id: 0}, Action.ACCEPT, "rin")
    os.unlink(dataset / "faces")
    assert desk.store.get(report.id).state == ReportState.PENDING
    desk.decide({report.id: 0}, Action.ACCEPT, "rin")
    assert list_faces(dataset) == [f"aka_ribbon/report-{report.id}.png"]


def test_deleting_by_sender_keeps_what_others_said(
    desk: ReviewDesk, send: Send, dataset: Path, store: ReportStore
) -> None:
    shared, alone = send("Aka Ribbon", seed=1, sender="a"), send("Aka Ribbon", seed=2, sender="a")
    send("Aka Ribbon", seed=1, sender="b")
    desk.decide({shared.id: 0, alone.id: 0}, Action.ACCEPT, "rin")
    assert desk.delete(Choice(sender="a"), "rin") == [alone.id]
    assert (store.get(shared.id).state, store.get(shared.id).count) == (ReportState.ACCEPTED, 1)
    assert store.get(alone.id).state == ReportState.WITHDRAWN
    assert not (store.folder / alone.file).exists()
    assert list_faces(dataset) == [f"aka_ribbon/report-{shared.id}.png"]
    with pytest.raises(TooLateError):
        desk.decide({alone.id: None}, Action.ACCEPT, "rin")
    with pytest.raises(BadInputError, match="Say which reports"):
        desk.delete(Choice(), "rin")
    assert desk.delete(Choice(label="aka_ribbon"), "rin") == [shared.id]
    assert list_faces(dataset) == []
