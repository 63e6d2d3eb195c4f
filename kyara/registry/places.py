"""The one place where a configuration decides who keeps the steps and where bundles are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kyara.registry.in_database import DatabaseSteps
from kyara.registry.in_file import FileSteps
from kyara.registry.models import Models
from kyara.registry.published import BundleStore
from kyara.storage.events import Events
from kyara.storage.files import open_files
from kyara.storage.paths import INSTANCE_FOLDER, MODEL_FOLDER

PUBLISHED = "model"
"""Below `FILES_URL`."""
CACHE = "cache"
BUNDLE_FILE_DEADLINE_S = 120.0


def open_models(
    folder: Path = MODEL_FOLDER,
    settings: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> Models:
    """Return the models of a configuration; nothing is read yet.

    Args:
        folder: the model folder.
        settings: `DATABASE_URL`, `FILES_URL` and so on; by default those of the environment, as
            `KYARA_DATABASE_URL`.
        events: tells other servers; by default those of the settings.

    Raises:
        BadInputError: a URL cannot be used.
    """
    chosen = read_places() if settings is None else settings
    steps = DatabaseSteps(url) if (url := chosen.get("DATABASE_URL")) else FileSteps(folder)
    published = None
    if url := chosen.get("FILES_URL"):
        endpoint = chosen.get("FILES_ENDPOINT_URL") or ""
        published = open_files(url, PUBLISHED, folder, endpoint, deadline_s=BUNDLE_FILE_DEADLINE_S)
    instance = Path(chosen.get("INSTANCE_FOLDER") or INSTANCE_FOLDER)
    cache = Path(chosen.get("CACHE_FOLDER") or instance / CACHE)
    return Models(
        BundleStore(folder, published, cache), steps, events or Events(chosen.get("REDIS_URL") or "")
    )


def read_places() -> dict[str, Any]:
    """Return the settings of the environment, as a configuration has them."""
    from kyara.storage.settings import PlaceSettings  # not for those who bring their own settings

    return {name.upper(): value for name, value in PlaceSettings.read()}
