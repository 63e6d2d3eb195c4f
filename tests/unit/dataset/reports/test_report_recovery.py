"""What a start repairs: every case that a crash, or a person with a file manager, can leave behind."""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from pathlib import Path

import pytest
from report_samples import TOKEN, Ask, OpenStore, draw_crop, list_files

from kyara.dataset.review.reports import ReviewState
from kyara.vision.boxes import Box
from kyara.vision.images import encode_png


def list_aside(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "set_aside").iterdir())


def forget_rows(ask: Ask) -> None:
    """Leave files without rows, as a crash between the two does."""
    ask("DELETE FROM submissions")
    ask("DELETE FROM reports")


def age(path: Path) -> None:
    """Make a file two minutes old."""
    then = time.time() - 120
    os.utime(path, (then, then))


def test_a_file_without_a_row_is_adopted_whole(open_store: OpenStore, folder: Path, ask: Ask) -> None:
    store = open_store()
    report, _ = store.add(
        draw_crop(1),
        "琴吹䌷",
        note="一\n二",
        predicted="miku",
        confidence=0.5,
        model_version="first/1",
        box=Box(1, 2, 3, 4),
        token=TOKEN,
    )
    store.close()
    forget_rows(ask)
    store = open_store()
    adopted = store.get(report.id)
    assert adopted.adopted
    assert {**vars(adopted), "adopted": False} == vars(report)
    assert store.recovery.adopted == [report.file] == list_files(folder)
    assert store.count_stored_bytes() == (folder / report.file).stat().st_size
    # The visitor, who never heard that it was stored, sends it again.
    again, created = store.add(draw_crop(1), "琴吹䌷", token=TOKEN)
    assert (again.id, again.count, created) == (report.id, 1, False)


@pytest.mark.parametrize("database", ["file"], indirect=True)
def test_a_lost_database_is_rebuilt_from_the_files(open_store: OpenStore, folder: Path) -> None:
    store = open_store()
    labels = {store.add(draw_crop(number), f"平沢 唯 {number}")[0].id: number for number in range(5)}
    store.close()
    (folder / "reports.db").unlink()
    store = open_store()
    assert {report.id: report.label for report in store.list()} == {
        report_id: f"平沢 唯 {number}" for report_id, number in labels.items()
    }


def test_a_file_without_its_text_is_adopted_by_its_name(open_store: OpenStore, folder: Path) -> None:
    report_id = uuid.uuid4().hex
    folder.mkdir()
    (folder / f"hatsune_miku-{report_id}.png").write_bytes(encode_png(draw_crop(1)))
    report = open_store().get(report_id)
    assert (report.label, report.adopted, report.state) == ("hatsune_miku", True, ReviewState.PENDING)


def test_a_half_written_file_is_finished_or_set_aside(
    open_store: OpenStore, folder: Path, ask: Ask
) -> None:
    store = open_store()
    report, _ = store.add(draw_crop(1), "琴吹䌷")
    store.close()
    forget_rows(ask)
    whole = folder / report.file
    part = f".cut-{uuid.uuid4().hex}.png.part"
    (folder / part).write_bytes(whole.read_bytes()[:100])
    whole.rename(folder / f".{report.file}.part")
    store = open_store()
    assert store.get(report.id).label == "琴吹䌷"
    assert list_files(folder) == [report.file, "set_aside"]
    assert list_aside(folder) == [part]


def test_what_cannot_be_adopted_is_set_aside_under_a_name_of_its_own(
    open_store: OpenStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign, broken = "photo.png", f"miku-{uuid.uuid4().hex}.png"
    for number in (1, 2):
        folder.mkdir(exist_ok=True)
        (folder / foreign).write_bytes(encode_png(draw_crop(number)))
        (folder / broken).write_bytes(b"not a picture %d" % number)
        with caplog.at_level(logging.WARNING):
            store = open_store()
        assert sorted(store.recovery.set_aside) == sorted([foreign, broken])
        store.close()
    assert list_aside(folder) == sorted([foreign, broken, f"1-{foreign}", f"1-{broken}"])
    assert (folder / "set_aside" / f"1-{broken}").read_bytes() == b"not a picture 2"
    assert "2 report files set aside" in caplog.text


def test_a_copy_of_a_counted_crop_is_counted_and_set_aside(open_store: OpenStore, folder: Path) -> None:
    store = open_store()
    first, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    store.close()
    copy = f"miku-{uuid.uuid4().hex}.png"
    shutil.copy(folder / first.file, folder / copy)  # carries the same token: counted already
    other = f"miku-{uuid.uuid4().hex}.png"
    (folder / other).write_bytes(encode_png(draw_crop(1)))  # the same pixels, from somebody else
    store = open_store()
    assert store.get(first.id).count == 2
    assert list_aside(folder) == sorted([copy, other])


def test_a_row_without_its_file_is_marked_until_it_is_back(open_store: OpenStore, folder: Path) -> None:
    store = open_store()
    report, _ = store.add(draw_crop(1), "miku")
    store.close()
    (folder / report.file).rename(folder / "elsewhere")
    store = open_store()
    assert store.recovery.missing == [report.file]
    assert store.get(report.id).file_missing
    store.close()
    (folder / "elsewhere").rename(folder / report.file)
    store = open_store()
    assert not store.get(report.id).file_missing


def test_the_file_of_a_withdrawn_report_does_not_come_back(open_store: OpenStore, folder: Path) -> None:
    store = open_store()
    report, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    data = (folder / report.file).read_bytes()
    store.withdraw(report.id, TOKEN)
    store.close()
    (folder / report.file).write_bytes(data)  # as if the process had died before removing it
    store = open_store()
    assert store.recovery.removed == [report.file]
    assert list_files(folder) == []
    assert store.get(report.id).state == ReviewState.WITHDRAWN


def test_a_start_leaves_another_process_s_fresh_files_alone(open_store: OpenStore, folder: Path) -> None:
    open_store()  # a store that is in use
    fresh, old = (f"miku-{uuid.uuid4().hex}.png" for _ in range(2))
    for number, name in enumerate((fresh, old)):
        (folder / name).write_bytes(encode_png(draw_crop(number)))
    age(folder / old)
    assert open_store().recovery.adopted == [old]
    assert fresh in list_files(folder)


def test_what_is_not_a_report_s_file_is_not_touched(open_store: OpenStore, folder: Path) -> None:
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    (folder / "folder.png").mkdir()
    (folder / "link.png").symlink_to(folder / "README.md")
    recovery = open_store().recovery
    assert recovery.adopted == recovery.set_aside == recovery.removed == recovery.missing == []
    assert list_files(folder) == ["README.md", "folder.png", "link.png"]
