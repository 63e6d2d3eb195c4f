"""Reports over HTTP, through a real gunicorn: a crowd at once, a kill in the middle, hostile labels."""

from __future__ import annotations

import http.client
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_samples import draw_crop, list_files, query
from report_server import Client, data_url

from kyara.dataset.review.reports import ReportStore, ReviewState
from kyara.vision.images import decode_image
from scripts.local_site import Server

REPORTS = 500
CLIENTS = 20
LABELS = ("琴吹䌷", "平沢 唯.png", "../../../etc/passwd", "<b>x</b>", "not_listed")


def make_report(number: int) -> dict[str, Any]:
    """One of the crowd's reports: a crop and a token of its own, a label that others have too."""
    return {
        "crop": data_url(draw_crop(number, 64)),
        "label": LABELS[number % len(LABELS)],
        "note": f"note {number}",
        "predicted": "hatsune_miku",
        "confidence": 0.5,
        "model_version": "first/1",
        "box": {"x": number, "y": 2, "width": 64, "height": 65},
        "token": f"token-{number:04d}",
    }


def check_stored(folder: Path, answered: dict[int, str]) -> None:
    """Check row, file, label and pixels of each report that was answered 201."""
    rows = {row[0]: row[1:] for row in query(folder, "SELECT id, label, file, note, count FROM reports")}
    for number, report_id in answered.items():
        label, file, note, count = rows[report_id]
        assert (label, note, count) == (LABELS[number % len(LABELS)], f"note {number}", 1)
        assert np.array_equal(decode_image((folder / file).read_bytes()), draw_crop(number, 64))


@pytest.mark.slow
def test_five_hundred_reports_at_once_are_all_stored(report_dir: Path) -> None:
    start = threading.Barrier(CLIENTS)

    with Server(report_dir, model=report_dir.parent / "no_model") as server:

        def send_some(first: int) -> dict[int, str]:
            client, answered = Client(server.port), {}
            start.wait()
            for number in range(first, REPORTS, CLIENTS):
                status, _, answer = client.send(**make_report(number))
                assert (status, answer["status"]) == (201, "pending"), answer
                answered[number] = answer["id"]
            client.connection.close()
            return answered

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(send_some, range(CLIENTS)))
    answered = {number: report_id for part in answers for number, report_id in part.items()}
    assert len(set(answered.values())) == REPORTS
    assert query(report_dir, "SELECT count(*), sum(count) FROM reports") == [(REPORTS, REPORTS)]
    assert query(report_dir, "SELECT count(DISTINCT token) FROM submissions") == [(REPORTS,)]
    files = list_files(report_dir)
    assert files == sorted(name for (name,) in query(report_dir, "SELECT file FROM reports"))
    assert len(files) == REPORTS
    check_stored(report_dir, answered)


