"""The store of taught characters, in a file and in PostgreSQL; kills, full and damaged files."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT
from sqlalchemy import Connection

from kyara.errors import BusyError, KyaraError, NotFoundError, StorageFullError
from kyara.recognition.bundle import Character
from kyara.recognition.enrolment_store import Changes, TaughtStore
from kyara.recognition.enrolment_store.store import open_place
from kyara.vision.images import encode_png


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model" / "taught.db"


@pytest.fixture(params=["file", "postgresql"])
def place(request: pytest.FixtureRequest, path: Path) -> Path | str:
    """Where a store keeps things: a file, and a database of a server, in turn."""
    return path if request.param == "file" else request.getfixturevalue("postgres_url")


@pytest.fixture
def open_store() -> Iterator[Callable[[Path | str], TaughtStore]]:
    opened: list[TaughtStore] = []

    def open_one(place: Path | str) -> TaughtStore:
        opened.append(TaughtStore(place))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@contextmanager
def change(place: Path | str) -> Iterator[Connection]:
    opened = open_place(place)
    try:
        with opened.change() as connection:
            yield connection
    finally:
        opened.close()


def draw(seed: int, size_px: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size_px, size_px, 3), np.uint8)


def teach(store: TaughtStore, label: str, *seeds: int, backbone: str = "one", **name: str) -> int:
    features = np.array([[seed, 1, 0] for seed in seeds], np.float32)
    return store.teach(Character(label, name, {}), [draw(seed) for seed in seeds], features, backbone)


def read(store: TaughtStore, since: int = 0, backbone: str = "one") -> Changes:
    changes = store.read_changes(since, backbone)
    assert changes is not None
    return changes


def test_what_is_taught_comes_back(open_store, place):
    store = open_store(place)
    assert store.read_changes(0, "one") is None
    assert isinstance(place, str) or not place.exists()
    assert teach(store, "miku", 1, 2, en="Miku") == 2
    changes = read(open_store(place))
    (miku,) = changes.characters
    assert miku.character == Character("miku", {"en": "Miku"}, {})
    assert not miku.forgotten
    assert list(miku.references) == [1, 2]
    np.testing.assert_array_equal(list(miku.references.values()), [[1, 1, 0], [2, 1, 0]])
    np.testing.assert_array_equal(store.read_crop("2"), draw(2))
    assert store.read_crop("99") is None


def test_only_what_changed_is_read_again(open_store, place):
    reader, writer = open_store(place), open_store(place)
    teach(writer, "miku", 1)
    moment = read(reader).moment
    assert reader.read_changes(moment, "one") is None
    teach(writer, "luka", 2)
    reader.wake()
    changes = read(reader, moment)
    assert [taught.character.label for taught in changes.characters] == ["luka"]
    assert not changes.anew
    writer.keep_features("two", {1: np.array([5, 5], np.float16)})
    reader.wake()
    assert reader.read_changes(changes.moment, "one") is None


def test_each_backbone_has_its_own_features(open_store, place):
    store = open_store(place)
    teach(store, "miku", 1, 2)
    (miku,) = read(open_store(place), backbone="two").characters
    assert list(miku.references.values()) == [None, None]
    store.keep_features("two", {2: np.array([5, 5], np.float16), 77: np.array([1], np.float16)})
    (miku,) = read(open_store(place), backbone="two").characters
    assert miku.references[1] is None
    np.testing.assert_array_equal(miku.references[2], [5, 5])


def test_the_same_crop_is_kept_once_and_names_are_added(open_store, place):
    store = open_store(place)
    teach(store, "miku", 1, 1, 2, en="Miku")
    assert teach(store, "miku", 2, 3, ja="ミク") == 3
    (miku,) = read(store).characters
    assert miku.character.name == {"en": "Miku", "ja": "ミク"}


def test_forgetting_deletes_the_crops_and_teaching_brings_the_label_back(path):
    store = TaughtStore(path)
    teach(store, "miku", 1, en="Miku")
    read(store)  # an open file keeps SQLite from tidying up by itself
    store.forget("miku", hide=True)
    (miku,) = read(store).characters
    assert miku.forgotten
    assert miku.references == {}
    assert miku.character.name == {}
    assert store.read_crop("1") is None
    teach(store, "miku", 2)
    (miku,) = read(store).characters
    assert not miku.forgotten
    assert list(miku.references) == [2]
    forgotten, kept = (encode_png(draw(seed))[-60:] for seed in (1, 2))
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert forgotten not in on_disk
    assert kept in on_disk
    store.close()


def test_one_reference_can_be_forgotten(open_store, place):
    store = open_store(place)
    teach(store, "miku", 1, 2)
    assert store.forget_reference("miku", "1") == 1
    for label, reference in (("miku", "1"), ("luka", "2"), ("miku", "x")):
        with pytest.raises(NotFoundError, match=label):
            store.forget_reference(label, reference)
    (miku,) = read(store).characters
    assert list(miku.references) == [2]


def test_a_file_that_was_just_made_has_nothing_in_it_yet(path):
    store = TaughtStore(path)
    path.parent.mkdir(parents=True)
    path.touch()
    assert (store.list_packs(), store.list_own("one")) == ([], [])
    assert store.read_crop("1") is None and store.find_crop("miku", draw(1)) is None
    assert store.read_changes(0, "one") is None
    teach(store, "miku", 1)
    assert [one.character.label for one in read(store).characters] == ["miku"]
    store.close()


def test_a_file_of_the_release_before_packs_that_may_not_be_written_is_read(path, monkeypatch):
    store = TaughtStore(path)
    teach(store, "miku", 1, 2, en="Miku")
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        for table in ("pack_crops", "pack_characters", "packs"):
            connection.execute(f"DROP TABLE {table}")
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs tests may write any file
    old = TaughtStore(path)
    (miku,) = read(old).characters
    assert list(miku.references) == [1, 2]
    ((who, features),) = old.list_own("one")
    assert (who.name, features.shape, old.list_packs()) == ({"en": "Miku"}, (2, 3), [])
    old.close()


def test_a_file_that_is_replaced_or_removed_is_noticed(path):
    store = TaughtStore(path)
    teach(store, "miku", 1)
    read(store)
    for file in path.parent.iterdir():
        file.unlink()
    assert read(store, 1) == Changes((), 0, anew=True)
    assert store.read_changes(0, "one") is None
    teach(store, "luka", 2)
    changes = read(store)
    assert changes.anew
    assert [taught.character.label for taught in changes.characters] == ["luka"]
    store.close()


@pytest.mark.parametrize("content", [b"no database " * 500, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_told_in_a_sentence(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    store = TaughtStore(path)
    for call in (lambda: read(store), lambda: teach(store, "miku", 1), lambda: store.read_crop("1")):
        with pytest.raises(KyaraError, match=r"What was taught cannot be .*taught\.db"):
            call()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement", ["UPDATE characters SET name = '{'", "UPDATE features SET vector = 'x'"]
)
def test_values_that_nobody_here_wrote_are_told_in_a_sentence(open_store, place, statement):
    store = open_store(place)
    teach(store, "miku", 1)
    with change(place) as connection:
        connection.exec_driver_sql(statement)
    with pytest.raises(KyaraError, match="What was taught cannot be read"):
        read(store)


def test_a_file_of_a_later_kyara_is_refused(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(KyaraError, match="its schema is 9"):
        read(TaughtStore(path))


def test_a_change_that_fails_leaves_everything_as_it_was(open_store, place):
    store = open_store(place)
    teach(store, "miku", 1)
    with pytest.raises(ZeroDivisionError), change(place) as connection:
        connection.exec_driver_sql("DELETE FROM crops")
        raise ZeroDivisionError
    (miku,) = read(store).characters
    assert list(miku.references) == [1]


def test_a_writer_that_waits_too_long_says_so(path, monkeypatch):
    monkeypatch.setattr("kyara.storage.database.WAIT_FOR_DATABASE_S", 0)
    store = TaughtStore(path)
    teach(store, "miku", 1)
    with change(path), pytest.raises(BusyError, match="Another process"):
        teach(store, "luka", 2)
    teach(store, "luka", 2)
    assert len(read(store).characters) == 2  # reading never waits
    store.close()


TEACHER = """
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
import numpy as np
from kyara.recognition.bundle import Character
from kyara.recognition.enrolment_store import TaughtStore

