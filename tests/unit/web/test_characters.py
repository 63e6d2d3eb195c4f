"""The list of who is known: by work, by search, one by one, in three languages, without a script."""

from __future__ import annotations

import re
import threading
from html import unescape
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from app_fixtures import MakeApp
from crowded_model import CROWD, MAL_ID, NAMED
from drawings import LABELS, draw_face
from flask.testing import FlaskClient
from hostile import as_url
from strangers import NEW, STRANGERS

from kyara.recognition.characters import Character
from kyara.vision.images import encode_png
from kyara.vision.languages import LANGUAGES
from kyara.web.public.characters import PAGE_CHARACTERS

KNOWN = len(LABELS) + len(NAMED) + CROWD
TOKEN = "correct-horse-battery"


@pytest.fixture
def client(make_app: MakeApp, crowded_models: Path) -> FlaskClient:
    return make_app(MODEL_FOLDER=str(crowded_models), OPERATOR_TOKEN=TOKEN).test_client()


def read(client: FlaskClient, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    return unescape(answer.text)


def list_names(page: str) -> list[str]:
    return re.findall(r'<a class="fw-semibold" href="[^"]+">([^\n]+)</a>', page)


def test_the_first_page_and_the_list_say_who_is_known(client):
    sentence = f"Kyara knows {KNOWN} characters of 5 works."
    assert f'<a href="/characters">{sentence}</a>' in read(client, "/")
    assert sentence in read(client, "/characters")


def test_works_are_listed_the_largest_first_with_addresses_of_their_own(client):
    page = read(client, "/characters")
    names = list_names(page)
    assert names[0] == "The Crowd"
    assert names[-1] == "Work not known"
    assert {"VOCALOID", "KanColle", "Princess Connect! Re:Dive", "The Drawn Four"} < set(names)
    assert "公主连结Re:Dive" in page
    for path in re.findall(r'href="(/characters/[^"]+)"', page):
        assert "<h1" in read(client, path)


def test_a_work_shows_its_characters_page_by_page(client):
    seen: list[str] = []
    path: str | None = "/characters/the-crowd"
    for _ in range(-(-CROWD // PAGE_CHARACTERS)):
        assert path
        page = read(client, path)
        assert len(list_names(page)) <= PAGE_CHARACTERS
        seen += list_names(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1] if following else None
    assert path is None
    assert seen == [f"Extra {number:03}" for number in range(CROWD)]
    assert f"{CROWD} characters" in read(client, "/characters/the-crowd?page=99")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Miku Hatsune", "Hatsune Miku"),
        ("みく", "Hatsune Miku"),
        ("vocaloid miku", "Hatsune Miku"),
        ("凱露", "Karyl"),
        ("kailu", "Karyl"),
        ("しぐれ", "Shigure"),
        ("kancolle", "Shigure"),
        ("めがね", "Ao Glasses"),
        ("ribbon aka", "Aka Ribbon"),
    ],
)
def test_search_finds_what_the_api_finds_too(client, query, name):
    page = read(client, f"/characters?q={quote(query)}")
    assert name in list_names(page)
    assert f'value="{query}"' in page
    found = client.get("/api/characters", query_string={"query": query, "language": "en"}).json
    assert [entry["name"] for entry in found["characters"]] == [
        one for one in list_names(page) if one not in ("VOCALOID", "KanColle")
    ]


def test_works_that_are_meant_stand_above_the_characters(client):
    names = list_names(read(client, "/characters?q=crowd"))
    assert names[:2] == ["The Crowd", "Extra 000"]
    second = read(client, "/characters?q=crowd&page=2")
    assert list_names(second)[0] == f"Extra {PAGE_CHARACTERS:03}"


def test_a_search_without_success_says_so_and_repeats_what_was_typed(client):
    answer = client.get("/characters", query_string={"q": '<i>"nobody'})
    assert "Kyara knows nobody called “&lt;i&gt;&#34;nobody”." in answer.text
    assert "<i>" not in answer.text


def test_a_character_has_a_page_with_names_work_references_and_a_link(client):
    page = read(client, "/character/hatsune_miku")
    for told in ("Hatsune Miku", "初音ミク", "初音未来", "VOCALOID", "2 reference faces"):
        assert told in page
    link = re.search(r'<a [^>]*href="https://myanimelist.net/character/7156"[^>]*>', page)
    assert link
    assert 'rel="noopener noreferrer"' in link[0]
    assert 'href="/characters/vocaloid"' in page
    assert "myanimelist" not in read(client, "/character/princess_connect_redive/kyaru")
    assert '<h1 class="h3">キャル</h1>' in read(client, "/character/princess_connect_redive/kyaru", "ja")


def test_names_are_text_and_never_markup(client):
    for path in ("/characters/-", "/character/unknown_work/stranger_mal12", "/characters?q=stranger"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "&lt;b&gt;Stranger&lt;/b&gt; &amp; Co." in answer.text
        assert "<b>Stranger" not in answer.text


@pytest.mark.parametrize("path", ["/characters", "/characters?q=miku&page=1", "/character/hatsune_miku"])
def test_the_language_switch_shows_the_same_page(client, path):
    page = read(client, path)
    (link,) = re.findall(r'href="([^"]+)" hreflang="ja"', page)
    switched = client.get(link)
    assert switched.status_code == 303
    assert "language=ja" in switched.headers["Set-Cookie"]
    target = switched.headers["Location"]
    assert target.split("?")[0] == path.split("?")[0]
    assert ("q=miku" in target) == ("q=miku" in path)
    assert switched.headers["Cache-Control"] == "no-store"
    assert '<html lang="ja">' in read(client, target, "fr")


def test_the_switch_leads_nowhere_else(client):
    for query in ("lang=//evil.example", "lang=ja&q=//evil.example", "lang="):
        answer = client.get(f"/characters?{query}")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/characters")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/characters/nothing", 404),
        ("/character/nobody", 404),
        ("/character/", 404),
        ("/characters?page=0", 422),
        ("/characters?page=x", 422),
        ("/characters?q=" + "a" * 101, 422),
        ("/characters/the-crowd?page=100001", 422),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_told_on_a_page(client, path, status):
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert "<h1" in answer.text


def test_somebody_who_was_taught_is_in_the_list_at_once(client):
    assert "Stripes" not in read(client, "/characters?q=stripes").split("<main")[1].split("value=")[0]
    lesson = {
        "label": NEW,
        "name": {"en": "Stripes", "ja": "しましま"},
        "work": "Drawn",
        "crops": [as_url(encode_png(crop)) for crop in STRANGERS[:2]],
    }
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/api/gallery", json=lesson, headers=headers).status_code == 201
    assert list_names(read(client, "/characters?q=シマシマ")) == ["Stripes"]
    assert f"Kyara knows {KNOWN + 1} characters of 6 works." in read(client, "/")
    assert "2 reference faces" in read(client, f"/character/{NEW}")
    assert client.delete(f"/api/gallery/{NEW}", headers=headers).status_code == 200
    assert client.get(f"/character/{NEW}").status_code == 404


def test_answers_tell_where_more_is_told_of_the_character(client):
    drawn = np.asarray(draw_face(0, np.random.default_rng(1)).convert("RGB"))
    crop = as_url(encode_png(drawn))
    (face,) = client.post("/api/identify", json={"crops": [crop], "top_k": 50}).json["faces"]
    urls = {answer["label"]: answer["url"] for answer in face["answers"]}
    assert urls["aka_ribbon"].startswith("https://myanimelist.net/character/")
    assert int(urls["aka_ribbon"].rpartition("/")[2]) - MAL_ID in range(len(LABELS))
    assert None in urls.values()


def test_without_a_model_the_first_page_counts_nobody(make_app, tmp_path):
    (tmp_path / "model").mkdir()
    client = make_app(MODEL_FOLDER=str(tmp_path / "model")).test_client()
    assert 'href="/characters">Kyara knows' not in client.get("/").text
    answer = client.get("/characters", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "<h1" in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_of_the_list_is_in_the_readers_language_and_asked_for_again(client, language):
    for path in ("/characters", "/characters?q=a", "/characters/vocaloid", "/character/hatsune_miku"):
        answer = client.get(path, headers={"Accept-Language": language})
        assert f'<html lang="{LANGUAGES[language].tag}">' in answer.text
        assert answer.text.count("<h1") == 1
        assert answer.headers["Cache-Control"] == "no-cache"
        assert {"Accept-Language", "Cookie"} <= set(answer.headers["Vary"].split(", "))
        assert not re.search(r"\s(?:style|on\w+)=", answer.text)
        assert len(answer.data) < 200_000


def test_nobodys_search_waits_for_names_that_could_be_spelled_out_before(make_app, monkeypatch):
    monkeypatch.setattr("kyara.web.serving.model_watch.NAMES_AFTER_S", 0)
    others = threading.enumerate()
    client = make_app().test_client()
    for thread in set(threading.enumerate()).difference(others):
        if thread.name == "names":
            thread.join()
    monkeypatch.delattr("kyara.recognition.characters.spell")
    with pytest.raises(NameError):
        _ = Character("some_one", {}, {}).spellings
    found = client.get("/api/characters?query=aka").json["characters"]
    assert LABELS[0] in [one["label"] for one in found]
    assert "Aka Ribbon" in read(client, "/characters?q=aka")
