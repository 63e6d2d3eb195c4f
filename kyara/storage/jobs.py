"""Long learning work that runs in a process of its own, with its state in files.

    runs/<job>/order.json    what was asked for: enough to go on after a kill
    runs/<job>/status.json   how far it is; replaced whole
    runs/<job>/.lock         held as long as the process lives
    runs/.retrain.lock       held by whoever trains: one at a time

The site starts, lists and shows jobs by these files alone, so a site that is killed loses nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError, BusyError
from kyara.storage.atomic import hold_lock, is_held, replace_file
from kyara.storage.clock import stamp_time
from kyara.storage.paths import COMMAND_FOLDER

ORDER_FILE = "order.json"
STATUS_FILE = "status.json"
LOG_FILE = "log.txt"
RUN_FOLDER = "run"
"""Of a job: the checkpoints."""
JOB_LOCK = ".lock"
MAX_LAST_BYTES = 2_000
"""Of a log: more than its last line."""
BUSY = "A training is running already; wait for its end."
RUNS_LOCK = ".retrain.lock"
ENDED = ("done", "failed")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    Attributes:
        job: its name, and that of its candidate.
        recipe: of the training.
        stage: `waiting`, `dataset`, `training`, `comparing`, `done` or `failed`.
        running: whether its process lives; found out when it is read.
        started_at: ISO 8601.
        updated_at: ISO 8601.
        epoch: finished epochs.
        epochs: in all; 0 before that is known.
        loss: of the last epoch.
        seconds_left: of the training, from the epochs so far.
        serving: name of the bundle that it is compared with.
        dataset_version: what it is trained on.
        error: why it failed.
        falls: what the gate would say; empty where it may pass.
    """

    job: str
    recipe: str
    stage: str = "waiting"
    running: bool = False
    started_at: str = ""
    updated_at: str = ""
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    serving: str = ""
    dataset_version: str = ""
    error: str = ""
    falls: tuple[str, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether it was killed before its end: `retrain --resume` goes on."""
        return not self.running and self.stage not in ENDED

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "falls": list(self.falls), "interrupted": self.interrupted}


def check_job_name(name: str) -> str:
    """Return a job's name, unchanged.

    Raises:
        BadInputError: it cannot be a folder's name.
    """
    if not _NAME.fullmatch(name) or name.endswith((".partial", ".old")):
        raise BadInputError(
            f"A name has up to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit; "
            f"received {ascii(name)[:80]}."
        )
    return name


def write_status(runs: Path, status: JobStatus) -> None:
    """Replace a job's status."""
    folder = runs / status.job
    folder.mkdir(parents=True, exist_ok=True)
    stored = {**asdict(replace(status, updated_at=stamp_time())), "falls": list(status.falls)}
    del stored["running"]
    replace_file(folder / STATUS_FILE, json.dumps(stored, ensure_ascii=False, indent=1) + "\n")


def read_status(runs: Path, job: str) -> JobStatus | None:
    """Return how far a job is; None where there is no such job."""
    folder = runs / check_job_name(job)
    try:
        stored = json.loads((folder / STATUS_FILE).read_text(encoding="utf-8"))
        falls = tuple(str(fall) for fall in stored.pop("falls", ()))
        return JobStatus(**{**stored, "job": job}, falls=falls, running=is_held(folder / JOB_LOCK))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def read_last_words(runs: Path, job: str) -> str:
    """Return the last line that a job's process wrote; empty where it wrote nothing."""
    try:
        lines = (runs / check_job_name(job) / LOG_FILE).read_bytes()[-MAX_LAST_BYTES:].splitlines()
    except OSError:
        return ""
    said = [line.decode(errors="replace").strip() for line in lines]
    return next((line for line in reversed(said) if line), "")


def list_jobs(runs: Path) -> list[JobStatus]:
    """Return every job, the newest first."""
    found = [
        status
        for path in runs.glob(f"*/{STATUS_FILE}")
        if _NAME.fullmatch(path.parent.name) and (status := read_status(runs, path.parent.name))
    ]
    return sorted(found, key=lambda status: (status.started_at, status.job), reverse=True)


def write_order(runs: Path, job: str, order: Mapping[str, Any]) -> None:
    """Note what was asked for."""
    folder = runs / check_job_name(job)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / ORDER_FILE, (json.dumps(order, indent=1) + "\n").encode())


def check_free(runs: Path, models: Path, job: str) -> None:
    """Refuse a name that is taken.

    Raises:
        BadInputError: a job or a bundle of that name is there already, or it cannot be a name.
    """
    if (models / check_job_name(job)).exists() or (runs / job / RUN_FOLDER).exists():
        raise BadInputError(f"There is a job or a bundle {job} already; give another name.")


def read_order(runs: Path, job: str) -> dict[str, Any]:
    """Return what was asked for.

    Raises:
        BadInputError: there is no such job.
    """
    path = runs / check_job_name(job) / ORDER_FILE
    try:
        order = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"There is no job {job} to go on with: {path} cannot be read.") from error
    return dict(order)


@contextmanager
def hold_job(runs: Path, job: str) -> Iterator[None]:
    """Be the one process that trains, and that does this job.

    Raises:
        BusyError: another one trains.
    """
    (runs / check_job_name(job)).mkdir(parents=True, exist_ok=True)
    with hold_lock(runs / RUNS_LOCK, busy=BUSY), hold_lock(runs / job / JOB_LOCK, busy=BUSY):
        yield


def start_retraining(runs: Path, job: str, recipe: str, arguments: Sequence[str]) -> None:
    """Start `python -m kyara retrain`; see `start_command`.

    Raises:
        BusyError: another one trains.
        BadInputError: the name cannot be one.
    """
    folder = runs / check_job_name(job)
    folder.mkdir(parents=True, exist_ok=True)
    if is_held(runs / RUNS_LOCK):
        raise BusyError(BUSY)
    if read_status(runs, job) is None:
        write_status(runs, JobStatus(job, recipe, started_at=stamp_time()))
    start_command(["retrain", *arguments, "--name", job, "--runs", str(runs)], folder / LOG_FILE)


def start_command(
    arguments: Sequence[str], log: Path = Path(os.devnull), settings: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command of Kyara in a session of its own: it goes on if the site ends.

    Args:
        arguments: the command and what it takes.
        log: file that its output is added to.
        settings: environment variables; others can read the command line, but not these.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kyara", *arguments],
            cwd=COMMAND_FOLDER,
            env={**os.environ, **(settings or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # reaps it: nobody else may wait for it
    return process
