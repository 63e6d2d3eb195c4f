"""Several servers on one database and one object store: what serves, everywhere, and nothing else."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from shared_models import Shop, forge
from two_models import FIRST, SECOND, copy_model

from kyara.errors import BundleError, KyaraError
from kyara.recognition.bundle import MANIFEST_FILE
from kyara.registry import Models, open_models, promote_bundle
from kyara.registry.gate import GateError
from kyara.registry.promotion import promote_candidate
from kyara.registry.published import KEPT_VERSIONS


def test_what_is_promoted_on_one_machine_serves_on_another(shop: Shop, trainer: Models):
    server = shop.machine("server")
    with pytest.raises(BundleError, match="nothing was promoted"):
        server.load_serving()
    first = trainer.promote(FIRST)
    before = server.look()
    assert server.load_serving().version == first.version
    second = trainer.promote(SECOND, note={"operator": "rin"})
    assert server.look() != before
    assert (server.load_serving().name, server.load_serving().version) == (SECOND, second.version)
    assert server.roll_back().name == FIRST  # which only its cache has
    assert trainer.load_serving().version == first.version


def test_the_history_is_what_a_registry_file_would_have(shop: Shop, trainer: Models):
    shutil.copytree(trainer.folder, shop.folder / "alone")
    alone = open_models(shop.folder / "alone", {})
    for models in (trainer, alone):
        models.promote(FIRST)
        models.promote(SECOND, note={"operator": "rin", "forced": "why", "falls": ["top1 fell"]})
        models.roll_back(note={"operator": "ran"})
        with pytest.raises(BundleError, match="nothing to roll back to"):
            models.roll_back()
    with pytest.raises(BundleError):
        alone.promote("nobody")
    stripped = [
        [{key: value for key, value in step.items() if key != "at"} for step in models.read().history]
        for models in (trainer, alone)
    ]
    assert stripped[0] == stripped[1]
    assert trainer.read().serving == alone.read().serving == FIRST


def test_promoters_at_once_lose_no_step(shop: Shop, trainer: Models):
    machines = [trainer]
    for number in range(2):
        other = shop.machine(f"other{number}")
        shutil.copytree(trainer.folder, other.folder, dirs_exist_ok=True)
        machines.append(other)

    def promote(models: Models, name: str) -> None:
        for _ in range(2):
            models.promote(name)

    threads = [
        threading.Thread(target=promote, args=(models, name))
        for models, name in zip(machines, (FIRST, SECOND, FIRST), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    steps = [step["name"] for step in trainer.read().history]
    assert (steps.count(FIRST), steps.count(SECOND)) == (4, 2)
    assert trainer.read().serving == steps[-1]


def test_a_promotion_in_between_is_noticed(trainer: Models):
    trainer.promote(FIRST)
    copy_model(trainer.folder / FIRST, trainer.folder, "third")

    def judge(serving, candidate):
        trainer.promote("third")
        return []

    with pytest.raises(GateError, match="in between"):
        promote_candidate(SECOND, trainer, judge)
    assert trainer.read().serving == "third"


@pytest.mark.parametrize("thoroughly", [False, True])
def test_a_published_bundle_that_was_tampered_with_is_refused_and_healed(
    shop: Shop, trainer: Models, thoroughly: bool
):
    bundle = trainer.promote(FIRST)
    forge(shop, FIRST, bundle.version, thoroughly=thoroughly)
    server = shop.machine("server")
    with pytest.raises(BundleError, match="not the one that was promoted" if thoroughly else "damaged"):
        server.load_serving()
    assert not list((shop.folder / "server" / "cache").glob("**/*.npz"))
    trainer.promote(FIRST)
    assert server.load_serving().version == bundle.version


def test_a_damaged_copy_in_the_cache_is_fetched_again(shop: Shop, trainer: Models):
    bundle = trainer.promote(FIRST)
    server = shop.machine("server")
    copy = server.find_serving()
    assert copy.parent.name == bundle.version
    (copy / "head.npz").write_bytes(b"")
    assert server.load_serving().version == bundle.version
    (copy / MANIFEST_FILE).unlink()
    assert shop.machine("server").load_serving().version == bundle.version


def test_the_cache_keeps_the_newest_versions_only(shop: Shop, trainer: Models, tiny_bundle: Path):
    from dataclasses import replace

    from kyara.recognition.bundle import load_bundle, save_bundle

    server = shop.machine("server")
    bundle = load_bundle(tiny_bundle)
    for number in range(KEPT_VERSIONS + 2):
        save_bundle(replace(bundle, provenance={"number": number}), trainer.folder / f"n{number}")
        trainer.promote(f"n{number}")
        server.load_serving()
    kept = list((shop.folder / "server" / "cache").iterdir())
    assert len(kept) == KEPT_VERSIONS
    assert trainer.load_serving().version in {path.name for path in kept}


def test_a_replaced_folder_does_not_serve_in_the_place_of_what_was_promoted(shop: Shop, trainer: Models):
    first = trainer.promote(FIRST)
    shutil.rmtree(trainer.folder / FIRST)
    shutil.copytree(trainer.folder / SECOND, trainer.folder / FIRST)
    assert trainer.load_serving().version == first.version


def test_without_published_files_a_machine_needs_the_very_bundle(shop: Shop, trainer: Models):
    settings = {"DATABASE_URL": shop.settings["DATABASE_URL"]}
    here = open_models(trainer.folder, settings)
    here.promote(FIRST)
    elsewhere = open_models(shop.folder / "elsewhere", settings)
    with pytest.raises(BundleError, match="no readable model"):
        elsewhere.load_serving()
    shutil.copytree(trainer.folder / SECOND, shop.folder / "elsewhere" / FIRST)
    with pytest.raises(BundleError, match="was replaced since it served"):
        elsewhere.load_serving()
    for models in (here, elsewhere):
        models.close()


def test_the_first_start_promotes_what_was_shipped_once(shop: Shop, trainer: Models):
    promote_bundle(FIRST, trainer.folder)  # as it is shipped: with a registry.json
    machines = [trainer]
    for number in range(2):
        machines.append(shop.machine(f"server{number}"))
        shutil.copytree(trainer.folder, machines[-1].folder, dirs_exist_ok=True)
    threads = [threading.Thread(target=models.begin) for models in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    empty = shop.machine("empty")
    empty.begin()
    assert [step["name"] for step in empty.read().history] == [FIRST]
    assert empty.load_serving().name == FIRST


def test_a_registry_that_cannot_be_reached_is_said_in_one_sentence(tmp_path: Path):
    models = open_models(tmp_path, {"DATABASE_URL": "postgresql+psycopg://kyara@127.0.0.1:1/none"})
    for call in (models.read, models.look, models.load_serving):
        with pytest.raises(KyaraError, match="cannot be reached"):
            call()