@pytest.mark.slow
def test_a_kill_in_the_middle_loses_nothing_that_was_answered(report_dir: Path) -> None:
    answered: dict[int, str] = {}
    enough = threading.Event()

    with Server(report_dir, model=report_dir.parent / "no_model") as server:

        def send_until_killed(first: int) -> None:
            client = Client(server.port)
            for number in range(first, REPORTS, CLIENTS):
                try:
                    status, _, answer = client.send(**make_report(number))
                except (OSError, http.client.HTTPException):  # the server is gone
                    break
                assert status == 201, answer
                answered[number] = answer["id"]
                if len(answered) >= REPORTS // 3:
                    enough.set()
            client.connection.close()

        with ThreadPoolExecutor(CLIENTS) as pool:
            sending = [pool.submit(send_until_killed, first) for first in range(CLIENTS)]
            assert enough.wait(120)
            server.stop(signal.SIGKILL)
            for one in sending:
                one.result()
    assert REPORTS // 3 <= len(answered) < REPORTS

    store = ReportStore(report_dir)
    found = {report.id: report for report in store.list(limit=REPORTS)}
    store.close()
    assert set(answered.values()) <= set(found)
    assert not any(report.file_missing for report in found.values())
    check_stored(report_dir, answered)

    # The visitors' pages send again, with the same tokens, what they do not know to be stored.
    with Server(report_dir, model=report_dir.parent / "no_model") as server:
        client = Client(server.port)
        for number in range(REPORTS):
            status, _, answer = client.send(**make_report(number))
            assert status == 201
            assert answered.setdefault(number, answer["id"]) == answer["id"]
        client.connection.close()
    assert query(report_dir, "SELECT count(*), sum(count) FROM reports") == [(REPORTS, REPORTS)]
    names = [name for (name,) in query(report_dir, "SELECT file FROM reports")]
    assert [name for name in list_files(report_dir) if name != "set_aside"] == sorted(names)
    check_stored(report_dir, answered)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that takes up to 300 kB of reports."""
    folder = tmp_path_factory.mktemp("reports_over_http") / "user_report"
    with Server(folder, model=folder.parent / "no_model", REPORT_QUOTA_BYTES=300_000) as server:
        yield server, folder


@pytest.fixture
def client(server: tuple[Server, Path]) -> Iterator[Client]:
    client = Client(server[0].port)
    yield client
    client.connection.close()


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("../../../etc/passwd", "../../../etc/passwd"),
        ("琴吹䌷", "琴吹䌷"),
        ("平沢 唯.png", "平沢 唯.png"),
        ("<b>x</b>", "<b>x</b>"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("か\u3099く", "がく"),
        ("x" * 10_000, "10,000 characters"),
        ("a\0b", "a control character (U+0000)"),
        ("miku\u202egpj.exe", "reverses the writing direction (U+202E)"),
        ("\ud83d", "half of a surrogate pair"),
        ("", "empty"),
        ("a\r\nSet-Cookie: a=b", "a line break"),
    ],
)
def test_a_hostile_label_is_kept_unchanged_or_refused(
    client: Client, server: tuple[Server, Path], label: str, kept: str
) -> None:
    folder = server[1]
    before = list_files(folder)
    status, kind, answer = client.send(crop=data_url(draw_crop(len(before))), label=label)
    if status == 201:
        (row,) = query(folder, "SELECT label, file FROM reports WHERE id = ?", answer["id"])
        assert row[0] == kept
        assert list_files(folder) == sorted([*before, row[1]])
    else:
        assert (status, kind) == (400, "application/problem+json")
        assert kept in answer["detail"]
        assert list_files(folder) == before
    assert {path.name for path in folder.parent.iterdir()} == {folder.name}


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"crop": None}, 422, "crop"),
        ({"crop": "hello"}, 400, "data URL"),
        ({"crop": "data:image/png;base64,aGVsbG8="}, 415, "not a picture"),
        ({"crop": data_url(draw_crop(1))[:402]}, 422, "damaged"),
        ({"label": None}, 422, "label"),
        ({"label": 5}, 422, "label"),
        ({"label": ["miku"]}, 422, "label"),
        ({"note": "n" * 1001}, 400, "1,001 characters"),
        ({"confidence": 7}, 422, "confidence"),
        ({"confidence": "NaN"}, 422, "confidence"),
        ({"box": {"x": 1, "y": 2, "width": 0, "height": 4}}, 422, "width"),
        ({"box": {"x": 1, "y": 2}}, 422, "width"),
        ({"box": {"x": 1.5, "y": 2, "width": 1, "height": 4}}, 422, "x"),
        ({"token": "short"}, 422, "8 to 64"),
        ({"token": "newline-at-end\n"}, 400, "8 to 64"),
        ({"state": "accepted"}, 422, "state"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused(
    client: Client, server: tuple[Server, Path], change: dict[str, Any], status: int, sentence: str
) -> None:
    before = list_files(server[1])
    report = {**make_report(1), **change}
    answer = client.send(**report)
    assert answer[:2] == (status, "application/problem+json"), answer
    assert sentence in answer[2]["detail"]
    assert list_files(server[1]) == before


def test_a_double_click_and_null_details_are_one_report(client: Client) -> None:
    report = {"crop": data_url(draw_crop(2)), "label": "miku", "token": "double-click"}
    nulls = dict.fromkeys(("note", "predicted", "confidence", "model_version", "box"))
    assert client.send(**report) == client.send(**report, **nulls)


@pytest.mark.parametrize("in_body", [False, True])
def test_a_report_can_be_taken_back_with_its_token(
    client: Client, server: tuple[Server, Path], in_body: bool
) -> None:
    before = list_files(server[1])
    token = f"undo-token-{in_body}"
    _, _, sent = client.send(crop=data_url(draw_crop(3)), label="miku", token=token)
    path = f"/api/reports/{sent['id']}"
    assert client.ask("DELETE", path)[0] == 400
    status, kind, answer = client.ask("DELETE", f"{path}?token=not-its-token")
    assert (status, kind) == (404, "application/problem+json")
    assert "made with this token" in answer["detail"]
    assert client.ask("DELETE", path, {"token": 12})[0] == 400
    for _ in range(2):
        done = client.ask("DELETE", path, {"token": token}) if in_body else None
        done = done or client.ask("DELETE", f"{path}?token={token}")
        assert done == (200, "application/json", {"id": sent["id"], "status": "withdrawn"})
    assert list_files(server[1]) == before


def test_a_full_quota_answers_507_and_a_repeat_still_answers(client: Client) -> None:
    small = {"crop": data_url(draw_crop(4)), "label": "miku", "token": "before-full"}
    first = client.send(**small)
    status, kind, answer = client.send(crop=data_url(draw_crop(5, 400)), label="miku")
    assert (status, kind) == (507, "application/problem+json")
    assert "space for reports is used up" in answer["detail"]
    assert client.send(**small) == first


def test_the_api_is_documented(client: Client) -> None:
    document = client.ask("GET", "/api/openapi.json")[2]
    send, undo = document["paths"]["/api/reports"]["post"], document["paths"]["/api/reports/{report_id}"]
    assert {"201", "400", "413", "415", "422", "507"} <= set(send["responses"])
    assert {"200", "404", "409"} <= set(undo["delete"]["responses"])
    fields = document["components"]["schemas"]["ReportIn"]["properties"]
    assert set(fields) == set(make_report(1))
    assert all("description" in field or "$ref" in str(field) for field in fields.values())
    states = document["components"]["schemas"]["ReportOut"]["properties"]["status"]["enum"]
    assert states == [str(state) for state in ReviewState]
