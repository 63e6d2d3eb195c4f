"""Labels, notes and the rest of a report: what is kept as it is, and what is refused with a sentence."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from report_samples import draw_crop, list_files

from kyara.dataset.review.reports import NOT_A_FACE, NOT_LISTED, ReportStore
from kyara.errors import BadInputError
from kyara.vision.boxes import Box

BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("label", "kept", "stem"),
    [
        ("hatsune_miku", "hatsune_miku", "hatsune_miku"),
        (NOT_A_FACE, "not_a_face", "not_a_face"),
        (NOT_LISTED, "not_listed", "not_listed"),
        ("../../../etc/passwd", "../../../etc/passwd", "etc_passwd"),
        ("/etc/passwd", "/etc/passwd", "etc_passwd"),
        ("..", "..", "face"),
        ("琴吹䌷", "琴吹䌷", "QinChuiChou"),
        ("平沢 唯.png", "平沢 唯.png", "PingZe_Wei.png"),
        ("<b>x</b>", "<b>x</b>", "bx_b"),
        ("'; DROP TABLE reports; --", "'; DROP TABLE reports; --", "DROP_TABLE_reports"),
        ("  初音ミク\u3000", "初音ミク", "ChuYinmiku"),
        ("か\u3099く", "がく", "gaku"),  # NFC
        ("é", "é", "e"),
        ("مريم", "مريم", "mrym"),
        ("👩\u200d🎤", "👩\u200d🎤", None),  # a zero-width joiner is part of the emoji
        ("x" * 200, "x" * 200, "x" * 60),
    ],
)
def test_a_label_of_any_script_is_kept_as_it_is(
    store: ReportStore, folder: Path, label: str, kept: str, stem: str | None
) -> None:
    report, _ = store.add(draw_crop(1), label)
    assert store.get(report.id).label == kept == unicodedata.normalize("NFC", kept)
    assert stem is None or report.file == f"{stem}-{report.id}.png"
    assert report.file.isascii()
    assert len(report.file) <= 97
    assert list_files(folder) == [report.file]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("", "empty"),
        (" \u3000 ", "empty"),
        ("\u200b\u200d", "empty"),
        ("\u3164", "a character that nobody sees .U.3164. at position 1"),
        ("\u2800\u2800", r"U\+2800"),
        ("mi\u200bku", r"U\+200B\) at position 3"),
        ("miku\U000e0041", r"U\+E0041"),
        ("\ufe0f\u200d", "empty"),
        ("x" * 201, "201 characters; at most 200"),
        ("x" * 10_000, "10,000 characters; at most 200"),
        ("a" + "\u0300\u0316" * 300_000, "600,001 characters"),
        ("a\0b", r"a control character \(U\+0000\) at position 2"),
        ("a\nb", r"a line break \(U\+000A\)"),
        ("a\x1b[31m", r"U\+001B"),
        ("a\x85", r"U\+0085"),
        ("a\u2028b", r"a line separator \(U\+2028\)"),
        *((f"a{control}b", "reverses the writing direction") for control in BIDI_CONTROLS),
        ("\ud83d", r"half of a surrogate pair \(U\+D83D\) at position 1"),
        ("a\uffff", r"not assigned to any character \(U\+FFFF\)"),
        ("\ue000", "a private-use character"),
        (7, "type int"),
    ],
)
def test_a_label_that_cannot_be_a_name_is_refused(
    store: ReportStore, folder: Path, label: str, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence) as caught:
        store.add(draw_crop(1), label)
    assert str(caught.value).isprintable()
    assert list_files(folder) == []
    assert store.list() == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("note", "x" * 1001, "The note has 1,001 characters; at most 1,000"),
        ("note", "a\0", "The note has a control character"),
        ("note", "a\u202eb", "reverses the writing direction"),
        ("predicted", "a\nb", "The predicted label has a line break"),
        ("confidence", 1.5, "confidence 1.5 is not a number from 0 to 1"),
        ("confidence", float("nan"), "confidence nan"),
        ("model_version", "v" * 101, "model version has 101 characters"),
        ("box", Box(0, 0, 0, 5), "at least 1 wide"),
        ("box", Box(10**9, 0, 5, 5), "within 1,000,000"),
        ("token", "short", "token 'short' is not 8 to 64"),
        ("token", "has spaces in it", "is not 8 to 64"),
        ("token", "newline-at-end\n", "is not 8 to 64"),
    ],
)
def test_add_refuses_details_that_break_a_rule(
    store: ReportStore, folder: Path, field: str, value: object, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        store.add(draw_crop(1), "miku", **{field: value})  # pyright: ignore[reportArgumentType]
    assert list_files(folder) == []


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_add_refuses_what_is_not_pixels(store: ReportStore, crop: np.ndarray) -> None:
    with pytest.raises(BadInputError, match=r"A crop is uint8 \(H, W, 3\)"):
        store.add(crop, "miku")


def test_a_note_keeps_its_lines(store: ReportStore) -> None:
    report, _ = store.add(draw_crop(1), "miku", note="one\r\ntwo\rthree\n\tfour")
    assert report.note == "one\ntwo\nthree\n\tfour"
