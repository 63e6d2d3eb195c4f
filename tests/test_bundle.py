from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kyara.bundle import Character, load_bundle, save_bundle
from kyara.errors import BundleError
from kyara.registry import find_serving, promote_bundle


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "model" / "copied"))


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"files": {}}, "does not list"),
        ({"files": {"../../etc/passwd": "0"}}, "does not list"),
        ({"characters": []}, "for 0 characters"),
        ({"preprocessing": {"input_px": 75}}, "not a complete bundle"),
        ({"calibration": {"heat": 1}}, "not a complete bundle"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(copied, changes, message):
    change_manifest(copied, **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(copied)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_manifest_that_is_no_manifest_is_refused(copied, text):
    (copied / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"copied"):
        load_bundle(copied)


def test_names_fall_back_to_english_and_then_to_the_label():
    character = Character("some_one", {"en": "Some One"}, {})
    assert character.name_in("ja") == "Some One"
    assert Character("some_one", {}, {}).name_in("zh") == "some_one"
    assert character.work_in("ja") == ""


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
