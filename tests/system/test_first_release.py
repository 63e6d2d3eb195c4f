"""A data folder of the first release opens with every report, label and model, and goes on."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from apiflask import APIFlask
from first_release_data import PASSWORD, REPORT_SEEDS, draw_crop, write_first_release
from hostile import as_url
from operators import log_in
from PIL import Image

from app import create_app
from kyara.dataset.review.reports import ReviewState
from kyara.recognition.enrolment_store import TaughtStore
from kyara.vision.images import encode_png

STATES = {
    "aka_ribbon": ReviewState.PENDING,
    "琴吹䌷": ReviewState.PENDING,
    "not_a_face": ReviewState.PENDING,
    "ao_glasses": ReviewState.WITHDRAWN,
}


def open_app(settings: dict[str, str]) -> APIFlask:
    return create_app({"TESTING": True, **settings})


def close_app(app: APIFlask) -> None:
    app.extensions["kyara_reports"].close()
    app.extensions["kyara_accounts"].close()
    app.extensions["kyara_review"].close()


@pytest.fixture
def settings(tmp_path: Path, tiny_bundle: Path) -> dict[str, str]:
    return write_first_release(tmp_path, tiny_bundle)


@pytest.fixture
def app(settings: dict[str, str]) -> Iterator[APIFlask]:
    app = open_app(settings)
    yield app
    close_app(app)


def test_every_report_is_there_with_its_picture(app):
    store = app.extensions["kyara_reports"]
    assert {report.label: report.state for report in store.list()} == STATES
    first = next(report for report in store.list() if report.label == "aka_ribbon")
    assert (first.count, first.note, first.confidence) == (2, "She wears the ribbon.\nAlways.", 0.75)
    assert (first.revision, first.reviewed_by, first.file_missing) == (0, None, False)
    assert store.recovery.missing == store.recovery.adopted == store.recovery.set_aside == []
    assert store.count_stored_bytes() == 2212 + 2124 + 2124
    rin = log_in(app, "rin", PASSWORD)
    for report in store.list(ReviewState.PENDING):
        with rin.get(f"/operator/reports/{report.id}/crop") as answer:
            pixels = np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGB"))
        assert np.array_equal(pixels, draw_crop(REPORT_SEEDS[report.file]))


def test_the_reports_can_be_reviewed_and_a_late_repeat_is_known(app):
    rin = log_in(app, "rin", PASSWORD)
    entries = {entry["said"]: entry for entry in rin.get("/operator/reports/queue").json["reports"]}
    assert set(entries) == {"aka_ribbon", "琴吹䌷", "not_a_face"}
    seen = [{"id": entries["aka_ribbon"]["id"], "revision": 0}]
    assert rin.post("/operator/reports/decide", reports=seen, action="accept").status_code == 200
    assert rin.post("/operator/reports/undo").json["reports"][0]["state"] == "pending"
    repeat = {"crop": as_url(encode_png(draw_crop(1))), "label": "aka_ribbon", "token": "visitor-two"}
    answer = app.test_client().post("/api/reports", json=repeat)
    assert answer.json["id"] == entries["aka_ribbon"]["id"]
    withdrawn = {**repeat, "crop": as_url(encode_png(draw_crop(4))), "token": "visitor-five"}
    assert app.test_client().post("/api/reports", json=withdrawn).json["status"] == "withdrawn"


def test_the_model_answers_and_what_was_taught_and_forgotten_still_is(app, tiny_data: Path):
    client = app.test_client()
    model = client.get("/healthz").json["model"]
    assert (model["name"], model["characters"]) == ("faces-46", 3)
    crop = as_url((tiny_data / "aka_ribbon" / "000.png").read_bytes())
    (face,) = client.post("/api/identify", json={"crops": [crop]}).json["faces"]
    assert face["answers"][0]["label"] == "aka_ribbon"
    classifier = app.extensions["kyara_model"].classifier
    assert "ao_glasses" not in classifier.labels  # it was forgotten
    midori = next(known for known in classifier.characters if known.label == "midori_bun")
    assert midori.name["ja"] == "緑おだんご"
    assert [len(ids) for ids in classifier.taught.values()] == [2]
    assert classifier.draw_thumbnail("1") is not None


def test_the_upgrade_is_done_once_and_the_first_release_could_go_on(settings: dict[str, str]):
    for _ in range(2):
        close_app(open_app(settings))
    path = Path(settings["REPORT_FOLDER"]) / "reports.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT * FROM alembic_version_reports").fetchall() == [("0003",)]
        connection.execute(
            "INSERT INTO reports (id, label, file, file_bytes, created_at, state, count, adopted, "
            "file_missing) VALUES ('x', 'luka', 'x.png', 1, '2026-01-01 00:00:00', 'pending', 1, 0, 0)"
        )
    app = open_app(settings)
    last = app.extensions["kyara_reports"].get("x")
    assert (last.revision, last.reviewed_by) == (0, None)
    close_app(app)


@pytest.mark.parametrize("cut", ["reviewed_label", "revision", "all columns"])
def test_an_upgrade_that_the_second_release_did_not_finish_is_finished(settings: dict[str, str], cut):
    """The second release added column by column, and knew no version table."""
    columns = {"reviewed_label": "VARCHAR(200)", "reviewed_by": "VARCHAR(40)"}
    columns |= {"reviewed_at": "DATETIME", "revision": "INTEGER DEFAULT 0"}
    path = Path(settings["REPORT_FOLDER"]) / "reports.db"
    with closing(sqlite3.connect(path)) as connection:
        for name, kind in columns.items():
            connection.execute(f"ALTER TABLE reports ADD COLUMN {name} {kind}")
            if name == cut:
                break
    app = open_app(settings)
    assert {report.label: report.state for report in app.extensions["kyara_reports"].list()} == STATES
    close_app(app)


def test_features_of_the_backbone_of_that_time_are_kept(settings: dict[str, str]):
    store = TaughtStore(Path(settings["MODEL_FOLDER"]) / "taught.db")
    changes = store.read_changes(0, "a backbone of that time")
    assert changes is not None
    forgotten = {taught.character.label: taught.forgotten for taught in changes.characters}
    assert forgotten == {"midori_bun": False, "kiiro_star": False, "ao_glasses": True}
    vectors = list(changes.characters[0].references.values())
    np.testing.assert_array_equal(np.array(vectors, np.float32), [[1, 1, 0], [2, 1, 0]])
    store.close()
