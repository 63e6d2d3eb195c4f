"""`pack create --from`, run as its user runs it after another network was promoted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import run_kyara
from PIL import Image
from strangers import NEW, STRANGERS
from videos import EXAMPLE

from kyara.recognition.backbone import load_backbone
from kyara.recognition.bundle import load_bundle
from kyara.recognition.pack_file import read_pack

SAID = ("--author", "Rin", "--licence", "CC0-1.0")
OTHER = "drawn/other"


@pytest.fixture(scope="module")
def newer(tiny_model_folder: Path, tmp_path_factory) -> Path:
    """A model folder in which another network serves: it sees faces of another size."""
    folder = tmp_path_factory.mktemp("newer") / "model"
    shutil.copytree(tiny_model_folder, folder)
    for manifest in folder.glob("*/bundle.json"):
        document = json.loads(manifest.read_text())
        document["preprocessing"]["margin"] = 1.5
        manifest.write_text(json.dumps(document))
    return folder


@pytest.fixture
def old(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """A pack of two characters for the network that served before."""
    crops = tmp_path / "crops"
    crops.mkdir()
    for number, crop in enumerate(STRANGERS):
        Image.fromarray(crop).save(crops / f"{number}.png")
    place = ("--models", tiny_model_folder, "--taught", tmp_path / "before.db", "--whole")
    names = ("--name-en", "Stripes", "--name-ja", "しましま", "--work-en", "Drawn/Again")
    run_kyara("teach", NEW, crops / "0.png", crops / "1.png", *names, *place)
    run_kyara("teach", OTHER, crops / "2.png", "--name-en", "Somebody Else", *place)
    run_kyara("pack", "create", tmp_path / "old.pack", "--name", "five", *SAID, *place[:-1])
    return tmp_path / "old.pack"


@pytest.fixture
def place(newer: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    return "--models", newer, "--taught", tmp_path / "after.db"


def test_a_pack_that_is_refused_is_made_again_of_pictures_and_installed(old, place, newer, tmp_path):
    refused = run_kyara("pack", "install", old, "--yes", *place, check=False)
    assert refused.returncode == 1
    assert "`kyara pack create NEW --from PACK --pictures FOLDER`" in refused.stderr
    folder = tmp_path / "by name" / "しましま (Drawn_Again)"
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "crops" / "0.png", folder)
    (folder / "broken.png").write_bytes(b"no picture")
    stray = tmp_path / "by name" / "Nobody"
    stray.mkdir()
    shutil.copy(EXAMPLE, stray)
    done = run_kyara(
        *("pack", "create", tmp_path / "new.pack", "--from", old, "--pictures", folder.parent),
        *("--whole", "--json", *place),
        check=False,
    )
    assert done.returncode == 1, "a picture could not be read"
    assert f"{folder / 'broken.png'}: " in done.stderr
    assert f"{stray}: 1 picture(s) of nobody in the pack." in done.stderr
    said = f"1 character(s) have no picture, and are left out: {OTHER} (Somebody Else)."
    assert said in done.stderr
    told = json.loads(done.stdout)
    assert (told["without_pictures"], told["unread"]) == ([OTHER], [str(folder / "broken.png")])
    pack = read_pack((tmp_path / "new.pack").read_bytes())
    assert (pack.name, pack.author, pack.licence) == ("five", "Rin", "CC0-1.0")
    assert pack.network == load_backbone(load_bundle(newer / "tiny")).fingerprint
    (one,) = pack.characters
    assert (one.character.name["ja"], len(one.features)) == ("しましま", 1)
    run_kyara("pack", "install", tmp_path / "new.pack", "--yes", *place)
    (listed,) = json.loads(run_kyara("pack", "list", "--json", *place).stdout)["packs"]
    assert (listed["name"], listed["fits"], listed["faces"]) == ("five", True, 1)


def test_faces_are_found_in_pictures_and_what_was_taught_does_for_the_rest(old, place, tmp_path):
    folder = tmp_path / "pictures" / NEW / "more"
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLE, folder / "a.png")
    shutil.copy(tmp_path / "crops" / "3.png", folder)
    crop = tmp_path / "crops" / "2.png"
    run_kyara("teach", OTHER, crop, "--whole", *place)
    done = run_kyara(
        *("pack", "create", tmp_path / "new.pack", "--from", old, "--pictures", tmp_path / "pictures"),
        *("--author", "Another", "--name", "again", *place),
    )
    assert "3 face(s) of 2 character(s)" in done.stdout and "left out" not in done.stderr
    pack = read_pack((tmp_path / "new.pack").read_bytes())
    assert (pack.name, pack.author, pack.licence) == ("again", "Another", "CC0-1.0")
    assert [len(one.features) for one in pack.characters] == [2, 1]


def test_without_a_folder_what_was_taught_here_is_taken(old, tiny_model_folder, newer, tmp_path):
    place = ("--models", newer, "--taught", tmp_path / "before.db")
    run_kyara("pack", "create", tmp_path / "new.pack", "Stripes", "--from", old, *place)
    pack = read_pack((tmp_path / "new.pack").read_bytes())
    assert [one.character.label for one in pack.characters] == [NEW]
    assert len(pack.characters[0].features) == 2, "its crops were kept, and are seen by the new network"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--pictures", "x", *SAID], 2, "--pictures is for --from"),
        (["--whole", *SAID], 2, "--whole and --detector are for --pictures"),
        (["--author", "Rin"], 2, "Say --author and --licence."),
        (["--from", "OLD", "--pictures", "nowhere"], 1, "There is no folder nowhere."),
        (["--from", "OLD", "--pictures", "CROPS"], 1, "has pictures of anybody in the pack"),
        (["--from", "OLD"], 1, "There is no picture of anybody in the pack five."),
        (["nobody", "--from", "OLD"], 1, "'nobody' is not in the pack five."),
        (["--from", "CROPS"], 1, "Cannot read"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_writes_nothing(
    old, place, tmp_path, arguments: list[str], status, message
):
    names = {"OLD": str(old), "CROPS": str(tmp_path / "crops")}
    filled = [names.get(one, one) for one in arguments]
    done = run_kyara("pack", "create", tmp_path / "new.pack", *filled, *place, check=False)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert not (tmp_path / "new.pack").exists()


def test_a_file_that_is_there_is_left_before_any_work(old, place, tmp_path):
    before = old.read_bytes()
    done = run_kyara("pack", "create", old, "--from", old, *place, check=False)
    assert (done.returncode, "already" in done.stderr) == (1, True)
    assert old.read_bytes() == before
