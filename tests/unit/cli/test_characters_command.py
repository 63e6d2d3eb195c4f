"""`python -m kyara characters`, and names where commands take labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run_kyara
from crowded_model import CROWD
from PIL import Image
from strangers import STRANGERS


@pytest.fixture
def place(crowded_models: Path, tmp_path: Path) -> list[str | Path]:
    return ["--models", crowded_models, "--taught", tmp_path / "taught.db"]


def test_characters_are_found_by_what_is_typed(place):
    done = run_kyara("characters", "Miku", "Hatsune", *place)
    told = "hatsune_miku: Hatsune Miku (初音未来, 初音ミク) — VOCALOID, 2 reference(s)"
    assert done.stdout.splitlines() == [told]
    (found,) = json.loads(run_kyara("characters", "凱露", "--json", *place).stdout)["characters"]
    assert found == {
        "label": "princess_connect_redive/kyaru",
        "name": "Karyl",
        "work": "Princess Connect! Re:Dive",
        "names": {"en": "Karyl", "zh": "凯露", "ja": "キャル"},
        "url": None,
        "references": 1,
    }


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_names_are_whole_in_json_whatever_the_terminal_shows(place, encoding):
    done = run_kyara("characters", "凱露", "--json", *place, PYTHONIOENCODING=f"{encoding}:strict")
    (found,) = json.loads(done.stdout)["characters"]
    assert found["names"]["ja"] == "キャル"


def test_all_are_listed_up_to_a_limit(place):
    listed = json.loads(run_kyara("characters", "--json", "--limit", "1000", *place).stdout)
    assert len(listed["characters"]) > CROWD
    assert len(run_kyara("characters", *place).stdout.splitlines()) == 20
    assert run_kyara("characters", "nobody", *place).stdout == "Nobody is called so.\n"


def test_a_name_in_the_place_of_a_label_is_refused_with_the_label(place, tmp_path):
    Image.fromarray(STRANGERS[0]).save(tmp_path / "one.png")
    sentence = "is no label. That of Karyl is princess_connect_redive/kyaru."
    for arguments in (["forget", "凱露"], ["teach", "KARYL", tmp_path / "one.png", "--whole"]):
        done = run_kyara(*arguments, *place, check=False)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("kyara: ")
        assert sentence in done.stderr.splitlines()[-1]
    assert json.loads(run_kyara("characters", "karyl", "--json", *place).stdout)["characters"]


def test_explain_takes_a_name(crowded_models, tmp_path):
    Image.fromarray(STRANGERS[0]).save(tmp_path / "one.png")
    given = [tmp_path / "one.png", "--whole", "--json", "--model", crowded_models / "crowded"]
    document = json.loads(run_kyara("explain", *given, "--label", "Ribbon Aka").stdout)
    assert document["label"] == "aka_ribbon"
