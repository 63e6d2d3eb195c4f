"""Machines that share a database and an object store, as the tests of the shared registry have them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from two_models import write_two_models

from kyara.errors import BundleError
from kyara.recognition.bundle import MANIFEST_FILE
from kyara.registry import Models, open_models
from kyara.storage.events import Events
from kyara.storage.files import open_files
from kyara.web.serving.model_queue import ModelQueue
from kyara.web.serving.model_watch import ModelWatch


class Follower:
    """A server's model, without the web around it."""

    def __init__(self, models: Models, taught: Path) -> None:
        self.queue = ModelQueue(6)
        self.watch = ModelWatch(self.queue, models, taught, Events(""))
        self.watch.start()

    @property
    def name(self) -> str:
        try:
            return self.queue.classifier.bundle.name
        except BundleError:
            return ""


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
        folder = self.folder / name / "model"
        folder.mkdir(parents=True, exist_ok=True)
        settings = {**self.settings, "CACHE_FOLDER": str(self.folder / name / "cache")}
        self.opened.append(open_models(folder, settings))
        return self.opened[-1]

    def follow(self, name: str) -> Follower:
        self.followers.append(Follower(self.machine(name), self.folder / "taught.db"))
        return self.followers[-1]

    def close(self) -> None:
        for follower in self.followers:
            follower.watch.stop()
        for models in self.opened:
            models.close()

    def files(self) -> Any:
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
