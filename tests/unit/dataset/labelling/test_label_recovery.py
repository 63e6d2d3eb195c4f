"""Crashes between journal and move, files moved by hand, full disks: nothing is lost, all is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from inboxes import check_folder, fill_inbox, read_labels
from sqlalchemy import text

from kyara.dataset.review.labelling import LabelJournal
from kyara.dataset.review.steps import ReviewConflictError
from kyara.errors import KyaraError, StorageFullError

ROOT = Path(__file__).resolve().parents[4]
OpenJournal = Callable[[], LabelJournal]

# Does some decisions and dies of SIGKILL at the chosen call of a function of the real code.
DYING = """
import json, os, signal, sys
from pathlib import Path
from kyara.dataset import folder
from kyara.dataset.review.labelling import LabelJournal, journal, placing
from kyara.storage import atomic

dataset, place, call = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
module, name = {"move": (placing, "move_file"), "settle": (journal.LabelJournal, "_settle"),
    "index": (folder, "replace_file"), "sync": (atomic, "sync_folder")}[place]
real, calls = getattr(module, name), 0

def die(*arguments):
    global calls
    calls += 1
    if calls == call:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)

labels = LabelJournal(dataset)
setattr(module, name, die)
labels.accept(["face0000"], "one", "aya", step="action-1")
print("action-1", flush=True)
labels.accept(["face0001", "face0002", "face0003"], "two", "aya", step="action-2")
print("action-2", flush=True)
labels.undo("action-1", "aya", step="action-3")
print("action-3", flush=True)
labels.accept({"face0000": "action-3"}, "not_a_face", "aya", step="action-4")
print("action-4", flush=True)
"""
EFFECTS = {
    "action-1": {"face0000": "one"},
    "action-2": {"face0001": "two", "face0002": "two", "face0003": "two"},
    "action-3": {"face0000": None},
    "action-4": {"face0000": "not_a_face"},
}


@pytest.mark.parametrize(
    ("place", "call"),
    [
        *(("settle", call) for call in (1, 2, 3, 4)),
        *(("move", call) for call in (1, 3, 5, 6)),
        *(("sync", call) for call in (2, 5)),
        *(("index", call) for call in (1, 2, 3)),
    ],
)
def test_a_kill_loses_no_decision_that_was_confirmed(open_journal, dataset, place, call):
    ids = fill_inbox(dataset, 6)
    command = [sys.executable, "-c", DYING, str(dataset), place, str(call)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    confirmed = done.stdout.split()
    journal = open_journal()
    check_folder(dataset, ids)
    kept = [action.id for action in reversed(journal.list_steps())]
    assert kept[: len(confirmed)] == confirmed
    assert len(kept) <= len(confirmed) + 1  # the one that was under way is whole or not there
    expected: dict[str, str | None] = {}
    for action in kept:
        expected.update(EFFECTS[action])
    assert read_labels(dataset) == {face: label for face, label in expected.items() if label}
    # who sends the same again, as the page does, ends where the uninterrupted one does
    for action in list(EFFECTS)[len(confirmed) :]:
        if action == "action-1":
            journal.accept(["face0000"], "one", "aya", step=action)
        elif action == "action-2":
            journal.accept(list(EFFECTS[action]), "two", "aya", step=action)
        elif action == "action-3":
            journal.undo("action-1", "aya", step=action)
        else:
            journal.accept({"face0000": "action-3"}, "not_a_face", "aya", step=action)
    check_folder(dataset, ids)
    assert len(journal.list_steps()) == 4


def test_files_moved_by_hand_go_back_and_missing_ones_are_told(open_journal, dataset, caplog):
    ids = fill_inbox(dataset, 5)
    journal = open_journal()
    journal.accept(ids[:3], "one", "aya")
    journal.close()
    one, two = dataset / "faces" / "one", dataset / "faces" / "two"
    two.mkdir()
    (one / f"{ids[0]}.png").rename(two / f"{ids[0]}.png")
    (one / f"{ids[1]}.png").unlink()
    (two / "of_somebody_else.png").write_bytes((one / f"{ids[2]}.png").read_bytes())
    recovery = open_journal().recovery
    assert (recovery.moved, recovery.missing) == ([ids[0]], [ids[1]])
    assert (one / f"{ids[0]}.png").is_file()
    assert (two / "of_somebody_else.png").is_file()  # what the journal does not know is left alone
    assert "1 faces missing" in caplog.text


def test_a_lost_index_comes_back(open_journal, dataset):
    ids = fill_inbox(dataset, 5)
    journal = open_journal()
    journal.accept(ids[:3], "one", "aya")
    before = (dataset / "faces" / "index.csv").read_text()
    journal.close()
    (dataset / "faces" / "index.csv").unlink()
    open_journal()
    assert (dataset / "faces" / "index.csv").read_text() == before
    check_folder(dataset, ids)


def limit_pages(journal: LabelJournal, most: int) -> None:
    with journal.sessions() as session:  # the pool has one connection, which the next use gets
        session.execute(text(f"PRAGMA max_page_count = {most}"))


def test_a_full_journal_says_so_and_changes_nothing(open_journal, dataset):
    """SQLite's own limit on its pages makes it really say "database or disk is full"."""
    ids = fill_inbox(dataset, 40)
    journal = open_journal()
    limit_pages(journal, 20)
    kept = []
    with pytest.raises(StorageFullError, match="is full"):
        for face in ids:
            journal.accept([face], "one", "x" * 300)
            kept.append(face)
    assert kept
    check_folder(dataset, ids)
    assert read_labels(dataset) == dict.fromkeys(kept, "one")
    limit_pages(journal, 10_000)
    journal.accept([ids[len(kept)]], "one", "aya")
    check_folder(dataset, ids)