store = TaughtStore(sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1]))
crops = [np.full((8, 8, 3), shade, np.uint8) for shade in range(5)]
for number in range(int(sys.argv[3])):
    label = f"{sys.argv[2]}/n{number}"
    store.teach(Character(label, {}, {}), crops, np.eye(5, dtype=np.float32), "one")
    print(label, flush=True)
"""


def start_teacher(path: Path | str, work: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TEACHER, str(path), work, str(count)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def read_whole(path: Path | str) -> set[str]:
    """Return the labels, all of which have all of their references."""
    if isinstance(path, Path):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = TaughtStore(path)
    characters = read(store).characters
    store.close()
    for taught in characters:
        vectors = list(taught.references.values())
        assert np.array_equal(np.array(vectors, np.float32), np.eye(5))
    return {taught.character.label for taught in characters}


def test_a_kill_loses_nothing_that_was_answered(path):
    with start_teacher(path, "killed", 100_000) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        answered += process.stdout.read().split()
    assert read_whole(path) >= {label for label in answered if label[-1].isdigit()}


def test_several_processes_teach_at_once_and_no_lesson_is_missed(open_store, place):
    teachers = [start_teacher(place, f"work{number}", 10) for number in range(4)]
    store, moment, seen = open_store(place), 0, set()
    while len(seen) < 40:
        running = any(process.poll() is None for process in teachers)
        store.wake()
        if changes := store.read_changes(moment, "one"):
            moment = changes.moment
            seen |= {taught.character.label for taught in changes.characters}
        assert running or len(seen) == 40
    for process in teachers:
        process.communicate()
        assert process.returncode == 0
    assert seen == read_whole(place) == {f"work{w}/n{n}" for w in range(4) for n in range(10)}


def test_a_server_is_asked_now_and_then_or_when_somebody_says_so(open_store, postgres_url, monkeypatch):
    monkeypatch.setattr("kyara.recognition.enrolment_store.backend.LOOK_EVERY_S", 3600)
    reader, writer = open_store(postgres_url), open_store(postgres_url)
    assert reader.read_changes(0, "one") is None
    teach(writer, "miku", 1)
    assert reader.read_changes(0, "one") is None
    reader.wake()
    assert len(read(reader).characters) == 1


def test_an_older_copy_that_is_put_in_its_place_is_read_whole(open_store, place):
    store = open_store(place)
    teach(store, "miku", 1)
    teach(store, "luka", 2)
    assert read(store).moment == 2
    with change(place) as connection:
        connection.exec_driver_sql("DELETE FROM crops WHERE label = 'luka'")
        connection.exec_driver_sql("DELETE FROM characters WHERE label = 'luka'")
    store.wake()
    changes = read(store, since=2)
    assert changes.anew
    assert [taught.character.label for taught in changes.characters] == ["miku"]


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from kyara.recognition.bundle import Character
from kyara.errors import StorageFullError
from kyara.recognition.enrolment_store import TaughtStore

store = TaughtStore(Path(sys.argv[1]))
noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
taught = 0
limit = 900_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    for number in range(50):
        crops = [np.roll(noise, (number, shift), (0, 1)) for shift in range(2)]
        store.teach(Character(f"full/n{number}", {}, {}), crops, np.eye(2, dtype=np.float32), "one")
        taught += 1
except StorageFullError as error:
    print(taught, error)
    changes = store.read_changes(0, "one")
    assert [len(c.references) for c in changes.characters] == [2] * taught
"""


def test_a_full_disk_refuses_and_loses_nothing(path):
    """A real limit of the system on file sizes stops the write in the middle."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    command = [sys.executable, "-W", "error", "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    taught, sentence = done.stdout.split(" ", 1)
    assert int(taught) >= 1
    assert "Nothing was changed" in sentence
    store = TaughtStore(path)
    assert len(read(store).characters) == int(taught)
    teach(store, "after", 1)
    store.close()


def test_sqlite_s_own_full_is_told_as_full(path):
    store = TaughtStore(path)
    teach(store, "miku", 1)
    with pytest.raises(StorageFullError, match="is full"), change(path) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.exec_driver_sql(
            "INSERT INTO crops (label, png, sha256, created_at) VALUES ('miku', ?, 'x', 'now')",
            (bytes(50_000),),
        )
    (miku,) = read(store).characters
    assert list(miku.references) == [1]
    store.close()
