"""Servers follow the shared registry: they switch together, and an outage stops none of them."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from pathlib import Path

import pytest
from command_line import run_kyara
from drawings import LABELS
from services import PostgresServer, S3Server
from shared_models import Shop, forge
from two_models import FIRST, SECOND, copy_model, write_two_models
from waiting import wait_until

from kyara.errors import BusyError, StorageAwayError
from kyara.registry import Models, read_registry
from kyara.storage.files import objects
from kyara.web.serving import model_watch


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


def test_every_server_switches_and_a_bad_bundle_switches_none(
    shop: Shop, trainer: Models, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_watch, "RETRY_S", (0.2,))
    followers = [shop.follow(f"s{number}") for number in range(2)]
    assert [one.name for one in followers] == ["", ""]
    trainer.promote(FIRST)
    wait_until(lambda: all(one.name == FIRST for one in followers), 60)
    bundle = trainer.promote(SECOND)
    wait_until(lambda: all(one.name == SECOND for one in followers), 60)
    trainer.roll_back()
    wait_until(lambda: all(one.name == FIRST for one in followers), 60)
    for number in range(2):
        shutil.rmtree(shop.folder / f"s{number}" / "cache" / bundle.version)
    forge(shop, SECOND, bundle.version, thoroughly=False)
    # The step alone, as if the copy had gone bad after the promotion.
    caplog.clear()
    with caplog.at_level(logging.ERROR, logger="kyara"):
        with trainer._steps.change() as (registry, add):
            add(registry.history[1])
        wait_until(lambda: len(caplog.records) == 2, 60)
        pause = threading.Event()
        pause.wait(1)
        assert [one.name for one in followers] == [FIRST, FIRST]
        assert len(caplog.records) == 2, "each says it once"
    trainer._bundles.publish(bundle)
    wait_until(lambda: all(one.name == SECOND for one in followers), 60)


def test_a_server_survives_an_outage_of_the_database_and_of_the_files(
    own_s3: S3Server, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_watch, "RETRY_S", (0.2,))
    monkeypatch.setattr(objects, "PAUSE_S", 0.0)
    postgres = PostgresServer()
    shop = Shop({}, tmp_path)
    try:
        postgres.start()
        shop.settings["DATABASE_URL"] = postgres.url(postgres.make_database())
        shop.settings["FILES_URL"] = f"s3://{own_s3.make_bucket()}"
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
        own_s3.suspend()
        with monkeypatch.context() as impatient, pytest.raises(StorageAwayError):
            impatient.setattr(trainer._bundles._published, "_deadline_s", 1.0)
            trainer.promote(SECOND)
        assert trainer.read().serving == FIRST  # not published whole, so not promoted
        own_s3.resume()
        trainer.promote(SECOND)
        wait_until(lambda: follower.name == SECOND, 60)
    finally:
        shop.close()
        postgres.close()
