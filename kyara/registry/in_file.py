"""Steps in `model/registry.json`, which is replaced whole, by one promoter at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from kyara.errors import BundleError, KyaraError
from kyara.registry.history import Registry, Step
from kyara.storage.atomic import explain_os_error, hold_lock, replace_file

REGISTRY_FILE = "registry.json"
LOCK_FILE = ".registry.lock"


class FileSteps:
    """The steps of a model folder; see `history.StepKeeper`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / REGISTRY_FILE

    def read(self) -> Registry:
        """Read the file; empty if there is none."""
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            serving = stored["serving"]
            history: list[dict[str, Any]] = [dict(step) for step in stored.get("history", ())]
        except FileNotFoundError:
            return Registry("", ())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BundleError(
                f"No model serves: {self._path} cannot be read ({error!r}); repair or remove it."
            ) from error
        if not isinstance(serving, str) or Path(serving).name != serving:
            raise BundleError(f"No model serves: {self._path} names {serving!r}.")
        return Registry(serving, tuple(history))

    @contextmanager
    def change(self) -> Iterator[tuple[Registry, Callable[[Step], None]]]:
        """Hold the lock file meanwhile."""
        lock = self._folder / LOCK_FILE
        with ExitStack() as held:
            try:
                held.enter_context(hold_lock(lock))
            except OSError as error:
                raise KyaraError(f"{lock} cannot be locked: {error.strerror or error}.") from error
            registry = self.read()
            added: list[Step] = []
            yield registry, added.append
            if added:
                self._write([*registry.history, *added])

    def look(self) -> Hashable:
        """Return time, place and size of the file; None if there is none."""
        try:
            about = os.stat(self._path)
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino, about.st_size

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _write(self, history: list[Step]) -> None:
        stored = {"serving": history[-1]["name"], "history": history}
        text = json.dumps(stored, ensure_ascii=False, indent=1)
        try:
            replace_file(self._path, f"{text}\n")
        except OSError as error:
            kept = "What served goes on serving."
            raise explain_os_error(error, str(self._path), kept) from error
