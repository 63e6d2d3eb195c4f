from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundle_damage import change_manifest, trust_file

from kyara.errors import BundleError
from kyara.recognition.bundle import Calibration, Character, load_bundle, save_bundle
from kyara.registry import find_serving, promote_bundle


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "model" / "copied"))


def test_a_bundle_comes_back_as_it_was_saved(tiny_bundle, tmp_path):
    bundle = load_bundle(tiny_bundle)
    again = save_bundle(bundle, tmp_path / "again")
    assert again.labels == bundle.labels
    assert again.characters[0].name["ja"] == "赤リボン"
    assert again.preprocessing == bundle.preprocessing
    assert again.calibration == bundle.calibration
    assert np.array_equal(again.head_weight, bundle.head_weight)
    assert np.array_equal(again.gallery_features, bundle.gallery_features)
    assert again.backbone.read_bytes() == bundle.backbone.read_bytes()


def test_saving_over_a_bundle_replaces_it_whole(copied):
    bundle = load_bundle(copied)
    (copied / "left-over.txt").write_text("old")
    saved = save_bundle(replace(bundle, head_bias=bundle.head_bias + 1), copied)
    assert np.array_equal(saved.head_bias, bundle.head_bias + 1)
    assert saved.version != bundle.version
    assert not (copied / "left-over.txt").exists()
    assert [path.name for path in copied.parent.iterdir()] == ["copied"]


@pytest.mark.parametrize("name", ["backbone.tflite", "head.npz", "gallery.npz"])
def test_one_changed_byte_is_refused(copied, name):
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(bytes(data))
    with pytest.raises(BundleError, match=f"{name} is damaged"):
        load_bundle(copied)


@pytest.mark.parametrize("name", ["backbone.tflite", "head.npz"])
def test_a_missing_file_is_refused(copied, name):
    (copied / name).unlink()
    with pytest.raises(BundleError, match=f"lacks its file {name}"):
        load_bundle(copied)


