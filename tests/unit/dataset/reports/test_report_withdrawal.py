"""A visitor takes a report back."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_samples import TOKEN, Ask, OpenStore, draw_crop, list_files

from kyara.dataset.review.reports import ReportStore, ReviewState
from kyara.errors import NotFoundError, TooLateError


def test_withdraw_removes_the_file_and_what_was_said(store: ReportStore, folder: Path, ask: Ask) -> None:
    report, _ = store.add(draw_crop(1), "miku", note="secret", predicted="luka", token=TOKEN)
    withdrawn = store.withdraw(report.id, TOKEN)
    assert (withdrawn.state, withdrawn.count, withdrawn.note) == (ReviewState.WITHDRAWN, 0, None)
    assert store.withdraw(report.id, TOKEN) == withdrawn
    assert list_files(folder) == []
    assert store.count_stored_bytes() == 0
    assert ask("SELECT note FROM submissions") == [(None,)]


def test_a_late_repeat_does_not_bring_a_withdrawn_report_back(store: ReportStore, folder: Path) -> None:
    report, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    store.withdraw(report.id, TOKEN)
    again, created = store.add(draw_crop(1), "miku", token=TOKEN)
    assert (again.id, again.state, created) == (report.id, ReviewState.WITHDRAWN, False)
    assert list_files(folder) == []


def test_a_withdrawn_crop_may_be_reported_anew(store: ReportStore, folder: Path) -> None:
    report, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    store.withdraw(report.id, TOKEN)
    fresh, created = store.add(draw_crop(1), "miku", token="another-token")
    assert created
    assert fresh.id != report.id
    assert list_files(folder) == [fresh.file]


def test_withdraw_leaves_what_other_visitors_said(store: ReportStore, folder: Path) -> None:
    report, _ = store.add(draw_crop(1), "miku", note="first", token=TOKEN)
    store.add(draw_crop(1), "miku", note="second", token="another-token")
    left = store.withdraw(report.id, TOKEN)
    assert (left.state, left.count, left.note) == (ReviewState.PENDING, 1, "second")
    assert list_files(folder) == [report.file]
    assert store.withdraw(report.id, "another-token").state == ReviewState.WITHDRAWN
    assert list_files(folder) == []


def test_withdraw_refuses_the_wrong_token_and_the_wrong_report(store: ReportStore) -> None:
    mine, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    theirs, _ = store.add(draw_crop(2), "miku", token="another-token")
    for report_id, token in [
        (mine.id, "never-used-token"),
        (mine.id, "another-token"),
        (theirs.id, TOKEN),
        ("nothing", TOKEN),
    ]:
        with pytest.raises(NotFoundError, match="made with this token"):
            store.withdraw(report_id, token)
    assert store.count_by_state()[ReviewState.PENDING] == 2


def test_withdraw_refuses_a_report_that_is_old_or_reviewed(
    open_store: OpenStore, folder: Path, ask: Ask
) -> None:
    store = open_store(undo_s=0)
    report, _ = store.add(draw_crop(1), "miku", token=TOKEN)
    with pytest.raises(TooLateError, match="can be taken back for 0 seconds"):
        store.withdraw(report.id, TOKEN)
    ask("UPDATE reports SET state = 'accepted'")
    with pytest.raises(TooLateError, match="already accepted"):
        open_store().withdraw(report.id, TOKEN)
    assert list_files(folder) == [report.file]
