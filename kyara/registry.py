"""Which bundle serves: `model/registry.json` names it and remembers those before it.

The file is replaced whole, by one promoter at a time. Its history is a list of steps, the newest last; a
step without `action` is a promotion. A rollback takes back the newest promotion that has not been.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kyara.backbone import load_backbone
from kyara.bundle import Bundle, load_bundle
from kyara.durable import explain_os_error, hold_lock, replace_file
from kyara.errors import BundleError, KyaraError

MODEL_FOLDER = Path(__file__).resolve().parent.parent / "model"
REGISTRY_FILE = "registry.json"
LOCK_FILE = ".registry.lock"
TAUGHT_FILE = "taught.db"
TAUGHT_VARIABLE = "KYARA_TAUGHT_DATABASE"
DATABASE_VARIABLE = "KYARA_DATABASE_URL"


@dataclass(frozen=True)
class Registry:
    """What serves, and how it came to.

    Attributes:
        serving: name of the bundle that serves; empty where none does.
        history: the steps as they are stored, the oldest first.
    """

    serving: str
    history: tuple[Mapping[str, Any], ...]

    def list_standing(self) -> list[Mapping[str, Any]]:
        """Return the promotions that no rollback has taken back; the last one serves."""
        standing: list[Mapping[str, Any]] = []
        for step in self.history:
            if step.get("action") == "rollback":
                del standing[-1:]
            else:
                standing.append(step)
        return standing


def read_registry(folder: Path = MODEL_FOLDER) -> Registry:
    """Read which bundle serves, and the history; empty where nothing was ever promoted.

    Raises:
        BundleError: the registry cannot be read.
    """
    path = folder / REGISTRY_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        serving, history = stored["serving"], [dict(step) for step in stored["history"]]
    except FileNotFoundError:
        return Registry("", ())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} cannot be read ({error!r}); repair or remove it.") from error
    if not isinstance(serving, str) or Path(serving).name != serving:
        raise BundleError(f"No model serves: {path} names {serving!r}.")
    return Registry(serving, tuple(history))


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


def find_taught(
    folder: Path = MODEL_FOLDER, *, place: str | None = None, database_url: str | None = None
) -> Path | str:
    """Return where taught characters are kept, a file or the URL of a database; it need not exist.

    Args:
        folder: the model folder; a file in it is the default.
        place: a file or a URL; None is that of `KYARA_TAUGHT_DATABASE`, empty is none.
        database_url: for everything, where `place` says nothing; None is that of `KYARA_DATABASE_URL`.
    """
    if place is None:
        place = os.environ.get(TAUGHT_VARIABLE, "")
    if database_url is None:
        database_url = os.environ.get(DATABASE_VARIABLE, "")
    chosen = place or database_url
    return chosen if "://" in chosen else Path(chosen or folder / TAUGHT_FILE)


def promote_bundle(
    name: str,
    folder: Path = MODEL_FOLDER,
    *,
    check: Callable[[str, str], None] = lambda serving, version: None,
    note: Mapping[str, Any] | None = None,
) -> Bundle:
    """Make a bundle the one that serves, after loading and verifying it.

    Args:
        name: of the bundle's folder under `folder`.
        folder: the model folder.
        check: called with the name of the bundle that serves (empty where none does) and the version of
            the new one, while nobody else can promote; refuses by raising.
        note: what else the history says of this step, such as the reason of a forced one.

    Returns:
        The bundle that serves now.

    Raises:
        BundleError: the bundle cannot be loaded, or the registry cannot be read; what served goes on
            serving.
        KyaraError: what `check` raises, or the registry cannot be written; likewise.
    """
    bundle = load_named_bundle(name, folder)
    with _Turn(folder):
        registry = read_registry(folder)
        check(registry.serving, bundle.version)
        _write(folder, name, registry.history, {**_describe_step("promote", bundle), **(note or {})})
    return bundle


def roll_back(folder: Path = MODEL_FOLDER, *, note: Mapping[str, Any] | None = None) -> Bundle:
    """Make the bundle serve that served before the last promotion.

    Args:
        folder: the model folder.
        note: what else the history says of this step.

    Returns:
        The bundle that serves now.

    Raises:
        BundleError: there is none before, it cannot be loaded, or it is another one than it was; what
            served goes on serving.
    """
    with _Turn(folder):
        registry = read_registry(folder)
        standing = registry.list_standing()
        if len(standing) < 2:
            raise BundleError("No model served before this one: there is nothing to roll back to.")
        before, undone = standing[-2:]
        bundle = load_named_bundle(str(before["name"]), folder)
        if bundle.version != before.get("version", bundle.version):
            raise BundleError(
                f"{bundle.name} was replaced since it served (version {before['version']}, now "
                f"{bundle.version}); promote it by name if the new one is wanted."
            )
        step = {**_describe_step("rollback", bundle), "undone": undone["name"], **(note or {})}
        _write(folder, bundle.name, registry.history, step)
    return bundle


def load_named_bundle(name: str, folder: Path = MODEL_FOLDER) -> Bundle:
    """Load and verify a bundle of the model folder, its network as well.

    Raises:
        BundleError: the name leads elsewhere, or the bundle cannot be loaded.
    """
    if Path(name).name != name or not name:
        raise BundleError(f"A bundle is named by its folder under {folder}; received {name!r}.")
    bundle = load_bundle(folder / name)
    load_backbone(bundle)
    return bundle


def _describe_step(action: str, bundle: Bundle) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"name": bundle.name, "version": bundle.version, "at": now, "action": action}


def _write(folder: Path, serving: str, history: tuple[Mapping[str, Any], ...], step: Any) -> None:
    text = json.dumps({"serving": serving, "history": [*history, step]}, ensure_ascii=False, indent=1)
    try:
        replace_file(folder / REGISTRY_FILE, f"{text}\n".encode())
    except OSError as error:
        kept = "What served goes on serving."
        raise explain_os_error(error, str(folder / REGISTRY_FILE), kept) from error


class _Turn:
    """Promoters take turns, in whichever process they are."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE

    def __enter__(self) -> None:
        try:
            self._lock = hold_lock(self._path)
            self._lock.__enter__()
        except OSError as error:
            raise KyaraError(f"{self._path} cannot be locked: {error.strerror or error}.") from error

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(None, None, None)
