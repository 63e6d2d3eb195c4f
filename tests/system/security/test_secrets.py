"""Secrets, debugging and the daily quota: what keeps the site from starting, and what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from command_line import ROOT
from hostile import as_url, encode
from operators import PASSWORD

from app import DEFAULTS
from kyara.web.operator.accounts import AccountStore
from kyara.web.secrets import find_weakness


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("Zk3-mP9_qL7", "at least 16 characters"),
        ("ababababababababab", "8 different"),
        ("changeme-changeme-now", "'change'"),
        ("Kyara-SECRET-9f8e7d6c", "'secret'"),
        ("0123456789abcdefghij", "'abcdefgh'"),
        ("this-is-an-Example-9021", "'example'"),
    ],
)
def test_a_weak_secret_is_told_why(secret, words):
    assert words in find_weakness(secret, 16, 8)


def test_a_random_secret_is_strong():
    assert find_weakness("vG1mQz8k-T3wN7xR_yB5uJ2p", 16, 8) == ""


def test_no_secret_has_a_default():
    assert {DEFAULTS["SECRET_KEY"], DEFAULTS["OPERATOR_TOKEN"]} == {""}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASK_DEBUG", "1"),
        ("KYARA_DEBUG", "true"),
        ("KYARA_TESTING", "yes"),
        ("KYARA_SECRET_KEY", "change-me-change-me-change-me-change-me"),
        ("KYARA_OPERATOR_TOKEN", "short"),
        ("KYARA_RATE_LIMITS", "identify"),
        ("KYARA_HSTS_SECONDS", "-1"),
    ],
)
def test_the_server_does_not_start_with_an_unsafe_setting_and_says_which(tmp_path, name, value):
    environment = {
        **os.environ,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "KYARA_REPORT_FOLDER": str(tmp_path / "reports"),
        "KYARA_INSTANCE_FOLDER": str(tmp_path / "instance"),
        "KYARA_DATASET_FOLDER": str(tmp_path / "dataset"),
        "KYARA_MODEL_FOLDER": str(tmp_path / "model"),
        name: value,
    }
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert name in done.stderr


def test_a_password_is_kept_as_an_argon2id_hash_alone(tmp_path):
    accounts = AccountStore(tmp_path)
    accounts.create("rin", PASSWORD)
    accounts.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PASSWORD.encode() not in kept
    found = re.search(rb"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$", kept)
    # OWASP's Password Storage Cheat Sheet: at least 19 MiB and 2 rounds
    assert found and int(found[1]) >= 19 * 1024 and int(found[2]) >= 2


def test_one_sender_may_send_so_many_reports_a_day_and_others_go_on(make_app):
    client = make_app(REPORT_SENDER_QUOTA=2, RATE_LIMITS="").test_client()

    def send(number: int, address: str = "2001:db8::1", **more: str):
        body = {"crop": as_url(encode("PNG", (8 + number, 8))), "label": "aka_ribbon", **more}
        return client.post("/api/reports", json=body, environ_overrides={"REMOTE_ADDR": address})

    assert send(0, token="a-random-text").status_code == 201
    assert send(1).status_code == 201
    refused = send(2, address="2001:db8::2")
    assert refused.status_code == 429
    assert 23 * 3600 < int(refused.headers["Retry-After"]) <= 24 * 3600
    assert "within a day" in refused.text
    assert send(0, token="a-random-text").status_code == 201
    assert send(3, address="2001:db8:1::1").status_code == 201


def test_one_sender_may_take_an_eighth_of_the_room_and_others_go_on(make_app):
    client = make_app(REPORT_QUOTA_BYTES=200_000, RATE_LIMITS="").test_client()

    def send(number: int, address: str = "192.0.2.1") -> int:
        body = {"crop": as_url(encode("PNG", (64, 60 + number))), "label": "aka_ribbon"}
        return client.post(
            "/api/reports", json=body, environ_overrides={"REMOTE_ADDR": address}
        ).status_code

    assert [send(number) for number in range(5)] == [201, 201, 201, 507, 507]
    assert send(9, "192.0.2.2") == 201
