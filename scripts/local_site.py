"""Start the site on this machine, as `make run` does, in a process group of its own.

The benchmark, the screenshots and the tests use it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from urllib.error import HTTPError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
_LISTENING = "Listening at: http://127.0.0.1:"


class Server:
    """A running site; used in a `with` statement it ends with the block.

    Attributes:
        url: where it answers, without a slash at the end.
        port: of that address.
        reports: its report folder.
        process: gunicorn's parent process, leader of its process group.
        log: the lines that it has written so far.
    """

    def __init__(
        self,
        reports: Path,
        *,
        model: Path | None = None,
        port: int = 0,
        wait: bool = True,
        launcher: Sequence[str] = (),
        drain_s: float = 0,
        application: str = "",
        **settings: object,
    ) -> None:
        """Start gunicorn and wait until it answers.

        Args:
            reports: report folder.
            model: model folder; by default the one that ships.
            port: to listen at; 0 lets the system choose.
            wait: return only when the application answers, not already when gunicorn listens.
            drain_s: how long it takes connections after SIGTERM.
            launcher: a command that is put before gunicorn's.
            application: another WSGI application, `module:call`, than gunicorn.conf.py names.
            settings: configuration keys of `app.DEFAULTS`.

        Raises:
            RuntimeError: gunicorn ended without listening; the message holds what it said.
        """
        configuration = {
            "REPORT_FOLDER": reports,
            "RATE_LIMITS": "",  # tests and benchmarks are many clients behind one address
            "REPORT_SENDER_QUOTA": 0,
            **({"MODEL_FOLDER": model} if model else {}),
            **settings,
        }
        environment = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "DRAIN_S": str(drain_s)}
        environment |= {f"KYARA_{name}": str(value) for name, value in configuration.items()}
        self.reports = reports
        self.process = subprocess.Popen(
            [*launcher, sys.executable, "-m", "gunicorn", *filter(None, [application])],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.log: list[str] = []
        self.port = self._read_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._reader = threading.Thread(target=self.log.extend, args=(self.process.stderr,))
        self._reader.start()
        if wait:
            self._wait_for_answer()

    def _read_port(self) -> int:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if _LISTENING in line:
                return int(line.split(_LISTENING)[1].split()[0])
        self.process.wait()
        self.process.stderr.close()
        raise RuntimeError("gunicorn did not start:\n" + "".join(self.log))

    def _wait_for_answer(self) -> None:
        try:
            urlopen(f"{self.url}/healthz", timeout=60).close()
        except HTTPError as error:  # it is up, without a model
            error.close()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal the whole process group and wait for its end; harmless when it has ended."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait()
        self._reader.join()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