# A real limit of the system on file sizes: the index does not fit, the journal's files do.
FULL_DISK = """
import json, resource, sys
from pathlib import Path
from sqlalchemy import text
from kyara.errors import StorageFullError
from kyara.dataset.review.labelling import LabelJournal

labels = LabelJournal(Path(sys.argv[1]))
ids = labels.list_inbox()
with labels.sessions() as session:
    session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
(Path(sys.argv[1]) / "faces" / "index.csv").unlink()
long = "a" * 100
labels.index = ()
try:
    for number in range(0, len(ids), 100):
        labels.accept(ids[number:number + 100], long, "aya", step=f"action-{number}")
except StorageFullError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
labels.accept(ids[number:number + 100], long, "aya", step=f"action-{number}")
labels.close()
"""


def test_a_full_disk_gives_one_sentence_and_the_same_action_finishes_later(open_journal, dataset):
    ids = fill_inbox(dataset, 400, size_px=8)
    command = [sys.executable, "-W", "error", "-c", FULL_DISK, str(dataset)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    (sentence,) = done.stdout.splitlines()
    assert "is full" in sentence
    open_journal()
    check_folder(dataset, ids)
    assert read_labels(dataset)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_journalled(open_journal, dataset):
    ids = fill_inbox(dataset, 3)
    journal = open_journal()
    (dataset / "faces" / "one").write_text("a file where the folder should be")
    with pytest.raises(KyaraError, match=r"cannot be written .* Nothing was changed"):
        journal.accept([ids[0]], "one", "aya", step="action-1")
    assert journal.list_steps() == []
    (dataset / "faces" / "one").unlink()
    journal.accept([ids[0]], "one", "aya", step="action-1")
    check_folder(dataset, ids)


def test_a_dataset_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KyaraError, match="cannot be written"):
        LabelJournal(tmp_path / "file")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "labels.db").write_bytes(b"no database" * 100)
    with pytest.raises(KyaraError, match=r"The journal of labels .*labels\.db cannot be used"):
        LabelJournal(tmp_path / "dataset")


RACING = """
import json, sys
from pathlib import Path
from kyara.dataset.review.labelling import LabelJournal
from kyara.dataset.review.steps import ReviewConflictError

dataset, operator = Path(sys.argv[1]), sys.argv[2]
labels = LabelJournal(dataset)
print("ready", flush=True)
sys.stdin.readline()
won, lost = [], []
for face in json.loads(sys.argv[3]):
    try:
        labels.accept({face: ""}, operator, operator, step=f"{operator}-{face}")
        won.append(face)
    except ReviewConflictError as error:
        (state,) = labels.get_states(error.items)
        assert state.operator != operator
        lost.append(face)
print(json.dumps([won, lost]), flush=True)
"""


def start_waiting(command: list[str]) -> subprocess.Popen[str]:
    """Start a process that says it is ready and then waits for a line."""
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def test_of_two_operators_in_two_processes_exactly_one_has_each_face(open_journal, dataset):
    ids = fill_inbox(dataset, 40)
    orders = {"aya": ids, "botan": ids[::-1]}
    started = {}
    for operator, order in orders.items():
        command = [sys.executable, "-c", RACING, str(dataset), operator, json.dumps(order)]
        started[operator] = start_waiting(command)
    for process in started.values():
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    results = {operator: process.communicate()[0] for operator, process in started.items()}
    won = {operator: json.loads(text)[0] for operator, text in results.items()}
    assert sorted(won["aya"] + won["botan"]) == ids
    open_journal()
    check_folder(dataset, ids)
    labels = read_labels(dataset)
    assert labels == {face: operator for operator, faces in won.items() for face in faces}


def test_of_many_threads_exactly_one_has_each_face(open_journal, dataset):
    ids = fill_inbox(dataset, 5)
    journal = open_journal()
    start = threading.Barrier(6)
    won: list[tuple[str, str]] = []

    def race(operator: str) -> None:
        start.wait()
        for face in ids:
            with suppress(ReviewConflictError):
                journal.accept({face: ""}, operator, operator)
                won.append((face, operator))

    threads = [threading.Thread(target=race, args=(f"operator{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(face for face, _ in won) == ids
    assert read_labels(dataset) == dict(won)
    check_folder(dataset, ids)


def test_a_journal_that_was_removed_takes_no_more_decisions(open_journal, dataset):
    ids = fill_inbox(dataset, 3)
    journal = open_journal()
    journal.accept(ids[:1], "one", "aya")
    (dataset / "labels.db").rename(dataset / "aside.db")
    with pytest.raises(KyaraError, match="removed or replaced while it was in use"):
        journal.accept(ids[1:2], "one", "aya")
    (dataset / "aside.db").rename(dataset / "labels.db")
    journal.accept(ids[1:2], "one", "aya")
    check_folder(dataset, ids)


OPENING = """
import sys
from pathlib import Path
from kyara.dataset.review.labelling import LabelJournal

print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    LabelJournal(Path(sys.argv[1]) / str(number)).close()
"""


def test_many_processes_may_make_a_new_journal_at_once(tmp_path):
    command = [sys.executable, "-c", OPENING, str(tmp_path)]
    started = [start_waiting(command) for _ in range(3)]
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate()
        assert process.returncode == 0
