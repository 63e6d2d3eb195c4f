"""The models page over HTTP: what it refuses, and the stream of events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from waiting import wait_until

from kyara.storage.clock import stamp_time
from kyara.storage.jobs import LOG_FILE, JobStatus, write_status


def test_the_state_tells_what_serves_and_a_stream_sends_it(operator):
    state = operator.get("/operator/models/state").json
    assert state["serving"] == "tiny"
    assert state["before"] == ""
    (bundle,) = state["bundles"]
    assert bundle["name"] == "tiny"
    assert bundle["figures"]["top1"] >= 0.9
    assert 'id="retrain-form"' in operator.page("/operator/models")
    streams = [operator.client.get("/operator/models/progress", buffered=False) for _ in range(2)]
    assert operator.get("/operator/models/progress").status_code == 503
    assert operator.client.head("/operator/models/progress").status_code == 503
    for stream in streams:
        assert stream.mimetype == "text/event-stream"
        events = iter(stream.response)
        next(events)
        event = next(events)
        text = event if isinstance(event, str) else event.decode()
        assert json.loads(text.removeprefix("data: "))["serving"] == "tiny"
        stream.close()
    for _ in range(3):
        unread = operator.client.head("/operator/models/progress")
        assert unread.status_code == 200
        unread.close()
    again = operator.client.get("/operator/models/progress", buffered=False)
    assert again.status_code == 200
    next(iter(again.response))
    again.close()


def test_what_cannot_be_done_is_told(operator, app):
    for name in ("../tiny", "..", "nobody", "tiny/", "a\0b", "\ud800"):
        assert operator.post("/operator/models/promote", name=name).status_code == 404
    assert "nothing to roll back" in operator.post("/operator/models/rollback").json["detail"]
    assert operator.post("/operator/models/retrain", recipe="dance").status_code == 422
    assert operator.post("/operator/models/retrain", name="../x").status_code == 400
    taken = operator.post("/operator/models/retrain", name="tiny")
    assert taken.status_code == 400
    assert "bundle tiny already" in taken.json["detail"]
    assert operator.post("/operator/models/jobs/nobody/resume").status_code == 400
    missing = operator.client.get(
        "/operator/models/comparisons/tiny", headers={"Accept": "application/json"}
    )
    assert missing.status_code == 404


def test_a_training_that_cannot_begin_says_why(
    operator, app, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    runs = tmp_path / "runs"
    monkeypatch.setitem(app.config, "RUN_FOLDER", str(runs))

    def read_job(name: str) -> dict:
        jobs = operator.get("/operator/models/state").json["jobs"]
        return next(job for job in jobs if job["job"] == name)

    write_status(runs, JobStatus("early", "head", started_at=stamp_time()))
    assert read_job("early")["error"] == ""
    (runs / "early" / LOG_FILE).write_text("Traceback …\nThis needs the package keras.\n\n")
    assert read_job("early")["error"] == "This needs the package keras."
    assert read_job("early")["interrupted"] is True
    started = operator.post("/operator/models/retrain", name="a-new-name")
    assert started.status_code == 202
    wait_until(lambda: read_job("a-new-name")["stage"] == "failed", 120)
    assert "no labelled faces yet" in read_job("a-new-name")["error"]
