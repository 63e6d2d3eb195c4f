"""Reports whose pictures lie in an object store: the same promises, and several servers at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from report_samples import TOKEN, draw_crop
from services import S3Server

from kyara.dataset.review.reports import ReportStore, ReviewState, recovery
from kyara.dataset.review.reports import files as report_files
from kyara.errors import StorageAwayError
from kyara.storage.files import Files, objects, open_files
from kyara.vision.images import encode_png


@pytest.fixture(params=["memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory:/{tmp_path}" if request.param == "memory" else request.getfixturevalue("s3_url")


class Shop:
    """Stores on one database and one place for files, as several servers have them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.opened: list[ReportStore] = []

    def open_files(self) -> Files:
        return open_files(self.url, "user_report", self.folder)

    def open(self) -> ReportStore:
        self.opened.append(ReportStore(self.folder, files_in=self.open_files()))
        return self.opened[-1]

    def list(self) -> list[str]:
        return [file.name for file in self.open_files().list()]

    def forget_rows(self) -> None:
        """Leave files without rows, as a crash between the two does."""
        (self.folder / "reports.db").unlink()


@pytest.fixture
def shop(url: str, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(url, tmp_path / "user_report")
    yield shop
    for store in shop.opened:
        store.close()


def test_a_report_is_read_by_every_server(shop: Shop):
    report, _ = shop.open().add(draw_crop(1), "琴吹䌷", token=TOKEN)
    assert shop.list() == [report.file]
    assert not list(shop.folder.glob("*.png"))
    pixels, details = report_files.decode_report(shop.open().read_file(report))
    assert np.array_equal(pixels, draw_crop(1))
    assert details["correction"]["label"] == "琴吹䌷"


def test_the_same_token_at_several_servers_is_one_report(shop: Shop):
    stores = [shop.open() for _ in range(3)]
    found: list[str] = []
    senders = [
        threading.Thread(
            target=lambda store=store: found.append(store.add(draw_crop(1), "miku", token=TOKEN)[0].id)
        )
        for store in stores
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    (report,) = stores[0].list()
    assert (set(found), len(found), report.count) == ({report.id}, 3, 1)
    assert shop.list() == [report.file]


def test_a_withdrawn_report_takes_its_object_with_it(shop: Shop):
    store = shop.open()
    report, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    store.withdraw(report.id, TOKEN)
    assert shop.list() == []


def test_only_what_is_older_than_a_minute_is_adopted(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    store = shop.open()
    report, _ = store.add(draw_crop(1), "琴吹䌷", note="一", token=TOKEN)
    store.close()
    shop.forget_rows()
    fresh = shop.open()  # alone in the folder, but not in the object store
    assert (fresh.recovery.adopted, fresh.list()) == ([], [])
    fresh.close()
    monkeypatch.setattr(recovery, "FRESH_S", 0)
    later = shop.open()
    assert later.recovery.adopted == [report.file]
    adopted = later.get(report.id)
    assert (adopted.label, adopted.note, adopted.adopted) == ("琴吹䌷", "一", True)
    again, created = later.add(draw_crop(1), "琴吹䌷", token=TOKEN)
    assert (again.id, created) == (report.id, False)


def test_what_cannot_be_adopted_is_set_aside(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recovery, "FRESH_S", 0)
    store = shop.open()
    kept, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    broken, copy = (f"miku-{uuid.uuid4().hex}.png" for _ in range(2))
    place = shop.open_files()
    place.write(broken, b"not a picture")
    place.write(copy, place.read(kept.file))  # a late write: its visitor has sent it again meanwhile
    place.write("photo.png", encode_png(draw_crop(2)))
    place.write("notes.txt", b"not ours")
    found = shop.open().recovery
    assert sorted(found.set_aside) == sorted([broken, copy, "photo.png"])
    assert shop.list() == sorted([kept.file, "notes.txt"])
    assert place.read(f"set_aside/{broken}") == b"not a picture"
    assert [report.count for report in store.list()] == [1]


def test_a_lost_object_is_marked_and_its_return_is_noticed(shop: Shop):
    report, _ = shop.open().add(draw_crop(1), "miku")
    place = shop.open_files()
    data = place.read(report.file)
    place.remove(report.file)
    assert shop.open().recovery.missing == [report.file]
    place.write(report.file, data)
    assert not shop.open().get(report.id).file_missing


def test_an_outage_of_s3_loses_nothing_and_ends_by_itself(
    own_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(objects, "DEADLINE_S", 1.0)
    monkeypatch.setattr(objects, "LIST_DEADLINE_S", 1.0)
    monkeypatch.setattr(objects, "PAUSE_S", 0.0)
    shop = Shop(f"s3://{own_s3.make_bucket()}", tmp_path / "user_report")
    try:
        store = shop.open()
        kept, _ = store.add(draw_crop(1), "miku")
        own_s3.suspend()
        for token in (TOKEN, f"another-{TOKEN}"):
            with pytest.raises(StorageAwayError):
                store.add(draw_crop(2), "rin", token=token)
        with pytest.raises(StorageAwayError):
            store.read_file(kept)
        started = shop.open()  # a server that starts meanwhile serves what it can
        assert "Nothing was repaired" in caplog.text
        assert [report.file_missing for report in started.list()] == [False]
        first = Shop(shop.url, tmp_path / "first")
        begun = first.open()  # and the very first one of an installation
        own_s3.resume()
        again, created = store.add(draw_crop(2), "rin", token=TOKEN)
        assert created and store.read_file(again)
        # What S3 took while it hung may appear late: a later start puts it aside.
        monkeypatch.setattr(recovery, "FRESH_S", 0)
        late = shop.open().recovery
        assert (late.adopted, late.missing) == ([], [])
        assert sorted(shop.list()) == sorted([kept.file, again.file])
        assert {report.state for report in store.list()} == {ReviewState.PENDING}
        assert begun.add(draw_crop(3), "len")[1]
        begun.close()
    finally:
        for opened in shop.opened:
            opened.close()


def test_servers_that_start_at_once_on_an_empty_database_all_start(
    postgres_url: str, tmp_path: Path
) -> None:
    found: list[ReportStore] = []

    def open_one(number: int) -> None:
        place = open_files(f"memory:/{tmp_path}", "user_report", tmp_path)
        found.append(ReportStore(tmp_path / f"server{number}", postgres_url, files_in=place))

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    report, _ = found[0].add(draw_crop(1), "miku")
    assert found[5].count_stored_bytes() == len(found[5].read_file(report))
    for store in found:
        store.close()
