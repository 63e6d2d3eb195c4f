"""Several servers on one database and one object store: what serves, everywhere, and nothing else."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command_line import run_kyara
from drawings import LABELS
from services import PostgresServer, S3Server
from two_models import FIRST, SECOND, copy_model, write_two_models

from kyara.bundle import MANIFEST_FILE
from kyara.errors import BundleError, BusyError, KyaraError, StorageAwayError
from kyara.events import Events
from kyara.files import objects, open_files
from kyara.gate import GateError
from kyara.promotion import promote_candidate
from kyara.registry import Models, open_models, promote_bundle, read_registry
from kyara.registry.shelf import KEPT_VERSIONS
from kyara.web import model_watch
from kyara.web.model_queue import ModelQueue
from kyara.web.model_watch import ModelWatch


@dataclass
class Shop:
    """A database and a place for files, and machines that share them.

    Attributes:
        settings: that all machines have.
        folder: one folder a machine is in here.
    """

    settings: dict[str, str]
    folder: Path
    opened: list[Models] = field(default_factory=list)
    followers: list[Follower] = field(default_factory=list)

    def machine(self, name: str) -> Models:
        """Return the models as a machine sees them; its own model folder may be empty."""
        folder = self.folder / name / "model"
        folder.mkdir(parents=True, exist_ok=True)
        settings = {**self.settings, "CACHE_FOLDER": str(self.folder / name / "cache")}
        self.opened.append(open_models(folder, settings))
        return self.opened[-1]

    def follow(self, name: str) -> Follower:
        """Return a server on a machine."""
        self.followers.append(Follower(self.machine(name), self.folder / "taught.db"))
        return self.followers[-1]

    def close(self) -> None:
        """End every server and close every database."""
        for follower in self.followers:
            follower.watch.stop()
        for models in self.opened:
            models.close()

    def files(self) -> Any:
        """Return the published files."""
        return open_files(self.settings["FILES_URL"], "model", Path("/nowhere"))


@pytest.fixture(params=["postgres and s3", "sqlite and memory"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "postgres and s3":
        database, files = (request.getfixturevalue(name) for name in ("postgres_url", "s3_url"))
    else:
        database, files = f"sqlite:///{tmp_path / 'shared.db'}", f"memory:/{tmp_path}"
    shop = Shop({"DATABASE_URL": database, "FILES_URL": files}, tmp_path / "machines")
    yield shop
    shop.close()


@pytest.fixture
def trainer(shop: Shop, tiny_bundle: Path) -> Models:
    """A machine that has both bundles in its model folder; none serves."""
    models = shop.machine("trainer")
    write_two_models(tiny_bundle, models.folder)
    return models


def wait_until(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.02)


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


def forge(shop: Shop, name: str, version: str, *, thoroughly: bool) -> None:
    """Change a published head, and where `thoroughly`, the manifest so that it agrees."""
    files, place = shop.files(), f"{name}/{version}"
    head = files.read(f"{place}/head.npz") + b"\0"
    manifest = json.loads(files.read(f"{place}/{MANIFEST_FILE}"))
    manifest["files"]["head.npz"] = hashlib.sha256(head).hexdigest()
    files.remove(f"{place}/head.npz")
    files.write(f"{place}/head.npz", head)
    if thoroughly:
        files.remove(f"{place}/{MANIFEST_FILE}")
        files.write(f"{place}/{MANIFEST_FILE}", json.dumps(manifest).encode())


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

    from kyara.bundle import load_bundle, save_bundle

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


def test_the_commands_follow_the_environment(
    postgres_url: str,
    s3_url: str,
    tiny_bundle: Path,
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("KYARA_DATABASE_URL", postgres_url)
    monkeypatch.setenv("KYARA_FILES_URL", s3_url)
    monkeypatch.setenv("KYARA_CACHE_FOLDER", str(tmp_path / "cache"))
    copy_model(tiny_bundle, tmp_path / "model", "good")
    run_kyara("promote", "good", "--models", tmp_path / "model")
    shutil.rmtree(tmp_path / "model" / "good")
    face = tiny_data / LABELS[0] / "000.png"
    answer = json.loads(run_kyara("identify", face, "--whole", "--json").stdout)
    assert answer["model"]["name"] == "good"
    history = read_registry(tmp_path / "empty").history
    assert [step["name"] for step in history] == ["good"]


class Follower:
    """A server's model, without the web around it."""

    def __init__(self, models: Models, taught: Path) -> None:
        self.queue = ModelQueue(None, "", 6)
        self.watch = ModelWatch(self.queue, models, taught, Events(""))
        self.watch.start()

    @property
    def name(self) -> str:
        try:
            return self.queue.classifier.bundle.name
        except BundleError:
            return ""


