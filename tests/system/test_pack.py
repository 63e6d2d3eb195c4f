"""`python -m kyara pack`, run as its user runs it: from one installation to another, and away again."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from PIL import Image
from strangers import NEW, STRANGERS

pytestmark = pytest.mark.timeout(1500)  # many commands, each of which starts anew

Run = Callable[..., subprocess.CompletedProcess[str]]
SAID = ("--author", "Rin", "--licence", "CC0-1.0")


@pytest.fixture
def places(tiny_model_folder: Path, tmp_path: Path) -> dict[str, list[str | Path]]:
    """What tells a command where it is: two installations with the same model."""
    return {
        name: ["--models", tiny_model_folder, "--taught", tmp_path / f"{name}.db"]
        for name in ("here", "there")
    }


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    (tmp_path / "crops").mkdir()
    for number, crop in enumerate(STRANGERS):
        Image.fromarray(crop).save(tmp_path / "crops" / f"{number}.png")
    return tmp_path / "crops"


@pytest.fixture
def pack(places, crops: Path, tmp_path: Path) -> Path:
    """A pack of one character that was taught here."""
    names = ("--name-en", "Stripes", "--name-ja", "しましま", "--work-en", "Drawn")
    run_kyara("teach", NEW, crops / "0.png", crops / "1.png", "--whole", *names, *places["here"])
    run_kyara("pack", "create", tmp_path / "five.pack", *SAID, *places["here"])
    return tmp_path / "five.pack"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web site of the folder in which packs are."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def list_packs(place: list[str | Path]) -> list[dict]:
    return json.loads(run_kyara("pack", "list", "--json", *place).stdout)["packs"]


def test_a_pack_goes_from_one_installation_to_another_and_away_again(places, pack, crops, site):
    sha256 = hashlib.sha256(pack.read_bytes()).hexdigest()
    shown = run_kyara("pack", "show", pack).stdout
    assert "five: 2 face(s) of 1 character(s), by Rin, CC0-1.0" in shown
    assert sha256 in shown and f"{NEW}: Stripes, しましま — Drawn, 2 face(s)" in shown
    source = [f"{site}/five.pack", "--allow-urls", "--sha256", sha256.upper()]
    done = run_kyara("pack", "install", *source, "--yes", "--json", *places["there"])
    assert json.loads(done.stdout)["characters"] == [
        {
            "label": NEW,
            "names": {"en": "Stripes", "ja": "しましま"},
            "works": {"en": "Drawn"},
            "mal_id": None,
            "anilist_id": None,
            "faces": 2,
        }
    ]
    assert "new: 1; more faces of somebody known: 0" in done.stderr
    found = [run_kyara("characters", "しましま", "--json", *places[name]).stdout for name in places]
    assert found[0] == found[1] and NEW in found[0]
    (listed,) = list_packs(places["there"])
    assert (listed["name"], listed["sha256"], listed["faces"], listed["fits"]) == (
        "five",
        sha256,
        2,
        True,
    )
    run_kyara("teach", NEW, crops / "2.png", "--whole", *places["there"])
    done = run_kyara("pack", "remove", "five", *places["there"])
    assert done.stdout == "five is removed: 2 face(s) of 1 character(s).\n"
    (left,) = json.loads(run_kyara("characters", "Stripes", "--json", *places["there"]).stdout)[
        "characters"
    ]
    assert (left["label"], left["references"]) == (NEW, 1)
    assert list_packs(places["there"]) == []


def test_the_same_pack_is_the_same_bytes_and_a_file_is_never_overwritten(places, pack, tmp_path):
    again = tmp_path / "again.pack"
    run_kyara("pack", "create", again, NEW, "--name", "five", *SAID, *places["here"])
    assert again.read_bytes() == pack.read_bytes()
    done = run_kyara("pack", "create", pack, *SAID, *places["here"], check=False)
    assert (done.returncode, "already" in done.stderr) == (1, True)
    assert pack.read_bytes() == again.read_bytes()


def _forge(pack: Path) -> None:
    """Let the pack bring another embedding under the hash of the old one."""
    with zipfile.ZipFile(pack) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    features = bytearray(parts["features.npy"])
    features[-1] ^= 0x80
    with zipfile.ZipFile(pack, "w") as archive:
        for name, part in {**parts, "features.npy": bytes(features)}.items():
            archive.writestr(name, part)


def _cut(pack: Path) -> None:
    pack.write_bytes(pack.read_bytes()[:-100])


def _name_another_network(pack: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    document = {**json.loads(parts["pack.json"]), "network": "0123456789abcdef"}
    parts["pack.json"] = json.dumps(document).encode()
    hashes = {name: hashlib.sha256(parts[name]).hexdigest() for name in ("pack.json", "features.npy")}
    parts["SHA256SUMS"] = "".join(f"{one}  {name}\n" for name, one in hashes.items()).encode()
    with zipfile.ZipFile(pack, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def _replace_by_a_picture(pack: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(pack, format="PNG")


@pytest.mark.parametrize(
    ("change", "more", "sentence"),
    [
        (_forge, [], "damaged, or was changed: the SHA-256 of features.npy"),
        (_cut, [], "is cut short"),
        (_name_another_network, [], "made for the network 0123456789abcdef"),
        (_replace_by_a_picture, [], "not a pack"),
        (Path.unlink, [], "Cannot read"),
        (lambda pack: None, ["--sha256", "0" * 64], "not the pack that was published"),
    ],
)
def test_what_is_not_right_is_one_sentence_and_changes_nothing(
    places, pack, tmp_path, change, more, sentence
):
    change(pack)
    done = run_kyara("pack", "install", pack, "--yes", *more, *places["there"], check=False)
    assert done.returncode == 1
    assert sentence in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("kyara: ")
    assert not (tmp_path / "there.db").exists()


def test_a_collision_waits_for_a_choice(places, pack, crops):
    run_kyara("teach", "stripes", crops / "3.png", "--whole", "--name-ja", "しましま", *places["there"])
    command = ["pack", "install", pack, "--yes", *places["there"]]
    done = run_kyara(*command, check=False)
    assert done.returncode == 1
    assert f"kyara: It collides: {NEW} (Stripes) with stripes" in done.stderr
    assert "join" in done.stderr and "apart" in done.stderr and "skip" in done.stderr
    assert list_packs(places["there"]) == []
    run_kyara(*command, "--collisions", "join")
    (found,) = json.loads(run_kyara("characters", "しましま", "--json", *places["there"]).stdout)[
        "characters"
    ]
    assert (found["label"], found["references"], found["name"]) == ("stripes", 3, "Stripes")


def test_nothing_is_installed_where_nobody_can_be_asked_nor_fetched_unasked(places, pack, site):
    done = run_kyara("pack", "install", pack, *places["there"], check=False)
    assert (done.returncode, "--yes" in done.stderr) == (1, True)
    done = run_kyara("pack", "install", f"{site}/five.pack", "--yes", *places["there"], check=False)
    assert (done.returncode, "--allow-urls" in done.stderr) == (1, True)
    assert list_packs(places["there"]) == []


def test_a_pack_that_is_fetched_has_the_bound_of_packs(site, tmp_path):
    from kyara.recognition.pack_file import MAX_PACK_BYTES

    with (tmp_path / "large.pack").open("wb") as file:
        file.truncate(MAX_PACK_BYTES + 1)
    for source in (tmp_path / "large.pack", f"{site}/large.pack"):
        done = run_kyara("pack", "show", source, "--allow-urls", check=False)
        assert (done.returncode, f"{MAX_PACK_BYTES:,} bytes" in done.stderr) == (1, True)


def test_a_running_site_answers_by_a_pack_at_once(app, client, pack, tiny_model_folder):
    place = ["--models", tiny_model_folder, "--taught", app.config["TAUGHT_DATABASE"]]
    assert client.get("/api/characters?query=stripes").json["characters"] == []
    run_kyara("pack", "install", pack, "--yes", *place)
    (found,) = client.get("/api/characters?query=stripes").json["characters"]
    assert found["label"] == NEW
