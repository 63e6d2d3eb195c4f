"""`groups` as its users run it: scanned, grouped, named, found; scanned again; measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import run_kyara
from PIL import Image
from verdict_models import write_verdict_model
from videos import EXAMPLE

from kyara.vision.images import encode_png

pytestmark = pytest.mark.timeout(1500)  # many commands, each of which starts anew

PICTURES = 4


def write_faces(folder: Path, count: int = PICTURES) -> Path:
    """Write pictures with the same faces, each another file and a little darker."""
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(EXAMPLE) as image:
        pixels = np.asarray(image.convert("RGB").reduce(2)).astype(np.int16)
    for number in range(count):
        darker = np.clip(pixels - 3 * number, 0, 255).astype(np.uint8)
        (folder / f"{number}.png").write_bytes(encode_png(darker))
    return folder


class Shell:
    """Commands about one library, with a model that calls nobody known."""

    def __init__(self, folder: Path, tiny_bundle: Path) -> None:
        self.pictures = write_faces(folder / "pictures")
        self.models, self.library = folder / "model", folder / "library.db"
        write_verdict_model(tiny_bundle, self.models, "unknown")

    def run(self, *arguments: str | Path, check: bool = True):
        return run_kyara(
            *arguments,
            check=check,
            KYARA_LIBRARY=str(self.library),
            KYARA_MODEL_FOLDER=str(self.models),
        )

    def scan(self, *arguments: str | Path) -> dict:
        model = self.models / "unknown"
        return json.loads(self.run("scan", "--json", "--model", model, *arguments).stdout)

    def groups(self, *arguments: str) -> dict:
        return json.loads(self.run("groups", *arguments, "--json").stdout)


@pytest.fixture
def shell(tiny_bundle: Path, tmp_path: Path) -> Shell:
    return Shell(tmp_path, tiny_bundle)


def test_unknown_faces_are_grouped_named_found_and_kept_by_later_scans(shell: Shell) -> None:
    faces = shell.scan(shell.pictures)["unknown"]
    assert faces >= 2 * PICTURES
    made = shell.groups("make", "--least", "0.97")
    assert made["faces"] == faces
    assert made["groups"] >= 2
    first, second, *_ = shell.groups("show")["groups"]
    assert first["faces"] >= second["faces"] >= 2
    one = shell.groups("show", str(first["group"]))
    assert len(one["faces"]) == first["faces"]
    done = shell.groups("name", str(first["group"]), "Rei", "--work", "Drawn")
    assert (done["taught"], done["problem"]) == (first["faces"], "")
    found = json.loads(shell.run("search", "Rei", "--json").stdout)["pictures"]
    named = {picture["path"] for picture in found}
    assert named == {face["path"] for face in one["faces"]}
    assert found[0]["confidence"] == 1.0

    # another network looks at every picture again: the name, and what was split off, stay
    split = shell.groups("split", str(second["group"]), str(show_face(shell, second["group"])))
    manifest = json.loads((shell.models / "unknown" / "bundle.json").read_text())
    manifest["preprocessing"]["upright_from_deg"] += 1
    (shell.models / "unknown" / "bundle.json").write_text(json.dumps(manifest))
    assert shell.scan()["again"] == PICTURES
    found = json.loads(shell.run("search", "Rei", "--json").stdout)["pictures"]
    assert {picture["path"] for picture in found} == named
    sizes = {group["group"]: group["faces"] for group in shell.groups("show")["groups"]}
    assert sizes[split["groups"][0]] == 1
    assert sizes[second["group"]] == second["faces"] - 1

    shell.groups("undo")
    shell.groups("undo")
    nobody = shell.run("search", "Rei", check=False)
    assert (nobody.returncode, nobody.stdout) == (0, "")
    assert "nothing to undo" in shell.run("groups", "undo", check=False).stderr
    assert shell.groups("redo")["action"] == "name"


def show_face(shell: Shell, group: int) -> int:
    return shell.groups("show", str(group))["faces"][-1]["face"]


def test_new_pictures_join_and_moved_ones_keep_their_groups(shell: Shell) -> None:
    shell.scan(shell.pictures)
    shell.groups("make", "--least", "0.97")
    before = {group["group"]: group["faces"] for group in shell.groups("show")["groups"]}
    (shell.pictures / "moved").mkdir()
    shutil.move(shell.pictures / "0.png", shell.pictures / "moved" / "0.png")
    write_faces(shell.pictures / "new", PICTURES + 1)
    shell.scan()
    made = shell.groups("make", "--least", "0.97")
    assert made["joined"] > 0
    after = {group["group"]: group["faces"] for group in shell.groups("show")["groups"]}
    assert all(after[group] > faces for group, faces in before.items())


def test_what_is_no_face_is_left_out_of_everything(shell: Shell) -> None:
    before = shell.scan(shell.pictures)["faces"]
    shell.groups("make", "--least", "0.97")
    first, *_ = shell.groups("show")["groups"]
    shell.run("groups", "not-a-face", str(first["group"]))
    shown = json.loads(shell.run("library", "show", "--json").stdout)
    assert shown["faces"] == before - first["faces"]
    (rejected,) = shell.groups("show", "--state", "not_a_face")["groups"]
    assert (rejected["group"], rejected["label"]) == (first["group"], None)


def test_a_library_in_postgresql_has_groups_too(shell: Shell, postgres_url: str) -> None:
    shell.library = postgres_url  # type: ignore[assignment]
    shell.scan(shell.pictures)
    shell.groups("make", "--least", "0.97")
    first, second, *_ = shell.groups("show")["groups"]
    shell.groups("merge", str(first["group"]), str(second["group"]))
    shell.groups("name", str(first["group"]), "Rei")
    total = first["faces"] + second["faces"]
    assert shell.groups("show", "--state", "named")["groups"][0]["faces"] == total
    shell.groups("undo")
    shell.groups("undo")
    assert [one["group"] for one in shell.groups("show")["groups"]][:2] == [
        first["group"],
        second["group"],
    ]


@pytest.mark.parametrize("method", ["average", "hdbscan"])
def test_drawn_characters_are_grouped_and_measured(
    tiny_bundle: Path, tiny_data: Path, tmp_path: Path, method: str
) -> None:
    common = ("--model", tiny_bundle, "--cache", tmp_path / "cache", "--least", "0.85")
    done = run_kyara("groups", "measure", tiny_data, *common, "--method", method, "--json")
    measured = json.loads(done.stdout)
    assert (measured["faces"], measured["characters"], measured["method"]) == (160, 4, method)
    assert measured["purity"] > 0.95
    assert measured["f1"] > 0.5
    assert measured["groups_per_character"] >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make"], "There is no library"),
        (["show"], "There is no library"),
        (["undo"], "There is no library"),
        (["measure", "nowhere"], "There is no dataset folder nowhere"),
    ],
)
def test_without_what_it_needs_it_is_one_sentence(shell: Shell, arguments, message) -> None:
    done = shell.run("groups", *arguments, check=False)
    assert (done.returncode, message in done.stderr.splitlines()[-1]) == (1, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["name", "99", "Rei"], "There is no group 99"),
        (["name", "1", "！？"], "No label can be made"),
        (["split", "1", "9999"], "has no face 9999"),
        (["merge", "1", "1"], "Choose 2 to 1000 groups"),
        (["show", "99"], "There is no group 99"),
        (["redo"], "There is nothing to redo"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(shell: Shell, arguments, message) -> None:
    shell.scan(shell.pictures)
    shell.groups("make", "--least", "0.97")
    done = shell.run("groups", *arguments, check=False)
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
