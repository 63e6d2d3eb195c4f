"""The fuzzing targets under Hypothesis, and their seeds: a minute of what `make fuzz` does for ten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT
from fuzzing.seeds import FIRED, SEEDS, pack_pickle, write_seeds
from fuzzing.targets import MANIFESTS, TARGETS, fuzz_bundle, pack_arrays, read_good_files
from hypothesis import given
from hypothesis import strategies as st

from kyara.errors import BundleError
from kyara.recognition.bundle import HEAD_FILE, load_bundle


@pytest.mark.parametrize("target", TARGETS)
def test_no_seed_breaks_its_target(target):
    for seed in SEEDS[target]():
        TARGETS[target](seed)
    assert FIRED == []


def damage(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Strategy: a seed with bytes changed, cut out, doubled or appended."""

    def apply(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for at, length, new in edits:
            place = at % (len(seed) + 1)
            seed = seed[:place] + new + seed[place + length :]
        return seed

    edit = st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
    return st.builds(apply, st.sampled_from(seeds), st.lists(edit, max_size=6))


SMALL = {name: [seed for seed in make() if len(seed) < 20_000] for name, make in SEEDS.items()}


@given(damage(SMALL["image"]) | st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_refused(data):
    TARGETS["image"](data)


@given(damage(SMALL["data-url"]) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_text_is_a_crop_or_refused(data):
    TARGETS["data-url"](data)


@given(damage(SMALL["bundle"]))
def test_any_damaged_bundle_loads_whole_or_is_refused(data):
    TARGETS["bundle"](data)
    assert FIRED == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MANIFEST_KEYS = tuple(json.loads(read_good_files()["bundle.json"]))


@given(st.dictionaries(st.sampled_from(MANIFEST_KEYS), json_values, min_size=1, max_size=3))
def test_a_bundle_with_any_values_in_its_manifest_loads_whole_or_is_refused(patch):
    fuzz_bundle(b"j" + json.dumps(patch).encode())


@given(
    damage(SMALL["manifest"]) | st.builds(bytes.__add__, st.sampled_from(sorted(MANIFESTS)), st.binary())
)
def test_any_manifest_is_read_or_refused(data):
    TARGETS["manifest"](data)


def test_a_bundle_that_holds_a_pickle_is_refused_and_it_is_not_opened(tmp_path: Path):
    fuzz_bundle(b"j{}")  # a whole bundle
    from bundle_damage import trust_file
    from fuzzing.targets import make_folder

    folder = make_folder() / "model" / "paper"
    for name, content in read_good_files().items():
        (folder / name).write_bytes(content)
    (folder / HEAD_FILE).write_bytes(pack_arrays(HEAD_FILE, "weight", pack_pickle()))
    trust_file(folder, HEAD_FILE)
    with pytest.raises(BundleError, match="pickle, which is never opened"):
        load_bundle(folder)
    assert FIRED == []


def test_nothing_of_kyara_can_unpickle():
    for path in (ROOT / "app.py", ROOT / "classification.py", *(ROOT / "kyara").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for word in ("import pickle", "allow_pickle=True", "joblib.load", "import dill", "yaml.load("):
            assert word not in text, f"{path} says {word}"


def test_the_seeds_are_small_and_nothing_is_committed(tmp_path: Path):
    for target in TARGETS:
        assert write_seeds(target, tmp_path / target) >= 5
    listed = subprocess.run(
        ["git", "ls-files", "tests/support/fuzzing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert all(name.endswith(".py") for name in listed)


def test_atheris_runs_a_target(tmp_path: Path):
    target = "image"
    done = subprocess.run(
        [sys.executable, "-m", "fuzzing", target, "--seconds", "2", "--out", str(tmp_path)],
        cwd=ROOT / "tests" / "support",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "results.json").read_text())[target]
    assert result["executions"] > 10
    assert result["coverage"] > 10
