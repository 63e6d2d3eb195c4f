"""Quotas, full disks, and folders and databases that cannot be used."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from report_samples import TOKEN, OpenStore, draw_crop, list_files

from kyara.dataset.review.reports import ReportStore
from kyara.errors import BadInputError, StorageFullError
from kyara.vision.images import encode_png


def test_the_quota_refuses_what_does_not_fit(open_store: OpenStore, folder: Path) -> None:
    room = len(encode_png(draw_crop(1))) + 600
    store = open_store(quota_bytes=room)
    kept, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    with pytest.raises(StorageFullError, match="space for reports is used up") as caught:
        store.add(draw_crop(2), "miku")
    assert caught.value.status == 507
    assert list_files(folder) == [kept.file]
    assert store.add(draw_crop(1), "miku", token="another-token")[0].count == 2  # takes no room
    assert store.add(draw_crop(3), "luka", token=TOKEN)[0].id == kept.id
    store.withdraw(kept.id, TOKEN)
    store.withdraw(kept.id, "another-token")
    assert store.add(draw_crop(2), "miku")[1]


def test_the_quota_holds_when_many_send_at_once(open_store: OpenStore, folder: Path) -> None:
    store = open_store(quota_bytes=10_000)
    start = threading.Barrier(8)

    def send(number: int) -> str | None:
        start.wait()
        try:
            return store.add(draw_crop(number), "miku")[0].file
        except StorageFullError:
            return None

    with ThreadPoolExecutor(8) as pool:
        stored = [name for name in pool.map(send, range(8)) if name]
    assert list_files(folder) == sorted(stored)
    total = sum((folder / name).stat().st_size for name in stored)
    assert total == store.count_stored_bytes() <= 10_000 < total * (len(stored) + 1) / len(stored)


@pytest.mark.parametrize("database", ["file"], indirect=True)
def test_a_full_database_refuses_and_leaves_no_file(open_store: OpenStore, folder: Path) -> None:
    """SQLite's own limit on its pages makes it really say "database or disk is full"."""
    store = open_store()
    kept = [store.add(draw_crop(number), "miku")[0].file for number in range(3)]
    with store.sessions() as session:  # the one pooled connection keeps the limit
        session.connection().exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(StorageFullError, match="The disk that holds the reports is full"):
        for number in range(3, 100):
            kept.append(store.add(draw_crop(number), "miku", note="n" * 1000)[0].file)
    assert list_files(folder) == sorted(kept)
    assert len(open_store().list(limit=1000)) == len(kept)


ROOT = Path(__file__).resolve().parents[4]
FULL_DISK_SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np
from kyara.errors import StorageFullError
from kyara.dataset.review.reports import ReportStore

store = ReportStore(Path(sys.argv[1]))
small = np.zeros((8, 8, 3), np.uint8)
large = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
store.add(small, "small")
limit = 400_000  # bytes: SQLite's files stay below, the PNG of `large` does not
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    store.add(large, "large")
except StorageFullError as error:
    print(error)
store.add(small + 1, "small")
store.close()
"""


@pytest.mark.parametrize("database", ["file"], indirect=True)
def test_a_full_disk_refuses_and_leaves_no_half_file(open_store: OpenStore, folder: Path) -> None:
    """A real limit of the system on file sizes stops the write in the middle of the file."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    command = [sys.executable, "-W", "error", "-c", FULL_DISK_SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "There is no room for these 787," in done.stdout
    reports = open_store().list()
    assert [report.label for report in reports] == ["small", "small"]
    assert list_files(folder) == sorted(report.file for report in reports)


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="set REPORT_FOLDER"):
        ReportStore(tmp_path / "file")


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite:////nowhere/at/all/reports.db", "nosuch://host/database"]
)
def test_a_database_that_cannot_be_used_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInputError, match="REPORT_DATABASE_URL"):
        ReportStore(tmp_path, url)


def test_the_database_may_be_elsewhere(tmp_path: Path) -> None:
    store = ReportStore(tmp_path / "files", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    report, _ = store.add(draw_crop(1), "miku")
    store.close()
    assert list_files(tmp_path / "files") == [report.file]
    assert (tmp_path / "elsewhere.db").exists()
