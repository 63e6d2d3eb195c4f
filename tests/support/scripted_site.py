"""An HTTP server on the loopback that answers what a test says, and a port at which nobody answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], str]
"""Status, headers and body."""


@contextmanager
def serve_script(
    *answers: Answer | None,
    port: socket.socket | None = None,
    credentials: list[str | None] | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """Serve these answers, one a request: its address, and the paths that were asked for.

    Args:
        answers: None is no answer: the connection is closed. The last one is repeated.
        port: of `hold_port`; by default a new one.
        credentials: takes the `Authorization` of each request.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            if credentials is not None:
                credentials.append(self.headers.get("Authorization"))
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    if port is None:
        server.server_bind()
    else:
        server.socket.close()
        server.socket = port
        server.server_address = port.getsockname()
    with server:
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hold_port() -> Iterator[tuple[socket.socket, str]]:
    """Hold a port where connections are refused, as nobody listens: its socket, and an address there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held, f"http://127.0.0.1:{held.getsockname()[1]}"
