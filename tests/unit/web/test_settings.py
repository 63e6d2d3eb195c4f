"""Settings of the environment: what each takes, what is refused, and what the documents say of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from command_line import ROOT, run_kyara

from app import DEFAULTS, create_app
from kyara.cli.checks import CHECKS
from kyara.errors import BadInputError
from kyara.web.serving.server_settings import ServerSettings
from kyara.web.settings import Settings, make_config

OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
STRONG = "vG1mQz8k-T3wN7xR_yB5uJ2p"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("REPORT_VOTE", "False", False),
        ("REPORT_VOTE", "no", False),
        ("REPORT_VOTE", "off", False),
        ("REPORT_VOTE", "0", False),
        ("REPORT_VOTE", "", False),
        ("REPORT_VOTE", "true", True),
        ("REPORT_VOTE", "1", True),
        ("REPORT_VOTE", "yes", True),
        ("REPORT_VOTE", "oN", True),
        ("REPORT_VOTE", "OFF", False),
        ("SESSION_COOKIE_SECURE", "TRUE", True),
        ("TRUSTED_PROXIES", "2", 2),
        ("TRUSTED_PROXIES", "", 0),
        ("MAX_QUEUED", "7", 7),
        ("REQUEST_DEADLINE_S", "2.5", 2.5),
        ("RATE_LIMITS", "", ""),
        ("CORS_ORIGINS", "", ""),
        ("CORS_ORIGINS", "https://fans.example", "https://fans.example"),
        ("METRICS", "off", "off"),
        ("METRICS_TOKEN", STRONG, STRONG),
        ("OPERATOR_TOKEN", "8472-0193-5566-8210", "8472-0193-5566-8210"),
        ("TAUGHT_DATABASE", "2026", "2026"),
        ("REPORT_FOLDER", "/srv/reports", "/srv/reports"),
        ("REPORT_FOLDER", "", DEFAULTS["REPORT_FOLDER"]),
    ],
)
def test_a_setting_is_read_as_its_type(monkeypatch, name, text, value):
    monkeypatch.setenv(f"KYARA_{name}", text)
    assert make_config(Settings.read())[name] == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("REPORT_VOTE", "maybe", "true or false; received 'maybe'"),
        ("REPORT_VOTE", "y", "true or false; received 'y'"),
        ("SESSION_COOKIE_SECURE", "2", "true or false; received '2'"),
        ("MAX_CONTENT_LENGTH", "8M", "a whole number from 1024 to 1073741824; received '8M'"),
        ("TRUSTED_PROXIES", "-1", "a whole number from 0 to 16; received '-1'"),
        ("TRUSTED_PROXIES", "abc", "a whole number from 0 to 16; received 'abc'"),
        ("MAX_QUEUED", "-1", "a whole number from 0 to 10000; received '-1'"),
        ("MAX_RUNNING", "two", "a whole number from 0 to 1000; received 'two'"),
        ("REQUEST_DEADLINE_S", "nan", "a number above 0, at most 600; received 'nan'"),
        ("HSTS_SECONDS", "1.5", "a whole number from 0 to 315360000"),
        ("REPORT_QUOTA_BYTES", "2 GB", "a whole number from 0 to 1152921504606846976; received '2 GB'"),
        ("LOG_FORMAT", "xml", "one of text, json; received 'xml'"),
        ("METRICS", "everyone", "one of loopback, off; received 'everyone'"),
        ("METRICS_TOKEN", "short", "is weak: it needs at least 16 characters"),
        ("METRICS_TOKEN", "ababababababababab", "is weak: it needs at least 8 different"),
        ("METRICS_TOKEN", "my-secret-metrics-token", "is weak: it holds 'secret'"),
        ("OPERATOR_TOKEN", "short", "at least 16 ASCII characters"),
        ("SECRET_KEY", "change-me-" * 5, "is weak"),
        ("RATE_LIMITS", "identify", "cannot be understood at 'identify'"),
        ("CORS_ORIGINS", "fans.example", "cannot be understood at 'fans.example'"),
    ],
)
def test_nonsense_is_refused_with_its_name_and_what_was_received(monkeypatch, name, text, words):
    monkeypatch.setenv(f"KYARA_{name}", text)
    with pytest.raises(BadInputError) as refused:
        Settings.read()
    sentence = str(refused.value)
    assert sentence.startswith(f"KYARA_{name} ")
    assert words in sentence
    found = CHECKS["settings"]({})
    assert (found.state, found.found) == ("problem", sentence)
    assert make_config(Settings.read_sound())[name] == DEFAULTS[name]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PORT", "65536", "a whole number from 0 to 65535; received '65536'"),
        ("PORT", "http", "received 'http'"),
        ("PORT", "6000", "6000, at which no browser opens a page: take another, such as 5000."),
        ("PORT", "5061", "5061, at which no browser opens a page: take another, such as 5000."),
        ("THREADS", "0", "a whole number from 1 to 1000; received '0'"),
        ("DRAIN_S", "-1", "a number from 0 to 600; received '-1'"),
    ],
)
def test_the_server_starts_only_with_settings_that_make_sense(monkeypatch, name, text, words):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadInputError, match=f"^{name} is .*{words}"):
        ServerSettings.read()


def test_serve_refuses_in_one_sentence_without_a_traceback():
    done = run_kyara("serve", check=False, KYARA_TRUSTED_PROXIES="abc")
    assert done.returncode == 1
    assert done.stderr == (
        "kyara: KYARA_TRUSTED_PROXIES is a whole number from 0 to 16; received 'abc'.\n"
    )


@pytest.mark.parametrize("arguments", [("kyara", "serve", "--port", "6000"), ("gunicorn",)])
def test_a_port_that_no_browser_opens_is_refused_in_one_sentence(arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "PORT": "6000"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    sentence = "PORT is 6000, at which no browser opens a page: take another, such as 5000.\n"
    assert done.stderr.removeprefix("kyara: ") == sentence


def test_the_application_refuses_what_the_settings_refuse(monkeypatch):
    monkeypatch.setenv("KYARA_TRUSTED_PROXIES", "-1")
    with pytest.raises(BadInputError, match="KYARA_TRUSTED_PROXIES"):
        create_app()


def test_a_setting_of_a_library_cannot_be_changed_from_outside(monkeypatch, app):
    for name, text in (("WTF_CSRF_METHODS", "[]"), ("WTF_CSRF_ENABLED", "false"), ("TESTING", "1")):
        monkeypatch.setenv(f"KYARA_{name}", text)
    fresh = create_app({**DEFAULTS, **{name: app.config[name] for name in DEFAULTS}})
    assert fresh.config["WTF_CSRF_METHODS"] == {"POST", "PUT", "PATCH", "DELETE"}
    assert fresh.config["WTF_CSRF_ENABLED"] is True and fresh.config["TESTING"] is False
    fresh.extensions["kyara_review"].close()


def read_table() -> dict[str, str]:
    """Return variable -> default as the table of docs/operating.md has them."""
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \| (.+?) \| .+ \|$", OPERATING, re.MULTILINE)
    table: dict[str, str] = {}
    for names, defaults in rows:
        found = re.findall(r"[A-Z_]+", names)
        values = defaults.split(", ") if len(found) > 1 else [defaults]
        values = values if len(values) == len(found) else [defaults] * len(found)
        table |= dict(zip(found, values, strict=True))
    return table


def test_the_documents_have_every_setting_with_its_default_and_no_other():
    table = read_table()
    ours = {Settings.name_variable(name): field for name, field in Settings.model_fields.items()}
    ours |= {
        ServerSettings.name_variable(name): one for name, one in ServerSettings.model_fields.items()
    }
    assert table.keys() == {*ours, "KYARA_HOME"}
    for variable, field in ours.items():
        if isinstance(field.default, bool | int | float) or field.annotation is not str:
            told = table[variable].strip("`")
            default = str(field.default).lower().replace(f"{ROOT}/", "")
            assert told.rstrip("/") == default, variable


def test_every_setting_has_a_sentence():
    for settings in (Settings, ServerSettings):
        for name, field in settings.model_fields.items():
            assert field.description and field.description.endswith("."), name
