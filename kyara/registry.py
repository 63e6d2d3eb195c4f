"""Which bundle serves: `model/registry.json` names it and remembers those before it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from kyara.backbone import load_backbone
from kyara.bundle import Bundle, load_bundle, write_whole
from kyara.errors import BundleError

MODEL_FOLDER = Path(__file__).resolve().parent.parent / "model"
REGISTRY_FILE = "registry.json"
TAUGHT_FILE = "taught.db"
TAUGHT_VARIABLE = "KYARA_TAUGHT_DATABASE"


def find_serving(folder: Path = MODEL_FOLDER) -> Path:
    """Return the folder of the bundle that serves.

    Raises:
        BundleError: no registry, or it cannot be read.
    """
    path = folder / REGISTRY_FILE
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["serving"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"No model serves: {path} cannot be read ({error!r}).") from error
    if not isinstance(name, str) or Path(name).name != name:
        raise BundleError(f"No model serves: {path} names {name!r}.")
    return folder / name


def find_taught(folder: Path = MODEL_FOLDER) -> Path:
    """Return the file of taught characters; it need not exist.

    `KYARA_TAUGHT_DATABASE` in the environment names another one than `taught.db` in the model folder.
    """
    return Path(os.environ.get(TAUGHT_VARIABLE) or folder / TAUGHT_FILE)


def promote_bundle(name: str, folder: Path = MODEL_FOLDER) -> Bundle:
    """Make a bundle the one that serves, after loading and verifying it.

    Args:
        name: of the bundle's folder under `folder`.
        folder: the model folder.

    Returns:
        The bundle that serves now.

    Raises:
        BundleError: the bundle cannot be loaded, or the registry cannot be read; what served goes on
            serving.
    """
    bundle = load_bundle(folder / name)
    load_backbone(bundle)
    path = folder / REGISTRY_FILE
    try:
        history = json.loads(path.read_text(encoding="utf-8"))["history"] if path.exists() else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} cannot be read ({error!r}); repair or remove it.") from error
    entry = {
        "name": name,
        "version": bundle.version,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_whole(path, json.dumps({"serving": name, "history": [*history, entry]}, indent=1) + "\n")
    return bundle
