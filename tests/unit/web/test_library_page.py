"""The operators' page of the library over HTTP: what it finds, shows, writes down and refuses."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawings import draw_face
from encoding import encode_image
from hostile import as_url
from named_library import AKA, AO, KIIRO, MIDORI, PICTURES, write_named
from operators import OperatorClient, log_in, make_operator
from PIL import Image
from sqlalchemy import update

from kyara.dataset.library.opening import open_library
from kyara.dataset.library.tables import FaceRow, PictureRow
from kyara.recognition.classifier import Classifier
from kyara.web.operator.library import MOST_CHARACTERS, PAGE_PICTURES, turns
from kyara.web.operator.sought import read_sought, write_sought

PATH = "/operator/library"


@pytest.fixture
def place(tiny_classifier: Classifier, tmp_path: Path) -> str:
    return write_named(tmp_path / "scanned", tiny_classifier)


def search(client: OperatorClient, query: str = "") -> Any:
    return client.get(f"{PATH}/search?{query}").json


def names(found: Any) -> list[str]:
    return [picture["file"].removesuffix(".png") for picture in found["pictures"]]


def draw_crop(character: int) -> str:
    return as_url(encode_image(draw_face(character, np.random.default_rng(3)), "PNG"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"who={AKA}", ["aka", "both", "aka-faint"]),
        ("who=Aka+Ribbon", ["aka", "both", "aka-faint"]),
        (f"who={AKA}&least=0.9", ["aka", "both"]),
        (f"who={AKA}&who={AO}", ["both"]),
        (f"who={AKA}&who={KIIRO}", []),
        ("work=star", ["kiiro"]),
        ("work=drawn+four&least=0.95", ["aka", "ao"]),
        ("least=0.8", ["aka", "ao", "both", "kiiro"]),
        ("", [name.removesuffix(".png") for name in sorted(PICTURES)]),
    ],
)
def test_pictures_are_found_the_surest_first(rin, query, expected):
    found = search(rin, query)
    assert names(found) == expected
    assert (found["total"], found["page"], found["pages"]) == (len(expected), 1, 1)


def test_a_picture_is_told_with_its_faces_and_who_of_them_is_meant(rin, tmp_path):
    found = search(rin, f"who={AO}&who={AKA}")
    assert [one["name"] for one in found["characters"]] == ["Ao Glasses", "Aka Ribbon"]
    (picture,) = search(rin, f"who={AO}&least=0.7&work=drawn")["pictures"][1:]
    assert picture["path"] == str(tmp_path / "scanned" / "pictures" / "both.png")
    assert (picture["width"], picture["height"], picture["measure"]) == (192, 96, 0.7)
    left, right = picture["faces"]
    assert (left["box"], left["name"], left["confidence"]) == ([0, 0, 96, 96], "Aka Ribbon", 0.9)
    assert (right["box"], right["meant"], right["status"]) == ([96, 0, 96, 96], True, "known")
    assert found["head"] == {"step": 0, "undo": None, "redo": None}


def test_names_are_in_the_readers_language(site, rin):
    rin.client.set_cookie("language", "ja", path="/")
    (picture,) = search(rin, f"who={KIIRO}")["pictures"]
    assert picture["faces"][0]["name"] == "kiiro_starさん"
    answer = rin.get(f"{PATH}/search?who=nobody")
    assert (answer.status_code, "nobody" in answer.json["detail"]) == (404, True)


def test_pages_follow_each_other_and_past_the_end_there_is_nothing(make_app, tiny_classifier, tmp_path):
    app = make_app(LIBRARY=write_named(tmp_path / "large", tiny_classifier, more=PAGE_PICTURES))
    make_operator(app, "rin")
    rin = log_in(app, "rin")
    first, second, third = (search(rin, f"page={page}") for page in (1, 2, 3))
    assert (len(first["pictures"]), len(second["pictures"]), third["pictures"]) == (60, 7, [])
    assert (first["pages"], second["first"], third["total"]) == (2, 61, 67)
    assert not set(names(first)) & set(names(second))
    face = first["pictures"][0]["faces"][0]["id"]
    near = [search(rin, f"face={face}&page={page}") for page in (1, 2)]
    assert [len(found["pictures"]) for found in near] == [60, 6]  # one picture has no face
    assert near[1]["total"] == 66


def test_a_face_is_sought_by_its_crop_and_by_its_number(rin):
    like = rin.post(f"{PATH}/like", crop=draw_crop(1)).json["like"]
    found = search(rin, f"like={like}")
    assert set(names(found)[:2]) == {"ao", "both"}
    both = next(picture for picture in found["pictures"] if picture["file"] == "both.png")
    assert [face["meant"] for face in both["faces"]] == [False, True]
    measures = [picture["measure"] for picture in found["pictures"]]
    assert measures == sorted(measures, reverse=True)
    assert len(measures) == len([faces for faces in PICTURES.values() if faces])
    own = both["faces"][1]["id"]
    same = search(rin, f"face={own}")
    assert (names(same)[0], round(same["pictures"][0]["measure"], 2)) == ("both", 1.0)


def test_the_text_of_a_face_holds_its_embedding():
    embedding = np.random.default_rng(1).normal(size=512).astype(np.float32)
    text = write_sought(embedding, "0123456789abcdef")
    read = read_sought(text, "0123456789abcdef", 512)
    cosine = read @ embedding / np.linalg.norm(read) / np.linalg.norm(embedding)
    assert cosine > 0.9999
    assert len(text) < 700


def test_faces_of_another_network_are_told(rin, place):
    like = rin.post(f"{PATH}/like", crop=draw_crop(1)).json["like"]
    other = f"ffffffff.{like.partition('.')[2]}"
    assert "Another model" in rin.get(f"{PATH}/search?like={other}").json["detail"]
    with open_library(place) as engine, engine.begin() as connection:
        connection.execute(update(FaceRow).values(network="another"))
    answer = rin.get(f"{PATH}/search?like={like}")
    assert (answer.status_code, "another network" in answer.json["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("who=nobody", 404, "Nobody in this library is called “nobody”"),
        (f"who={AKA}&face=1", 400, "not for both at once"),
        ("like=5ba9313d.AAAA&least=0.5", 400, "not for both at once"),
        ("like=cut", 400, "Another model"),
        ("like=", 200, ""),
        ("face=999", 404, "no such face"),
        ("face=0", 422, "Validation error"),
        ("page=0", 422, "Validation error"),
        ("least=1.1", 422, "Validation error"),
        ("who=", 422, "Validation error"),
        (f"work={'x' * 101}", 422, "Validation error"),
        ("&".join([f"who={AKA}"] * (MOST_CHARACTERS + 1)), 422, "Validation error"),
    ],
)
def test_what_cannot_be_sought_is_told_in_a_sentence(rin, query, status, sentence):
    answer = rin.get(f"{PATH}/search?{query}")
    assert answer.status_code == status, answer.text
    assert sentence in str(answer.json)


@pytest.mark.parametrize("text", ["", ".", "{fp}.", "{fp}.A", "{fp}.AAAA", "{fp}.!!!!", "{fp}.\u7433"])
def test_a_face_in_an_address_that_is_damaged_is_refused(rin, site, text):
    network = site.extensions["kyara_model"].classifier.backbone.fingerprint
    query = {"like": text.replace("{fp}", network[:8]) or "x"}
    answer = rin.get(f"{PATH}/search", query_string=query)
    assert (answer.status_code, "drop the picture again" in answer.json["detail"]) == (400, True)


def test_a_face_of_another_length_is_refused(rin, site):
    network = site.extensions["kyara_model"].classifier.backbone.fingerprint
    answer = rin.get(f"{PATH}/search", query_string={"like": write_sought(np.ones(3), network)})
    assert (answer.status_code, "drop the picture again" in answer.json["detail"]) == (400, True)


def test_so_many_searches_by_a_face_wait_and_no_more(rin, site):
    with site.app_context():
        deadline = site.extensions["kyara_model"].find_deadline()
    with turns.hold(deadline):
        places = turns.count().places
        turns._places = 1  # all are taken
        try:
            answer = rin.get(f"{PATH}/search?face=1")
        finally:
            turns._places = places
    assert (answer.status_code, answer.headers["Retry-After"] > "0") == (503, True)


def test_the_page_tells_who_is_in_the_library(rin):
    assert 'href="/operator/library"' in rin.page(PATH)
    told = rin.get(f"{PATH}/overview").json
    assert (told["pictures"], told["faces"], told["known"], told["unknown"]) == (7, 7, 5, 1)
    assert told["frequent"][0] == {"label": AKA, "name": "Aka Ribbon", "pictures": 3}
    assert told["works"] == ["Star Tales", "The Drawn Four"]
    found = rin.get(f"{PATH}/characters?query=gla").json["characters"]
    assert found == [{"label": AO, "name": "Ao Glasses", "work": "The Drawn Four"}]
    assert MIDORI not in str(
        rin.get(f"{PATH}/characters?query=").json
    )  # known to the model, in no picture


def test_a_small_copy_of_a_picture_is_sent_once_and_kept_by_the_browser(rin):
    picture = search(rin, f"who={AKA}&who={AO}")["pictures"][0]["id"]
    answer = rin.get(f"{PATH}/pictures/{picture}")
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(answer.data)).size == (192, 96)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    tag = answer.headers["ETag"]
    again = rin.client.get(f"{PATH}/pictures/{picture}", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    large = rin.client.get(f"{PATH}/pictures/{picture}?size=large", headers={"If-None-Match": tag})
    assert large.status_code == 200
    rin.client.post("/operator/logout", data={"csrf_token": rin.token})
    after = rin.client.get(
        f"{PATH}/pictures/{picture}", headers={"If-None-Match": tag, "Accept": "image/*"}
    )
    assert (after.status_code, after.headers["Cache-Control"]) == (401, "no-store")


def test_a_large_picture_is_shrunk(rin, place, tmp_path):
    path = tmp_path / "scanned" / "pictures" / "plain.png"
    Image.new("RGB", (4800, 960), "#246").save(path)
    note(place, path)
    picture = next(one for one in search(rin)["pictures"] if one["file"] == "plain.png")["id"]
    sizes = {}
    for size in ("small", "large"):
        answer = rin.get(f"{PATH}/pictures/{picture}?size={size}")
        sizes[size] = Image.open(io.BytesIO(answer.data)).size
    assert sizes == {"small": (320, 64), "large": (1600, 320)}


def note(place: str, path: Path) -> None:
    """Write down how a file is now, as a scan would."""
    found = path.stat()
    values = {"size": found.st_size, "mtime_ns": found.st_mtime_ns}
    with open_library(place) as engine, engine.begin() as connection:
        connection.execute(update(PictureRow).where(PictureRow.path == path.name).values(values))


def test_a_picture_that_is_gone_has_changed_or_is_none_is_not_sent(rin, place, tmp_path):
    folder = tmp_path / "scanned" / "pictures"
    numbers = {one["file"]: one["id"] for one in search(rin)["pictures"]}
    (folder / "aka.png").unlink()
    (folder / "ao.png").write_bytes((folder / "kiiro.png").read_bytes())
    (folder / "both.png").unlink()
    os.mkfifo(folder / "both.png")
    (folder / "plain.png").write_text("no picture")
    note(place, folder / "plain.png")
    with open_library(place) as engine, engine.begin() as connection:
        row = update(PictureRow).where(PictureRow.path == "stranger.png")
        connection.execute(row.values(path=os.path.relpath("/etc/passwd", folder)))
    for name, sentence in {
        "aka.png": "No such file",
        "ao.png": "has changed since it was scanned",
        "both.png": "has changed since it was scanned",
        "plain.png": "not a picture",
        "stranger.png": "has changed since it was scanned",
    }.items():
        answer = rin.get(f"{PATH}/pictures/{numbers[name]}")
        assert answer.status_code in (404, 415), name
        assert sentence in answer.json["detail"], name
        assert answer.headers["Cache-Control"] == "no-store"
    for path in ("999", "../../etc/passwd", f"{numbers['kiiro.png']}/..%2f..", "kiiro.png"):
        assert rin.get(f"{PATH}/pictures/{path}").status_code == 404
    assert rin.get(f"{PATH}/pictures/{numbers['kiiro.png']}?size=99999").status_code == 422


def test_a_list_of_chosen_pictures_is_csv_or_json(rin, tmp_path):
    numbers = {one["file"]: one["id"] for one in search(rin)["pictures"]}
    chosen = [numbers[name] for name in ("plain.png", "both.png")]
    answer = rin.post(f"{PATH}/list", pictures=[*chosen, 999], format="csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=kyara-library.csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(Path(row["picture"]).name, row["name"]) for row in rows] == [
        ("plain.png", ""),
        ("both.png", "Aka Ribbon"),
        ("both.png", "Ao Glasses"),
    ]
    assert rows[1]["picture"] == str(tmp_path / "scanned" / "pictures" / "both.png")
    answer = rin.post(f"{PATH}/list", pictures=chosen, format="json")
    document = json.loads(answer.text)
    assert [len(picture["faces"]) for picture in document["pictures"]] == [0, 2]
    assert document["pictures"][1]["faces"][0]["label"] == AKA
    assert rin.post(f"{PATH}/list", pictures=[999], format="csv").status_code == 404
    assert rin.post(f"{PATH}/list", pictures=[], format="csv").status_code == 422
    assert rin.post(f"{PATH}/list", pictures=chosen, format="exe").status_code == 422


def test_faces_are_named_taught_and_all_of_it_is_undone(rin, site):
    classifier = site.extensions["kyara_model"].classifier
    before = search(rin)
    (faint,) = [one for one in before["pictures"] if one["file"] == "aka-faint.png"]
    faces = [faint["faces"][0]["id"]]
    said = rin.post(f"{PATH}/say", seen=0, faces=faces, label=KIIRO).json
    assert (said["action"], said["told"]) == ("faces", "")
    assert names(search(rin, f"who={KIIRO}")) == ["aka-faint", "kiiro"]
    assert len(classifier.taught[KIIRO]) == 1
    assert said["outdated"] > 0
    undone = rin.post("/operator/groups/undo", seen=said["head"]["step"]).json
    assert (undone["action"], undone["head"]["redo"]) == ("faces", "faces")
    assert names(search(rin, f"who={KIIRO}")) == ["kiiro"]
    assert classifier.taught == {}
    nobody = rin.post(f"{PATH}/say", seen=0, faces=faces, nobody=True).json
    (faint,) = [one for one in search(rin)["pictures"] if one["file"] == "aka-faint.png"]
    assert (nobody["action"], faint["faces"]) == ("faces", [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"faces": [1]}, 400),
        ({"faces": [1], "name": "x" * 101}, 422),
        ({"faces": [], "name": "Rei"}, 422),
        ({"faces": list(range(1, 1002)), "name": "Rei"}, 422),
        ({"faces": [999], "name": "Rei"}, 404),
        ({"faces": [1], "name": "Rei", "seen": 7}, 409),
        ({"faces": [1], "name": "Aka Ribbon", "label": AO}, 409),
        ({"faces": ["1; DROP TABLE"], "name": "Rei"}, 422),
    ],
)
def test_what_cannot_be_said_is_refused_and_changes_nothing(rin, body, status):
    before = search(rin)
    answer = rin.post(f"{PATH}/say", **{"seen": 0, **body})
    assert (answer.status_code, bool(answer.json["detail"])) == (status, True)
    assert search(rin) == before


def test_a_crop_that_cannot_be_read_is_refused(rin):
    for crop, status in (("no address", 400), ("data:image/png;base64,AAAA", 415), (None, 422)):
        assert rin.post(f"{PATH}/like", crop=crop).status_code == status


def test_nobody_else_may_look_or_decide(site, rin):
    stranger = site.test_client()
    headers = {"Accept": "application/json"}
    for path in ("/search", "/overview", "/characters", "/pictures/1"):
        assert stranger.get(f"{PATH}{path}", headers=headers).status_code == 401
    for path, body in {
        "/say": {"seen": 0, "faces": [1], "nobody": True},
        "/list": {"pictures": [1]},
        "/like": {"crop": draw_crop(0)},
    }.items():
        assert stranger.post(f"{PATH}{path}", json=body, headers=headers).status_code == 401
        assert rin.client.post(f"{PATH}{path}", json=body, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("library", "sentence"),
    [("", "No library of pictures is set"), ("nowhere.db", "There is no library nowhere.db")],
)
@pytest.mark.parametrize(("path", "listed"), [(PATH, "search"), ("/operator/groups", "list")])
def test_without_a_library_its_pages_say_what_to_do(make_app, library, sentence, path, listed):
    app = make_app(LIBRARY=library)
    make_operator(app, "rin")
    rin = log_in(app, "rin")
    page = rin.page(path)
    assert sentence in page
    assert ('href="/operator/library"' in page) == bool(library)
    answer = rin.get(f"{path}/{listed}")
    assert (answer.status_code, sentence in answer.json["detail"]) == (404, True)
