"""Asking the model about the inbox, in a process of its own: started here, followed here.

`python -m kyara label --prepare` does the work. Its progress is a file and its life a lock, so a site
that is killed and started again sees how far it is.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from kyara.dataset.folder import INBOX_FOLDER
from kyara.registry import TAUGHT_VARIABLE
from kyara.storage.atomic import explain_os_error, hold_lock, is_held, read_json_object, replace_file
from kyara.storage.jobs import start_command

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
    with ExitStack() as held:
        try:
            inbox.mkdir(parents=True, exist_ok=True)
            busy = f"The model is looking at {inbox} already."
            held.enter_context(hold_lock(inbox / _LOCK_FILE, busy=busy))
        except OSError as error:
            raise explain_os_error(error, str(inbox), "Nothing was changed.") from error
        yield


def note_progress(dataset: Path, done: int, total: int, error: str = "") -> None:
    """Write down how far it is; that is for people to see, so a full disk does not stop the work."""
    state = json.dumps(asdict(Preparing(False, done, total, error)))
    with suppress(OSError):
        replace_file(dataset / INBOX_FOLDER / _STATE_FILE, state)


def read_progress(dataset: Path) -> Preparing:
    """Return how far it is, whoever started it."""
    inbox = dataset / INBOX_FOLDER
    state = {**read_json_object(inbox / _STATE_FILE), "running": is_held(inbox / _LOCK_FILE)}
    names = (field.name for field in fields(Preparing))
    return Preparing(**{name: state[name] for name in names if name in state})


def start_preparing(dataset: Path, models: Path, taught: str | None = None) -> subprocess.Popen[bytes]:
    """Start the process that asks the model; it goes on if the site ends.

    Args:
        dataset: the dataset folder.
        models: the model folder; what serves there is asked.
        taught: where taught characters are kept; by default as `registry.find_taught` says.
    """
    note_progress(dataset, 0, 0)
    arguments = ["label", "--prepare", "--dataset", str(dataset), "--models", str(models)]
    return start_command(arguments, settings={TAUGHT_VARIABLE: taught} if taught else {})
