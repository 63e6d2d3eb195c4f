"""Real servers for tests: PostgreSQL, Redis, and S3 as moto serves it; each with a port and a folder.

Each is a process that ends with the one that started it. `kill` ends it without a word; `start` after
that, or `restart`, brings it back on the same port. PostgreSQL keeps what was committed; Redis and S3
keep nothing.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import psycopg

START_S = 60
"""Far more than a start takes on a busy machine."""


def find_free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server(ABC):
    """A server process of the tests.

    Attributes:
        folder: of its own, removed by `close`.
        port: at 127.0.0.1; the same after a restart.
        log: what it prints.
    """

    name = ""
    stop_signal = signal.SIGTERM
    user: str | None = None
    """Whom it runs as where the tests run as root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"kyara-{self.name}-"))
        self.port = find_free_port()
        self.log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.runs_as = self.user if os.geteuid() == 0 else None
        if self.runs_as:
            account = pwd.getpwnam(self.runs_as)
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what starts it."""

    def start(self) -> None:
        arguments = ["setpriv", "--pdeathsig", self.stop_signal.name.removeprefix("SIG")]
        if self.runs_as:
            arguments += ["--reuid", self.runs_as, "--regid", self.runs_as, "--clear-groups"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*arguments, "--", *self.command()], cwd=self.folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_end = self.log.read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"{self.name} does not start: {log_end}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            self._process.wait(START_S)
            self._process = None

    def kill(self) -> None:
        if self._process is None:
            return
        processes: list[psutil.Process] = []
        if self._process.poll() is None:
            parent = psutil.Process(self._process.pid)
            parent.suspend()  # it makes no more children
            processes = parent.children(recursive=True)
            self._process.kill()
        for process in processes:
            process.kill()
        self._process.wait()
        psutil.wait_procs(processes, START_S)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Make it hang: connections are taken, and nothing is answered until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


class PostgresServer(Server):
    """A PostgreSQL cluster of its own; what was committed outlives `kill`."""

    name = "postgres"
    stop_signal = signal.SIGINT
    user = "postgres"  # initdb refuses root

    def __init__(self) -> None:
        super().__init__()
        self._data = self.folder / "data"
        self._password = secrets.token_urlsafe(12)
        word = self.folder / "password"
        word.write_text(self._password)
        subprocess.run(
            [
                *(_find_postgres("initdb"), "-D", self._data, "-U", "kyara", "--pwfile", word),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            user=self.runs_as,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        word.unlink()
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n"
                "max_connections = 200\nshared_buffers = 32MB\n"
                "fsync = off\n"  # the system does not crash here, only processes do
            )

    def command(self) -> Sequence[str]:
        return [_find_postgres("postgres"), "-D", str(self._data)]

    def answers(self) -> bool:
        """Tell whether it takes commands; while it starts or recovers it takes connections only."""
        try:
            psycopg.connect(self.address("postgres"), connect_timeout=START_S).close()
        except psycopg.OperationalError:
            return False
        return True

    def address(self, database: str) -> str:
        """Return the address of a database, as PostgreSQL's own tools take it."""
        return f"postgresql://kyara:{self._password}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str) -> str:
        return self.address(database).replace("postgresql:", "postgresql+psycopg:", 1)

    def make_database(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            connection.execute(statement.encode())


class RedisServer(Server):
    """A Redis that keeps everything in memory."""

    name = "redis"

    def command(self) -> Sequence[str]:
        settings = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        settings |= {"dir": str(self.folder), "databases": "16"}
        return [
            "redis-server",
            *(word for key, value in settings.items() for word in (f"--{key}", value)),
        ]

    def url(self, number: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"


class S3Server(Server):
    """Moto's S3, which keeps everything in memory."""

    name = "s3"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "kyara",
            "AWS_SECRET_ACCESS_KEY": "kyara",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def make_bucket(self) -> str:
        name = f"kyara-{secrets.token_hex(6)}"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=START_S).close()
        return name


def _find_postgres(program: str) -> str:
    """Return the newest installed one; Debian keeps them outside the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4])
    )
    path = str(found[-1]) if found else shutil.which(program)
    if path is None:
        raise RuntimeError("PostgreSQL is not installed: run scripts/install_services.sh")
    return path