def shown(**changes: object) -> dict[str, object]:
    """Preprocessing as the tiny bundle's, but for some of it."""
    return {"input_px": 75, "scale": [0.0, 1.0], "views": [{}], "margin": 1.5, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "format 3"),
        ({"files": {}}, "does not list"),
        ({"files": {"../../etc/passwd": "0"}}, "does not list"),
        ({"characters": []}, "0 characters"),
        ({"preprocessing": {"input_px": 75}}, "not a complete bundle"),
        ({"calibration": {"heat": 1}}, "not a complete bundle"),
        ({"calibration": {"temperature": 0}}, "temperature is 0"),
        ({"calibration": {"gallery_weight": 2}}, "gallery weight is 2"),
        ({"task": "guess"}, "task is 'guess'"),
        ({"task": "multi"}, "0 thresholds for 4 labels"),
        ({"characters": [{"label": "x", "name": {}, "work": {}}] * 4}, "the same label"),
        ({"characters": [{"label": "x", "name": {"en": "\ud800"}, "work": {}}]}, "'x' is not text"),
        ({"characters": [{"label": "\udfff", "name": {}, "work": {}}]}, "is not text"),
        ({"calibration": {"temperature": 10**400}}, "temperature is 1000"),
        ({"calibration": {"temperature": 1e-320}}, "temperature is 1e-320"),
        ({"calibration": {"temperature": float("nan")}}, "temperature is nan"),
        ({"calibration": {"temperature": True}}, "temperature is True"),
        ({"calibration": {"familiarity_threshold": "x"}}, "threshold is 'x'"),
        ({"calibration": {"familiarity_threshold": float("nan")}}, "threshold is nan"),
        ({"calibration": {"similarity_scale": float("inf")}}, "scale of similarity is inf"),
        ({"calibration": {"gallery_weight": None}}, "gallery weight is None"),
        ({"calibration": {"label_thresholds": [0.5, "x"]}}, "label's threshold is 'x'"),
        ({"preprocessing": shown(views=[])}, "0 views"),
        ({"preprocessing": shown(views=[{"inset": 0.1}] * 5000)}, "5,000 views"),
        ({"preprocessing": shown(views=[{"inset": float("nan")}])}, "inset=nan"),
        ({"preprocessing": shown(views=[{"inset": 0.5}])}, "inset is 0 to 0.4"),
        ({"preprocessing": shown(views=[{"mirror": "no"}])}, "mirror true or false"),
        ({"preprocessing": shown(scale=[0, float("nan")])}, "its scale is"),
        ({"preprocessing": shown(input_px="75")}, "its input is '75' px"),
        ({"preprocessing": shown(input_px=10**9)}, "its input is 1000000000 px"),
        ({"preprocessing": shown(margin=float("inf"))}, "its margin is inf"),
        ({"preprocessing": shown(first_views=2)}, "first views are 2, not 0 to 1"),
        ({"preprocessing": shown(first_views=0.5)}, "first views are 0.5"),
        ({"calibration": {"probable_threshold": float("nan")}}, "what is probable is nan"),
        ({"calibration": {"settled_threshold": "x"}}, "what is settled is 'x'"),
        ({"calibration": {"gate": [1, 2]}}, "gate has 2 numbers, not 5 or 7"),
        ({"calibration": {"gate": [1, 2, 3, 4, float("inf")]}}, "gate has numbers that are not finite"),
        ({"characters": [{"label": "x", "name": {}, "work": {}, "mal_id": -1}]}, "MyAnimeList id"),
        ({"provenance": {"loss": float("nan")}}, "not told in plain JSON"),
        ({"provenance": []}, "plain JSON: it is no object"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(copied, changes, message):
    change_manifest(copied, **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(copied)


def test_arrays_that_unpack_to_gigabytes_are_refused_before_they_are(copied):
    with zipfile.ZipFile(copied / "head.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("weight.npy", "w", force_zip64=True) as file:
            for _ in range(300):
                file.write(bytes(1_000_000))
    trust_file(copied, "head.npz")
    with pytest.raises(BundleError, match="unpacks to 300,000,000 bytes"):
        load_bundle(copied)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_manifest_that_is_no_manifest_is_refused(copied, text):
    (copied / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"copied"):
        load_bundle(copied)


def test_names_fall_back_to_english_and_then_to_any():
    character = Character("some_one", {"en": "Some One"}, {})
    assert character.name_in("ja") == "Some One"
    assert Character("some_one", {"ja": "だれか"}, {}).name_in("zh") == "だれか"
    assert character.work_in("ja") == ""


def test_a_character_without_a_name_is_never_called_by_its_code():
    character = Character("game/char_0117", {}, {"en": "The Game"})
    assert character.to_json("en") == {
        "label": "game/char_0117",
        "name": "Unnamed character",
        "work": "The Game",
    }
    assert character.name_in("ja") == "名前のわからないキャラクター"
    assert character.name_in("zh") == "未命名角色"


def test_a_bundle_in_which_not_everybody_has_a_column_comes_back(mixed):
    bundle = load_bundle(mixed)
    assert json.loads((mixed / "bundle.json").read_text())["format"] == 2
    assert bundle.head_rows.tolist() == [1, 2, 3]
    assert bundle.gallery_ids[0] == "drawn/0.png"
    assert bundle.calibration == Calibration(0.5, 1.5, similarity_scale=12, gallery_weight=0.4)
    again = save_bundle(bundle, mixed.parent / "again")
    assert again.gallery_ids == bundle.gallery_ids


def test_a_bundle_of_independent_labels_comes_back(tiny_bundle, tmp_path):
    bundle = load_bundle(tiny_bundle)
    thresholds = Calibration(label_thresholds=(0.5, 0.25, 0.5, 0.75))
    saved = save_bundle(replace(bundle, task="multi", calibration=thresholds), tmp_path / "multi")
    assert saved.task == "multi"
    assert saved.calibration == thresholds


def test_a_bundle_of_format_1_is_read(copied):
    bundle = load_bundle(copied)
    with np.load(copied / "head.npz") as head:
        np.savez(copied / "head.npz", weight=head["weight"], bias=head["bias"])
    with np.load(copied / "gallery.npz") as gallery:
        np.savez(copied / "gallery.npz", features=gallery["features"], rows=gallery["rows"])
    for name in ("head.npz", "gallery.npz"):
        trust_file(copied, name)
    change_manifest(copied, format=1, calibration={"temperature": 0.5, "familiarity_threshold": 2.5})
    old = load_bundle(copied)
    assert old.task == "single"
    assert old.head_rows.tolist() == bundle.head_rows.tolist()
    assert set(old.gallery_ids) == {""}
    assert old.calibration.gallery_weight == 0


def test_a_bundle_that_does_not_fit_together_is_not_even_saved(mixed):
    bundle = load_bundle(mixed)
    before = (mixed / "bundle.json").read_bytes()
    with pytest.raises(BundleError, match="does not fit together"):
        save_bundle(replace(bundle, head_bias=bundle.head_bias[1:]), mixed)
    assert (mixed / "bundle.json").read_bytes() == before


def test_a_damaged_registry_is_told_by_promote(mixed):
    (mixed.parent / "registry.json").write_text("{")
    with pytest.raises(BundleError, match="cannot be read"):
        promote_bundle("mixed", mixed.parent)


def test_promotion_changes_what_serves_and_remembers(tiny_bundle, tmp_path):
    for name in ("first", "second"):
        shutil.copytree(tiny_bundle, tmp_path / name)
        promote_bundle(name, tmp_path)
    assert find_serving(tmp_path) == tmp_path / "second"
    history = json.loads((tmp_path / "registry.json").read_text())["history"]
    assert [entry["name"] for entry in history] == ["first", "second"]


def test_a_damaged_candidate_is_not_promoted(tiny_bundle, tmp_path):
    shutil.copytree(tiny_bundle, tmp_path / "good")
    shutil.copytree(tiny_bundle, tmp_path / "bad")
    promote_bundle("good", tmp_path)
    (tmp_path / "bad" / "head.npz").write_bytes(b"")
    with pytest.raises(BundleError, match="damaged"):
        promote_bundle("bad", tmp_path)
    assert find_serving(tmp_path).name == "good"


@pytest.mark.parametrize("text", ["", "{}", '{"serving": "../x"}', '{"serving": 3}', "[]"])
def test_a_registry_that_names_no_bundle_is_refused(tmp_path, text):
    (tmp_path / "registry.json").write_text(text)
    with pytest.raises(BundleError, match="No model serves"):
        find_serving(tmp_path)


def test_a_gate_and_numbers_at_myanimelist_are_kept(tiny_bundle, tmp_path):
    bundle = load_bundle(tiny_bundle)
    gate = (-1.0, 1.0, 2.0, 3.0, 4.0)
    calibration = replace(bundle.calibration, gate=gate, probable_threshold=-0.5)
    numbered = (replace(bundle.characters[0], mal_id=17), *bundle.characters[1:])
    made = replace(bundle, calibration=calibration, characters=numbered)
    saved = save_bundle(made, tmp_path / "made")
    assert saved.calibration == calibration
    assert [character.mal_id for character in saved.characters[:2]] == [17, None]
