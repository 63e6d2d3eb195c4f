"""The page as the server sends it: languages, headers, and sentences for every language."""

from __future__ import annotations

import gzip
import io
import json
import re
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
from apiflask import APIFlask
from app_fixtures import MakeApp
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

from kyara.recognition.bundle import View
from kyara.vision.languages import LANGUAGES

ROOT = Path(__file__).resolve().parents[3]
CATALOGS = sorted((ROOT / "translations").glob("*/LC_MESSAGES/messages.po"))
METHODS = [("kyara/web/**.py", "python"), ("templates/**.html", "jinja2")]


def read_settings(page: str) -> dict:
    """Return the JSON block that scripts read."""
    found = re.search(
        r'<script type="application/json" id="page-settings"[^>]*>(.*?)</script>', page, re.S
    )
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("en-GB,en;q=0.9", "en"),
        ("ja,en;q=0.5", "ja"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-TW", "zh-Hans"),
        ("fr-FR,ja;q=0.5", "ja"),
        ("fr", "en"),
        ("", "en"),
        ("\u00ff;;q=x", "en"),
    ],
)
def test_the_page_speaks_the_browsers_language(client: FlaskClient, header: str, lang: str) -> None:
    response = client.get("/", headers={"Accept-Language": header})
    assert response.status_code == 200
    assert f'<html lang="{lang}">' in response.text
    assert {"Accept-Language", "Cookie"} <= {
        name.strip() for name in response.headers["Vary"].split(",")
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_wins_over_the_browser(client: FlaskClient, language: str) -> None:
    switched = client.get(f"/?lang={language}")
    assert switched.status_code == 303
    assert switched.headers["Location"] == "/"
    assert "HttpOnly" in switched.headers["Set-Cookie"]
    page = client.get("/", headers={"Accept-Language": "fr"}).text
    assert read_settings(page)["language"] == language


@pytest.mark.parametrize("language", ["", "fr", "../../etc", "<b>x</b>", "zh_Hans"])
def test_an_unknown_language_changes_nothing(client: FlaskClient, language: str) -> None:
    response = client.get("/", query_string={"lang": language})
    assert response.status_code == 303
    assert "Set-Cookie" not in response.headers


def test_the_page_is_compressed_where_the_browser_takes_it(client: FlaskClient) -> None:
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    packed = client.get("/", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert len(packed.data) < len(plain.data) / 2
    unpacked = gzip.decompress(packed.data).decode()
    assert read_settings(unpacked) == read_settings(plain.text)


def test_nothing_on_the_page_comes_from_elsewhere(client: FlaskClient) -> None:
    response = client.get("/")
    assert not re.search(r'(?:src|href)="(?:https?:)?//', response.text)
    assert not re.search(r"\son\w+=", response.text)
    assert not re.search(r"\sstyle=", response.text)
    for script in re.findall(r"<script[^>]*>(.*?)</script>", response.text, re.S):
        assert not script.strip() or script.lstrip().startswith("{")
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]


def test_every_file_of_the_page_is_there(client: FlaskClient) -> None:
    page = client.get("/").text
    urls = set(re.findall(r'(?:src|href)="(/(?:static|bootstrap)/[^"]+)"', page))
    urls |= {url for url in read_settings(page)["urls"].values() if url}  # no face network, no address
    kinds = {url.rpartition(".")[2] for url in urls}
    assert {"css", "js", "json", "png", "svg", "wasm", "xml"} <= kinds
    for url in urls:
        with client.get(url) as response:
            assert response.status_code == 200, url


def test_every_message_that_scripts_say_is_there(client: FlaskClient) -> None:
    messages = read_settings(client.get("/").text)["messages"]
    scripts = [path for path in (ROOT / "static" / "js").rglob("*.js") if path.parent.name != "operator"]
    code = "".join(path.read_text(encoding="utf-8") for path in scripts)
    said = set(re.findall(r'\bsay\("(\w+)"', code))
    chosen = set(re.findall(r'\bsay\([^()]*\? "(\w+)" : "(\w+)"', code))
    said |= {key for pair in chosen for key in pair}
    stems = {key.removesuffix("_one").removesuffix("_other") for key in messages}
    assert said == stems


def test_every_language_but_english_has_translations() -> None:
    locales = {language.locale for language in LANGUAGES.values()} - {"en"}
    assert {path.parent.parent.name for path in CATALOGS} == locales


def test_languages_are_listed_in_one_place() -> None:
    sources = {path for name in ("kyara", "templates") for path in (ROOT / name).rglob("*.*")}
    allowed = {ROOT / "kyara/vision/languages.py", ROOT / "kyara/web/operator/label_answers.py"}
    for path in sources - allowed:
        if path.suffix in (".py", ".html"):
            assert not re.search(r"[\"']zh", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parent.parent.name)
def test_translations_are_complete_and_compiled(path: Path) -> None:
    found = extract_from_dir(ROOT, METHODS)
    wanted = {message for _, _, message, _, _ in found if isinstance(message, str)}
    catalog = read_po(io.BytesIO(path.read_bytes()))
    translated = {message.id: message.string for message in catalog if message.id}
    assert not [message.id for message in catalog if message.fuzzy and message.id]
    assert set(translated) == wanted, "run `make translations`"
    compiled = read_mo(io.BytesIO(path.with_suffix(".mo").read_bytes()))
    assert {message.id: message.string for message in compiled if message.id} == translated
    for original, translation in translated.items():
        assert isinstance(original, str)
        assert isinstance(translation, str)
        assert translation, f"no translation of {original!r}"
        holes = re.compile(r"\{\w+\}|%\(\w+\)s")
        assert set(holes.findall(translation)) == set(holes.findall(original)), original


@pytest.mark.parametrize(
    ("input_px", "insets", "crop_px"),
    [(75, (0.0,), 256), (128, (0.0, 0.12), 256), (224, (0.0,), 336), (299, (0.0, 0.12), 512)],
)
def test_pages_send_crops_as_large_as_the_model_needs(
    app: APIFlask, input_px: int, insets: tuple[float, ...], crop_px: int
) -> None:
    queue = app.extensions["kyara_model"]
    other = copy(queue.classifier)
    views = tuple(View(inset) for inset in insets)
    preprocessing = replace(other.bundle.preprocessing, input_px=input_px, views=views)
    other.bundle = replace(other.bundle, preprocessing=preprocessing)
    queue.serve(other)
    assert read_settings(app.test_client().get("/").text)["crop_px"] == crop_px


def test_without_a_model_pages_send_large_crops(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(MODEL_FOLDER=str(tmp_path))
    assert read_settings(app.test_client().get("/").text)["crop_px"] == 512
