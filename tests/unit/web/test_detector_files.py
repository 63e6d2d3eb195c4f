"""The face network as the page gets it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kyara.training.recipes.detector.looks import LOOKS
from kyara.vision.detector_bundle import write_detector_bundle

NETWORK = b"the bytes of a network"
DATA: dict[str, Any] = {
    "settings": {**LOOKS, "tells_eyes": False},
    "thresholds": [0.5, 0.3],
    "default_level": 1,
    "provenance": {},
}


def read_urls(client: FlaskClient) -> dict[str, str]:
    found = re.search(r'id="page-settings"[^>]*>(.*?)</script>', client.get("/").text)
    assert found
    return json.loads(found[1])["urls"]


@pytest.fixture
def models(app: Flask, tmp_path: Path) -> Path:
    """A model folder with a face network that is the default."""
    write_detector_bundle(tmp_path / "detector-a", NETWORK, DATA)
    (tmp_path / "detector.json").write_text('{"serving": "detector-a", "default": "network"}')
    app.config["MODEL_FOLDER"] = str(tmp_path)
    return tmp_path


def test_the_page_gets_the_network_under_an_address_of_its_version(client, models):
    urls = read_urls(client)
    answer = client.get(urls["network"])
    assert (answer.status_code, answer.data) == (200, NETWORK)
    assert "immutable" in answer.headers["Cache-Control"]
    settings = client.get(urls["networkSettings"]).get_json()
    assert settings == {key: DATA[key] for key in ("settings", "thresholds", "default_level")}


@pytest.mark.parametrize(
    ("accepted", "coding"), [("gzip, br", "gzip"), ("br", None), ("gzip;q=0", None), ("identity", None)]
)
def test_a_network_is_compressed_for_who_takes_that(client, models, accepted, coding):
    answer = client.get(read_urls(client)["network"], headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == coding
    assert (gzip.decompress(answer.data) if coding else answer.data) == NETWORK
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_bundle_with_eyes_has_an_address_for_them(client, models):
    assert read_urls(client)["networkEyes"] == ""
    version = read_urls(client)["network"].split("/")[2]
    assert client.get(f"/detector/{version}/eyes.tflite").status_code == 404
    looks = {"side_px": 64, "margin": 1.5, "most_error": 0.05, "from_deg": 20}
    data = DATA | {"settings": DATA["settings"] | {"eyes": looks}}
    write_detector_bundle(models / "detector-b", NETWORK, data, b"the bytes of another")
    (models / "detector.json").write_text('{"serving": "detector-b", "default": "network"}')
    urls = read_urls(client)
    answer = client.get(urls["networkEyes"])
    assert (answer.status_code, answer.data) == (200, b"the bytes of another")
    assert "immutable" in answer.headers["Cache-Control"]
    told = client.get(urls["networkSettings"]).get_json()["settings"]["eyes"]
    assert {key: told[key] for key in looks} == looks


def test_another_version_is_not_there(client, models):
    other = re.sub(r"/detector/\w+/", "/detector/000000000000/", read_urls(client)["network"])
    assert client.get(other).status_code == 404


@pytest.mark.parametrize("content", [None, '{"serving": "detector-a", "default": "cascade"}', "half {"])
def test_without_a_default_network_the_page_is_told_of_none(client, models, content):
    place = models / "detector.json"
    place.unlink() if content is None else place.write_text(content)
    urls = read_urls(client)
    assert (urls["network"], urls["networkSettings"], urls["networkEyes"]) == ("", "", "")


def test_a_damaged_network_is_not_handed_out(client, models):
    (models / "detector-a" / "detector.tflite").write_bytes(b"damaged")
    assert read_urls(client)["network"] == ""
    assert client.get("/detector/000000000000/network.tflite").status_code == 404
