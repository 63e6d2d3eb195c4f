"""What the report store keeps, and how it counts repeats."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_samples import TOKEN, Ask, OpenStore, draw_crop, list_files, query

from kyara.dataset.review.reports import ReportStore, ReviewState
from kyara.dataset.review.reports.recovery import Recovery
from kyara.errors import NotFoundError
from kyara.vision.boxes import Box
from kyara.vision.images import decode_image


def test_add_keeps_everything_about_a_report(store: ReportStore, folder: Path, ask: Ask) -> None:
    crop = draw_crop(1)
    report, created = store.add(
        crop,
        "琴吹䌷",
        note="髪が黄色い\nと思う",
        predicted="hatsune_miku",
        confidence=0.25,
        model_version="first/1",
        box=Box(-3, 4, 50, 60),
        token=TOKEN,
    )
    assert created
    assert report.label == "琴吹䌷"
    assert report.file == f"QinChuiChou-{report.id}.png"
    assert np.array_equal(decode_image((folder / report.file).read_bytes()), crop)
    assert list_files(folder) == [report.file]
    fields = "label, note, predicted, confidence, model_version, CAST(box AS TEXT), state, count"
    assert ask(f"SELECT {fields} FROM reports") == [
        (
            "琴吹䌷",
            "髪が黄色い\nと思う",
            "hatsune_miku",
            0.25,
            "first/1",
            '{"x": -3, "y": 4, "width": 50, "height": 60}',
            "pending",
            1,
        )
    ]
    assert store.get(report.id) == report == store.list()[0]
    assert store.count_stored_bytes() == (folder / report.file).stat().st_size


@pytest.mark.parametrize("database", ["file"], indirect=True)
def test_the_database_is_safe_against_power_loss(store: ReportStore, folder: Path) -> None:
    assert query(folder, "PRAGMA journal_mode") == [("wal",)]
    with store.sessions() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_the_png_carries_the_whole_report(store: ReportStore, folder: Path) -> None:
    report, _ = store.add(draw_crop(1), "平沢 唯", note="à\nb", token=TOKEN)
    with Image.open(folder / report.file) as image:
        text = image.info["kyara-report"]
    assert '"label": "平沢 唯"' in text
    assert '"note": "à\\nb"' in text
    assert TOKEN in text


def test_the_same_token_is_one_report_whatever_comes_with_it(store: ReportStore, folder: Path) -> None:
    first, created = store.add(draw_crop(1), "miku", token=TOKEN)
    again, created_again = store.add(draw_crop(2), "luka", note="other", token=TOKEN)
    assert (created, created_again) == (True, False)
    assert again == first
    assert list_files(folder) == [first.file]


def test_the_same_token_at_once_is_one_report(open_store: OpenStore, folder: Path) -> None:
    """Through two stores, as two processes would, and with crops of their own."""
    stores = [open_store(), open_store()]
    start = threading.Barrier(8)

    def send(number: int) -> tuple[str, bool]:
        start.wait()
        report, created = stores[number % 2].add(draw_crop(number), f"label {number}", token=TOKEN)
        return report.id, created

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert len({report_id for report_id, _ in answers}) == 1
    assert sorted(created for _, created in answers) == [False] * 7 + [True]
    (report,) = stores[0].list()
    assert list_files(folder) == [report.file]
    assert report.count == 1
    assert stores[0].count_stored_bytes() == (folder / report.file).stat().st_size


def test_the_same_pixels_and_label_are_counted(store: ReportStore, folder: Path) -> None:
    first, _ = store.add(draw_crop(1), "がく", token=TOKEN)
    again, created = store.add(draw_crop(1), "か\u3099く", note="the second visitor's")
    other, other_created = store.add(draw_crop(1), "miku")
    assert (again.id, again.count, again.note, created) == (first.id, 2, "the second visitor's", False)
    assert other_created
    assert list_files(folder) == [first.file] == [other.file]


def test_a_picture_under_two_labels_takes_the_room_of_one_until_both_are_gone(
    open_store: OpenStore, folder: Path
) -> None:
    store = open_store()
    first, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    size_bytes = store.count_stored_bytes()
    other, _ = store.add(draw_crop(1), "luka", token="another-token")
    assert (other.file, store.count_stored_bytes()) == (first.file, size_bytes)
    store.withdraw(first.id, TOKEN)
    assert open_store().recovery == Recovery()
    assert (store.read_file(other)[:4], store.count_stored_bytes()) == (b"\x89PNG", size_bytes)
    store.withdraw(other.id, "another-token")
    assert (list_files(folder), store.count_stored_bytes()) == ([], 0)


def test_no_more_is_kept_of_a_crop_than_training_needs(store: ReportStore) -> None:
    report, _ = store.add(np.random.default_rng(1).integers(0, 256, (1200, 900, 3), np.uint8), "miku")
    assert decode_image(store.read_file(report)).shape == (512, 384, 3)
    assert store.count_stored_bytes() < 700_000


def test_pixels_of_another_shape_are_another_crop(store: ReportStore) -> None:
    pixels = np.arange(24, dtype=np.uint8)
    _, first = store.add(pixels.reshape(2, 4, 3), "miku")
    _, second = store.add(pixels.reshape(4, 2, 3), "miku")
    assert (first, second) == (True, True)


def test_the_same_pixels_at_once_are_counted_once_each(open_store: OpenStore, folder: Path) -> None:
    stores = [open_store(), open_store()]
    start = threading.Barrier(8)

    def send(number: int) -> bool:
        start.wait()
        return stores[number % 2].add(draw_crop(1), "miku", token=f"visitor-{number}")[1]

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(send, range(8)))
    assert sum(created) == 1
    (report,) = stores[0].list()
    assert report.count == 8
    assert list_files(folder) == [report.file]


def test_list_pages_through_the_newest_first(store: ReportStore) -> None:
    ids = [store.add(draw_crop(number), "miku")[0].id for number in range(5)]
    assert [report.id for report in store.list(limit=2, offset=1)] == [ids[3], ids[2]]
    assert len(store.list(ReviewState.PENDING)) == 5
    assert store.list(ReviewState.ACCEPTED) == []
    assert store.count_by_state() == {
        ReviewState.PENDING: 5,
        ReviewState.ACCEPTED: 0,
        ReviewState.REJECTED: 0,
        ReviewState.WITHDRAWN: 0,
    }
    with pytest.raises(NotFoundError, match="no report 'nothing'"):
        store.get("nothing")
