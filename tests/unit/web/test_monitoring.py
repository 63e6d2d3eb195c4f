"""Request ids, log lines, numbers, and the three questions: alive, healthy, ready?"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from drawings import LABELS
from flask.testing import FlaskClient
from hostile import as_url

from app import DEFAULTS
from kyara.errors import BadInputError
from kyara.vision.images import encode_png, read_image
from kyara.web.ops.logs import JsonFormatter
from kyara.web.serving.process import stopping

TOKEN = "a-token-for-prometheus"
SECRET_LABEL = "someone_whom_nobody_may_see"


@pytest.fixture
def crop(tiny_data) -> str:
    return as_url(encode_png(read_image(tiny_data / LABELS[0] / "000.png")))


def read_metrics(client: FlaskClient, **options) -> str:
    answer = client.get("/metrics", **options)
    assert answer.status_code == 200
    return answer.text


def test_the_numbers_tell_queue_verdicts_model_and_reports(client, crop):
    client.post("/api/identify", json={"crops": [crop, crop]})
    client.post("/api/reports", json={"crop": crop, "label": SECRET_LABEL, "token": "a-token-1"})
    text = read_metrics(client)
    for line in (
        'kyara_requests_total{method="POST",route="/api/identify",status="200"} 1.0',
        'kyara_request_duration_seconds_count{route="/api/identify"} 1.0',
        'kyara_verdicts_total{verdict="known"} 2.0',
        "kyara_queue_waiting 0.0",
        "kyara_queue_places 40.0",
        "kyara_characters 4.0",
        'kyara_reports{state="pending"} 1.0',
        "kyara_report_database_up 1.0",
    ):
        assert line in text
    assert re.search(r'kyara_model_info\{name="tiny",version="[0-9a-f]+"\} 1.0', text)
    assert "process_resident_memory_bytes" in text


def test_no_number_and_no_log_line_holds_what_a_visitor_sent(client, crop, caplog):
    address = {"REMOTE_ADDR": "203.0.113.77"}
    with caplog.at_level(logging.DEBUG):
        body = {"crop": crop, "label": SECRET_LABEL, "token": "a-token-2", "note": "a-secret-note"}
        client.post("/api/reports", json=body, environ_overrides=address)
        client.get(f"/api/characters?query={SECRET_LABEL}", environ_overrides=address)
        client.get(f"/nothing/{SECRET_LABEL}", environ_overrides=address)
        client.open("/nothing", method=SECRET_LABEL.upper(), environ_overrides=address)
    lines = "\n".join(JsonFormatter().format(record) for record in caplog.records)
    assert '"route": "/api/characters"' in lines
    for text in (lines, read_metrics(client)):
        for secret in (SECRET_LABEL, "203.0.113.77", "a-secret-note", "a-token-2", crop[-40:]):
            assert secret.lower() not in text.lower()


def test_refusals_are_counted_by_reason(client, crop, app):
    app.extensions["kyara_model"]._turns._places = 0
    answer = client.post("/api/identify", json={"crops": [crop]})
    assert answer.status_code == 503
    assert 'kyara_refusals_total{reason="full"} 1.0' in read_metrics(client)


@pytest.mark.parametrize(
    ("address", "headers", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("192.0.2.1", {}, False),
        ("", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, False),
        ("127.0.0.1", {"Authorization": "Bearer anything"}, True),
    ],
)
def test_without_a_token_only_this_machine_reads_the_numbers(client, address, headers, allowed):
    answer = client.get("/metrics", environ_overrides={"REMOTE_ADDR": address}, headers=headers)
    assert answer.status_code == (200 if allowed else 404)


@pytest.mark.parametrize(
    ("sent", "status"),
    [(f"Bearer {TOKEN}", 200), ("Bearer wrong", 404), ("", 404), (f"Basic {TOKEN}", 404)],
)
def test_with_a_token_whoever_has_it_reads_the_numbers(app, client, sent, status):
    app.config["METRICS_TOKEN"] = TOKEN
    far = {"REMOTE_ADDR": "192.0.2.1"}
    answer = client.get("/metrics", environ_overrides=far, headers={"Authorization": sent})
    assert answer.status_code == status


def test_the_numbers_can_be_switched_off(app, client):
    app.config["METRICS"] = "off"
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize(
    "settings",
    [{"METRICS": "everyone"}, {"METRICS_TOKEN": "short"}, {"METRICS_TOKEN": 5}, {"LOG_FORMAT": "xml"}],
)
def test_settings_that_make_no_sense_are_refused(make_app, settings):
    with pytest.raises(BadInputError, match="KYARA_"):
        make_app(**settings)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0123456789abcdef", True),
        ("3f0c9f5e-6d0e-4f6c-9a53-5e1d7f3b2a10", True),
        ("short", False),
        ("x" * 65, False),
        ("<script>alert(1)", False),
        ("0123456789 abcdef", False),
    ],
)
def test_a_sound_request_id_is_kept_and_another_is_replaced(client, sent, kept):
    answer = client.get("/livez", headers={"X-Request-ID": sent})
    found = answer.headers["X-Request-ID"]
    assert (found == sent) is kept
    assert re.fullmatch("[A-Za-z0-9_-]{8,64}", found)


def test_an_error_carries_the_request_id(client):
    answer = client.get("/api/nothing", headers={"X-Request-ID": "a-request-of-mine"})
    assert answer.json["request_id"] == answer.headers["X-Request-ID"] == "a-request-of-mine"


def test_a_request_is_one_json_line_with_its_id(client, caplog):
    with caplog.at_level(logging.INFO, "kyara.requests"):
        client.get("/livez", headers={"X-Request-ID": "a-request-of-mine"})
    (record,) = [one for one in caplog.records if one.name == "kyara.requests"]
    with client.application.test_request_context():
        line = json.loads(JsonFormatter().format(record))
    assert (line["method"], line["route"], line["status"]) == ("GET", "/livez", 200)
    assert line["level"] == "info"
    assert line["took_ms"] >= 0


def test_an_exception_is_in_the_json_line():
    try:
        raise ValueError("wrong")
    except ValueError as error:
        information = (type(error), error, error.__traceback__)
    record = logging.LogRecord("kyara", logging.ERROR, "", 1, "It %s.", ("failed",), information)
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "It failed."
    assert "ValueError: wrong" in line["exception"]


def test_a_whole_site_is_ready(client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    assert set(answer.get_json()["checks"].values()) == {"ok"}


def test_a_full_queue_is_not_ready_and_still_alive(app, client):
    app.extensions["kyara_model"]._turns._places = 0
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["checks"]["queue"]) == (503, "full")
    assert client.get("/livez").status_code == client.get("/healthz").status_code == 200


def test_a_process_that_stops_is_not_ready(client):
    stopping.set()
    try:
        answer = client.get("/readyz")
    finally:
        stopping.clear()
    assert (answer.status_code, answer.json["checks"]["process"]) == (503, "stopping")


def test_without_a_model_the_site_lives_and_is_not_ready(make_app, tmp_path):
    client = make_app(MODEL_FOLDER=str(tmp_path)).test_client()
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").get_json()["checks"]["model"] == "failed"


def test_the_page_on_operating_names_every_setting_metric_and_address(client):
    page = (Path(__file__).resolve().parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
    names = {"MAX_QUEUED", "MAX_RUNNING", "REQUEST_DEADLINE_S", "METRICS", "METRICS_TOKEN", "LOG_FORMAT"}
    assert names <= set(DEFAULTS)
    assert all(f"KYARA_{name}" in page for name in names)
    assert all(address in page for address in ("/livez", "/healthz", "/readyz", "/metrics"))
    told = set(re.findall(r"^# TYPE (kyara_\w+) (?!.*created)", read_metrics(client), re.M))
    assert told
    for name in told:
        assert name.removesuffix("_created") in page