def test_every_server_switches_and_a_bad_bundle_switches_none(
    shop: Shop, trainer: Models, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_watch, "RETRY_S", (0.2,))
    followers = [shop.follow(f"s{number}") for number in range(2)]
    assert [one.name for one in followers] == ["", ""]
    trainer.promote(FIRST)
    wait_until(lambda: all(one.name == FIRST for one in followers))
    bundle = trainer.promote(SECOND)
    wait_until(lambda: all(one.name == SECOND for one in followers))
    trainer.roll_back()
    wait_until(lambda: all(one.name == FIRST for one in followers))
    for number in range(2):
        shutil.rmtree(shop.folder / f"s{number}" / "cache" / bundle.version)
    forge(shop, SECOND, bundle.version, thoroughly=False)
    # The step alone, as if the copy had gone bad after the promotion.
    caplog.clear()
    with caplog.at_level(logging.ERROR, logger="kyara"):
        with trainer._steps.change() as (registry, add):
            add(registry.history[1])
        wait_until(lambda: len(caplog.records) == 2)
        pause = threading.Event()
        pause.wait(1)
        assert [one.name for one in followers] == [FIRST, FIRST]
        assert len(caplog.records) == 2, "each says it once"
    trainer._shelf.publish(bundle)
    wait_until(lambda: all(one.name == SECOND for one in followers))


def test_a_server_survives_an_outage_of_the_database_and_of_the_files(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_watch, "RETRY_S", (0.2,))
    monkeypatch.setattr(objects, "PAUSE_S", 0.0)
    postgres, s3 = PostgresServer(), S3Server()
    shop = Shop({}, tmp_path)
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    try:
        postgres.start()
        s3.start()
        shop.settings["DATABASE_URL"] = postgres.url(postgres.make_database())
        shop.settings["FILES_URL"] = f"s3://{s3.make_bucket()}"
        trainer = shop.machine("trainer")
        write_two_models(tiny_bundle, trainer.folder)
        trainer.promote(FIRST)
        follower = shop.follow("server")
        assert follower.name == FIRST
        postgres.kill()
        with pytest.raises(BusyError, match="cannot be reached"):
            trainer.promote(SECOND)
        assert follower.name == FIRST
        postgres.start()
        monkeypatch.setattr(trainer._shelf._published, "_deadline_s", 1.0)
        s3.suspend()
        with pytest.raises(StorageAwayError):
            trainer.promote(SECOND)
        assert trainer.read().serving == FIRST  # not published whole, so not promoted
        s3.resume()
        trainer.promote(SECOND)
        wait_until(lambda: follower.name == SECOND)
    finally:
        shop.close()
        postgres.close()
        s3.close()


def test_a_registry_that_cannot_be_reached_is_said_in_one_sentence(tmp_path: Path):
    models = open_models(tmp_path, {"DATABASE_URL": "postgresql+psycopg://kyara@127.0.0.1:1/none"})
    for call in (models.read, models.look, models.load_serving):
        with pytest.raises(KyaraError, match="cannot be reached"):
            call()
