"""The gunicorn worker that serves Kyara: waitress reads and writes, threads only think.

gunicorn's master starts the process, watches it, and starts another one where it dies. In the process
one loop (waitress) reads requests whole and writes answers, for hundreds of connections at once; a
thread takes a request when it is complete. Who sends slowly, or never reads the answer, holds no thread,
and is disconnected after a while. On SIGTERM `/readyz` says no at once; what was accepted is finished.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import time
import uuid
from types import FrameType
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, Task, WSGITask
from waitress.utilities import RequestEntityTooLarge

from kyara.web.serving.heap import Heap
from kyara.web.serving.process import ARRIVED, FIELDS, REQUEST_ID_HEADER, stopping

ARRIVAL_S = 60
"""In this time a request, from its first byte to its last, has to be here."""
IDLE_S = 75
"""So long a connection without a request stays open; longer than nginx keeps its own."""
STALL_S = 30
"""So long a client may read nothing of its answer."""
MAX_ARRIVING_BYTES = 256 * 1024 * 1024
"""Of all requests together that are not complete; past it the oldest of them are let go."""
MAX_DROPPED_BYTES = 64 * 1024 * 1024
"""Up to this size a body that is too large is read to its end, and not kept."""
MAX_BODY_BYTES = 8 * 1024 * 1024
"""Where the application does not say."""
MAX_CONNECTIONS = 1_000
MAX_HEADER_BYTES = 32 * 1024
LINGER_S = 0.4
"""So long a stopping process waits for what may be on its way over a connection that says nothing."""
_SWEEP_EVERY_S = 1.0
_FINISH_MARGIN_S = 2.0

logger = logging.getLogger("kyara.requests")


class Arrival(HTTPRequestParser):
    """A request on its way in; knows when it began and when it was complete."""

    def __init__(self, adj: Any) -> None:
        """Begin now."""
        super().__init__(adj)
        self.began = self.arrived = time.monotonic()
        self._unread = 0

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header. With a length and chunks it could mean two things, one to a proxy in front.

        Raises:
            ParsingError: it is refused, and the connection closed.

        Source: RFC 9112, section 6.3. Section 6.1 would have 501 for an unknown transfer coding;
        here it is 400: whoever watches for 5xx sees only what the site did wrong, or cannot do now.
        """
        try:
            super().parse_header(header_plus)
        except TransferEncodingNotImplemented as error:
            raise ParsingError(str(error)) from error
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Both Content-Length and Transfer-Encoding are given")

    def received(self, data: bytes) -> int:
        """Take bytes. A body that is too large is dropped as it comes: its sender reads the answer."""
        if self._unread:
            taken = min(len(data), self._unread)
            self._unread -= taken
            self.completed = not self._unread
        else:
            taken = super().received(data)
            if self._is_to_be_dropped():
                self._unread, self.completed = self.content_length, False
        if self.completed:
            self.arrived = time.monotonic()
        return taken

    def _is_to_be_dropped(self) -> bool:
        too_large = isinstance(self.error, RequestEntityTooLarge)
        return too_large and not self.expect_continue and 0 < self.content_length <= MAX_DROPPED_BYTES


class _WholeTask(Task):
    """Answers in one piece, and tells the client that the connection ends, while the process does."""

    def build_response_header(self) -> bytes:
        """Return the header."""
        if stopping.is_set():
            self.set_close_on_finish()
        return super().build_response_header()

    def write(self, data: bytes) -> None:
        """Write a part of the answer; one that is all of it goes together with the header.

        So a process that is killed has sent all or nothing; after nothing nginx asks the next server.
        """
        if self.wrote_header or self.content_length != len(data) or not self.has_body:
            super().write(data)
            return
        self.channel.write_soon(self.build_response_header() + data)
        self.wrote_header = True
        self.content_bytes_written = len(data)


class Answer(_WholeTask, WSGITask):
    """Asks the application, and tells it when the request was here."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment."""
        environ = super().get_environment()
        request: Any = self.request
        environ[ARRIVED] = request.arrived
        return environ


