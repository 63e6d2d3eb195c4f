"""What makes the site installable, and the scripts with an address of their own."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from kyara.vision.languages import LANGUAGES


@pytest.mark.parametrize("path", ["/service-worker.js", "/address-worker.js"])
def test_a_workers_script_is_asked_for_anew_each_time(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert answer.status_code == 200
        assert answer.mimetype == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
        tag = answer.headers["ETag"]
        policy = answer.headers["Content-Security-Policy"]
    with client.get(path, headers={"If-None-Match": tag}) as again:
        assert again.status_code == 304
        assert again.headers["Content-Security-Policy"] == policy


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_offline_page_needs_no_other_file(client: FlaskClient, language: str) -> None:
    client.get(f"/?lang={language}")
    answer = client.get("/offline")
    assert answer.status_code == 200
    assert f'<html lang="{LANGUAGES[language].tag}">' in answer.text
    assert re.findall(r'(?:src|href)="([^"]*)"', answer.text) == ["/"]
    assert re.search(r'<style nonce="[\w-]{20,}">', answer.text)


def test_the_manifest_starts_at_the_page_and_takes_pictures(client: FlaskClient) -> None:
    answer = client.get("/manifest.webmanifest")
    assert answer.mimetype == "application/manifest+json"
    manifest = answer.get_json(force=True)
    assert manifest["start_url"] == manifest["scope"] == "/"
    target = manifest["share_target"]
    assert (target["action"], target["method"]) == ("/share", "POST")
    assert target["params"]["files"][0]["accept"] == ["image/*", "video/*"]


def test_without_its_service_worker_nothing_is_taken_from_share(client: FlaskClient) -> None:
    answer = client.post("/share", data={"pictures": "x"}, headers={"Accept": "text/html"})
    assert answer.status_code == 404
