"""The gunicorn worker that serves Kyara: waitress reads and writes, threads only think.

gunicorn's master starts the process, watches it, and starts another one where it dies. In the process
one loop (waitress) reads requests whole and writes answers, for hundreds of connections at once; a
thread takes a request when it is complete. Who sends slowly, or never reads the answer, holds no thread,
and is disconnected after a while. On SIGTERM `/readyz` says no at once; what was accepted is finished.
"""

from __future__ import annotations

import gc
import os
import resource
import socket
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server

from kyara.web.serving.arrival import MAX_HEADER_BYTES
from kyara.web.serving.connection import Connection, choose_who_goes
from kyara.web.serving.heap import Heap
from kyara.web.serving.process import stopping

MAX_ARRIVING_BYTES = 128 * 1024 * 1024
"""Of all requests together that are not complete; past it the oldest of them are closed."""
MAX_BODY_BYTES = 8 * 1024 * 1024
"""Where the application does not say."""
MAX_CONNECTIONS = 1_000
MAX_CONNECTIONS_OF_ONE = 100
"""Of one address (IPv6: one /64), unless a trusted proxy stands for all of them."""
FILES_BESIDE = 128
"""Open files that are left for everything that is no connection."""
FILES_OF_ONE = 2
"""Open files of a connection: its socket, and the file that it is sent."""
SEND_BYTES = 128 * 1024
"""Of an answer that the system holds for a client; by itself it would hold up to 4 MB for each."""
LINGER_S = 0.4
"""So long a stopping process waits for what may be on its way over a connection that says nothing."""
_SWEEP_EVERY_S = 1.0
_FINISH_MARGIN_S = 2.0


class BufferingWorker(Worker):
    """Serves until SIGTERM, then finishes what it accepted."""

    def load_wsgi(self) -> None:
        gc.disable()  # what is loaded stays: looking for garbage among it is a tenth of the start
        try:
            super().load_wsgi()
        finally:
            gc.enable()

    def run(self) -> None:
        from kyara.web.serving.server_settings import ServerSettings  # not in the master

        self._drain_s = ServerSettings.read().drain_s
        self._heap = Heap()
        self._connections: dict[int, Any] = {}
        application: Any = self.wsgi
        listening: list[Any] = self.sockets
        settings = getattr(application, "config", {})
        longest = settings.get("MAX_CONTENT_LENGTH", MAX_BODY_BYTES) + 1
        self._most = _count_connections()
        of_one = min(MAX_CONNECTIONS_OF_ONE, self._most // 2)
        self._most_of_one = self._most if settings.get("TRUSTED_PROXIES") else of_one
        self._server = create_server(
            application,
            map=self._connections,
            sockets=[listener.sock for listener in listening],
            threads=self.cfg.threads,
            ident=None,
            server_name="localhost",
            clear_untrusted_proxy_headers=False,  # the application trusts them only as configured
            connection_limit=10**9,  # `_take_in` sees to it
            cleanup_interval=10**9,  # `_sweep` does it
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=longest,
            inbuf_overflow=longest,  # pictures are never on disk
            recv_bytes=256 * 1024,  # every read costs a look at all connections
            asyncore_use_poll=True,
            log_socket_errors=False,
        )
        self._listeners = [one for one in self._connections.values() if isinstance(one, BaseWSGIServer)]
        take_in: Any = self._take_in
        for listener in self._listeners:
            listener.channel_class = take_in
        self._next_sweep = 0.0
        while self.alive and self._has_parent():
            self._turn()
        stopping.set()
        self._finish()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
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

    def _take_in(self, server: Any, accepted: socket.socket, *given: Any, **more: Any) -> Connection:
        """Make a connection of what was accepted; another one goes if there are too many."""
        with suppress(OSError):  # it has gone; an error here would close the listener
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        newcomer = Connection(server, accepted, *given, **more)
        goes = choose_who_goes(self._list_clients(), newcomer, self._most, self._most_of_one)
        if goes is not None:
            goes.handle_close()
        return newcomer

    def _sweep(self) -> None:
        """Close the connections of clients who take too long."""
        now = time.monotonic()
        for client in self._list_clients():
            if client.has_stalled(now):
                client.handle_close()
        clients = self._list_clients()
        held_bytes = sum(client.count_arriving_bytes() for client in clients)
        arriving = [client for client in clients if client.request is not None]
        for client in sorted(arriving, key=lambda one: one.request.began if one.request else now):
            if held_bytes <= MAX_ARRIVING_BYTES:
                break
            held_bytes -= client.count_arriving_bytes()
            client.handle_close()

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
            quiet_since = time.monotonic() - LINGER_S
            for client in self._list_clients():
                if not client.is_busy() and client.last_activity < quiet_since:
                    client.will_close = True
            if not self._list_clients():
                break
            self._turn(LINGER_S / 4)
        self._server.task_dispatcher.shutdown(cancel_pending=False, timeout=1)

    def _close_listener(self, listener: BaseWSGIServer) -> None:
        """Accept the pending connections, then close the listener."""
        before = -1
        while len(self._connections) > before:
            before = len(self._connections)
            listener.handle_accept()
        wasyncore.dispatcher.close(listener)  # its trigger stays: threads pull it


def _count_connections() -> int:
    """Raise the limit of open files as far as it may be; return how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_BESIDE + FILES_OF_ONE * MAX_CONNECTIONS
    files = max(soft, wanted if hard == resource.RLIM_INFINITY else min(hard, wanted))
    if soft != resource.RLIM_INFINITY and files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return min(MAX_CONNECTIONS, max(32, (files - FILES_BESIDE) // FILES_OF_ONE))
