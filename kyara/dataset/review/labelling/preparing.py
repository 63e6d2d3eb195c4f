"""Asking the model about the inbox, in a process of its own: started here, followed here.

`python -m kyara label --prepare` does the work. Its progress is a file and its life a lock, so a site
that is killed and started again sees how far it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kyara.dataset.folder import INBOX_FOLDER
from kyara.registry import TAUGHT_VARIABLE
from kyara.storage.atomic import explain_os_error, hold_lock, is_held
from kyara.storage.paths import COMMAND_FOLDER

_LOCK_FILE = ".preparing.lock"
_STATE_FILE = ".preparing.json"


@dataclass(frozen=True)
class Preparing:
    """How far the model is with the inbox.

    Attributes:
        running: a process is at it.
        done: faces that it has seen.
        total: faces that it is to see.
        error: why the last one ended early, or empty.
    """

    running: bool = False
    done: int = 0
    total: int = 0
    error: str = ""


@contextmanager
def hold_preparing(dataset: Path) -> Iterator[None]:
    """Be the one process that prepares.

    Raises:
        BusyError: another is at it.
        KyaraError: the inbox cannot be written.
    """
    inbox = dataset / INBOX_FOLDER
    try:
        inbox.mkdir(parents=True, exist_ok=True)
        lock = hold_lock(inbox / _LOCK_FILE, busy=f"The model is looking at {inbox} already.")
        lock.__enter__()
    except OSError as error:
        raise explain_os_error(error, str(inbox), "Nothing was changed.") from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def note_progress(dataset: Path, done: int, total: int, error: str = "") -> None:
    """Write down how far it is; that is for people to see, so a full disk does not stop the work."""
    path = dataset / INBOX_FOLDER / _STATE_FILE
    partial = path.with_suffix(".partial")
    with suppress(OSError):
        partial.write_text(json.dumps(asdict(Preparing(False, done, total, error))), encoding="utf-8")
        os.replace(partial, path)


def read_progress(dataset: Path) -> Preparing:
    """Return how far it is, whoever started it."""
    inbox = dataset / INBOX_FOLDER
    try:
        state = json.loads((inbox / _STATE_FILE).read_text(encoding="utf-8"))
        last = Preparing(False, int(state["done"]), int(state["total"]), str(state["error"]))
    except (OSError, ValueError, KeyError, TypeError):
        last = Preparing()
    return Preparing(is_held(inbox / _LOCK_FILE), last.done, last.total, last.error)


def start_preparing(dataset: Path, models: Path, taught: str | None = None) -> subprocess.Popen[bytes]:
    """Start the process that asks the model; it goes on if the site ends.

    Args:
        dataset: the dataset folder.
        models: the model folder; what serves there is asked.
        taught: where taught characters are kept; by default as `registry.find_taught` says.
    """
    note_progress(dataset, 0, 0)
    arguments = ["label", "--prepare", "--dataset", str(dataset), "--models", str(models)]
    # Not on the command line, which others can read: a database's address has a password in it.
    place = {TAUGHT_VARIABLE: taught} if taught else {}
    return subprocess.Popen(
        [sys.executable, "-m", "kyara", *arguments],
        cwd=COMMAND_FOLDER,
        env={**os.environ, **place},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