class Refusal(_WholeTask, ErrorTask):
    """What a request gets that never reaches the application: problem details, as from there."""

    def execute(self) -> None:
        """Answer."""
        request: Any = self.request
        error = request.error
        self.status = f"{error.code} {error.reason}"
        request_id = uuid.uuid4().hex
        problem = {
            "type": "about:blank",
            "title": error.reason,
            "status": error.code,
            "detail": f"The request was refused before it was read: {error.reason.lower()}.",
            "request_id": request_id,
        }
        body = json.dumps(problem).encode()
        self.response_headers = [
            ("Content-Type", "application/problem+json"),
            ("X-Content-Type-Options", "nosniff"),
            (REQUEST_ID_HEADER, request_id),
        ]
        fields = {"request_id": request_id, "status": error.code}
        logger.info("refused unread %s", error.code, extra={FIELDS: fields})
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):
    """A client's connection."""

    request: Any
    parser_class = Arrival
    task_class = Answer
    error_task_class = Refusal

    def count_arriving_bytes(self) -> int:
        """Return how much is here of a request that is not complete."""
        return 0 if self.request is None else self.request.body_bytes_received

    def has_stalled(self, now: float) -> bool:
        """Tell whether the client is to be waited for no longer.

        Args:
            now: `time.monotonic()`.
        """
        quiet_s = time.time() - self.last_activity
        if self.request is not None:
            return now - self.request.began > ARRIVAL_S
        if self.total_outbufs_len:
            return quiet_s > STALL_S
        return not self.requests and quiet_s > IDLE_S

    def is_busy(self) -> bool:
        """Tell whether a request is coming or being answered, or an answer is being read."""
        return bool(self.requests or self.request is not None or self.total_outbufs_len)


class BufferingWorker(Worker):
    """Serves until SIGTERM, then finishes what it accepted."""

    def run(self) -> None:
        """Serve."""
        from kyara.web.serving.server_settings import ServerSettings  # not in the master

        self._drain_s = ServerSettings.read().drain_s
        self._heap = Heap()
        self._connections: dict[int, Any] = {}
        application: Any = self.wsgi
        listening: list[Any] = self.sockets
        longest = getattr(application, "config", {}).get("MAX_CONTENT_LENGTH", MAX_BODY_BYTES) + 1
        self._server = create_server(
            application,
            map=self._connections,
            sockets=[listener.sock for listener in listening],
            threads=self.cfg.threads,
            ident=None,
            server_name="localhost",
            clear_untrusted_proxy_headers=False,  # the application trusts them only as configured
            connection_limit=_count_connections(),
            channel_request_lookahead=1,  # so that a client who goes away is noticed
            cleanup_interval=10**9,  # `_sweep` does it
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=longest,
            inbuf_overflow=longest,  # pictures are never on disk
            recv_bytes=256 * 1024,  # every read costs a look at all connections
            asyncore_use_poll=True,
            log_socket_errors=False,
        )
        self._listeners = [one for one in self._connections.values() if isinstance(one, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = Connection
        self._next_sweep = 0.0
        while self.alive and self._has_parent():
            self._turn()
        stopping.set()
        self._finish()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        stopping.set()
        super().handle_exit(sig, frame)
        for listener in getattr(self, "_listeners", ()):
            listener.pull_trigger()

    def _turn(self, timeout_s: float = 1.0) -> None:
        """Read and write what can be, and say that this process lives."""
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._connections, count=1)
        self.notify()
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + _SWEEP_EVERY_S
            self._sweep()
            self._heap.give_back()

    def _has_parent(self) -> bool:
        return self.ppid == os.getppid()

    def _list_clients(self) -> list[Connection]:
        return [one for one in self._connections.values() if isinstance(one, Connection)]

    def _sweep(self) -> None:
        """Let go of clients who take too long."""
        now = time.monotonic()
        clients = self._list_clients()
        for client in clients:
            if client.has_stalled(now):
                client.will_close = True
        arriving = [client for client in clients if client.request is not None and not client.will_close]
        held_bytes = sum(client.count_arriving_bytes() for client in arriving)
        for client in sorted(arriving, key=lambda one: one.request.began if one.request else now):
            if held_bytes <= MAX_ARRIVING_BYTES:
                break
            held_bytes -= client.count_arriving_bytes()
            client.will_close = True

    def _finish(self) -> None:
        """Answer what was accepted, then end; under gunicorn's graceful timeout."""
        began = time.monotonic()
        until = began + self.cfg.graceful_timeout - _FINISH_MARGIN_S
        drain_until = began + self._drain_s
        while time.monotonic() < drain_until:
            self._turn(LINGER_S / 4)
        for listener in self._listeners:
            self._close_listener(listener)
        while time.monotonic() < until:
            quiet_since = time.time() - LINGER_S
            for client in self._list_clients():
                if not client.is_busy() and client.last_activity < quiet_since:
                    client.will_close = True
            if not self._list_clients():
                break
            self._turn(LINGER_S / 4)
        self._server.task_dispatcher.shutdown(cancel_pending=False, timeout=1)

    def _close_listener(self, listener: BaseWSGIServer) -> None:
        """Take in who stands at the door, then close it."""
        before = -1
        while len(self._connections) > before:
            before = len(self._connections)
            listener.handle_accept()
        wasyncore.dispatcher.close(listener)  # its trigger stays: threads pull it


def _count_connections() -> int:
    """Return how many connections the process may have, some files left for everything else."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MAX_CONNECTIONS, max(32, files - 128)) if files > 0 else MAX_CONNECTIONS
