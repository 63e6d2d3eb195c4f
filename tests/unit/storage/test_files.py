"""Files in a folder and behind a URL keep the same promises."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from services import S3Server

from kyara.errors import BadInputError, StorageAwayError
from kyara.storage.files import Files, FolderFiles, objects, open_files

OpenFiles = Callable[[], Files]


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def open_one(request: pytest.FixtureRequest, tmp_path: Path) -> OpenFiles:
    """Opens the same place again and again."""
    if request.param == "s3":
        url = f"{request.getfixturevalue('s3_url')}/pre/fix"
    else:
        url = {"folder": "", "file": tmp_path.as_uri(), "memory": f"memory:/{tmp_path}"}[request.param]
    return lambda: open_files(url, "user_report", tmp_path / "user_report")


def names_of(files: Files) -> list[str]:
    return [file.name for file in files.list()]


def test_what_is_written_is_read_and_listed_by_all(open_one: OpenFiles):
    files = open_one()
    assert files.list() == []
    files.write("b.png", b"two")
    files.write("一.png", b"one")
    other = open_one()
    assert (other.read("b.png"), other.read("一.png")) == (b"two", b"one")
    assert names_of(other) == ["b.png", "一.png"]
    assert all(abs(file.modified - time.time()) < 60 for file in other.list())
    assert other.exists("b.png") and not other.exists("c.png")


def test_nothing_is_overwritten(open_one: OpenFiles):
    files = open_one()
    files.write("a.png", b"first")
    with pytest.raises(FileExistsError):
        files.write("a.png", b"second")
    assert files.read("a.png") == b"first"
    assert names_of(files) == ["a.png"]


def test_what_is_removed_is_gone_and_may_be_removed_again(open_one: OpenFiles):
    files = open_one()
    files.write("a.png", b"first")
    files.remove("a.png")
    files.remove("a.png")
    assert files.list() == []
    with pytest.raises(FileNotFoundError):
        files.read("a.png")


def test_what_is_set_aside_keeps_its_content_under_a_name_of_its_own(open_one: OpenFiles):
    files = open_one()
    places = []
    for data in (b"first", b"second"):
        files.write("a.png", data)
        places.append(files.set_aside("a.png"))
    assert files.list() == []
    assert [files.read(place) for place in places] == [b"first", b"second"]


def test_a_file_gets_its_final_name_once(open_one: OpenFiles):
    files = open_one()
    files.write(".a.png.part", b"whole")
    files.finish(".a.png.part", "a.png")
    files.finish("a.png", "a.png")
    assert (names_of(files), files.read("a.png")) == (["a.png"], b"whole")
    files.write(".a.png.part", b"another")
    with pytest.raises(FileExistsError):
        files.finish(".a.png.part", "a.png")
    assert files.read("a.png") == b"whole"


def test_a_file_url_is_a_folder_with_all_its_promises(tmp_path: Path):
    files = open_files((tmp_path / "a b").as_uri(), "model", Path("/nowhere"))
    assert isinstance(files, FolderFiles)
    files.write("a", b"1")
    assert (tmp_path / "a b" / "model" / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    "url", ["sftp://host/place", "http://host/place", "nonsense", "gs://no-driver/x"]
)
def test_a_url_that_cannot_hold_files_is_refused(url: str):
    with pytest.raises(BadInputError, match="FILES_URL"):
        open_files(url, "user_report", Path("/nowhere"))


def test_a_lost_bucket_is_an_outage_and_not_an_empty_place(own_s3: S3Server):
    files = open_files("s3://nobody-made-this", "user_report", Path("/nowhere"))
    with pytest.raises(StorageAwayError):
        files.list()


@pytest.mark.parametrize("how", ["hangs", "is gone"])
def test_a_store_that_is_away_costs_one_deadline_and_comes_back(
    own_s3: S3Server, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(objects, "PAUSE_S", 30.0)
    files = objects.ObjectFiles(f"s3://{own_s3.make_bucket()}", "user_report")
    files.write("a.png", b"first")
    monkeypatch.setattr(files, "_deadline_s", 1)
    own_s3.suspend() if how == "hangs" else own_s3.kill()
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(StorageAwayError, match="cannot be reached"):
                files.read("a.png")
    assert time.monotonic() - started < 10  # not three deadlines and their retries
    assert len(caplog.records) == 1
    own_s3.resume() if how == "hangs" else own_s3.start()
    monkeypatch.setattr(files, "_away_until", 0.0)
    monkeypatch.setattr(files, "_deadline_s", objects.DEADLINE_S)
    if how == "hangs":
        assert files.read("a.png") == b"first"
    else:  # moto forgets
        with pytest.raises(StorageAwayError):
            files.read("a.png")
