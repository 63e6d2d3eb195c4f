"""A client's connection: one message at a time, and who has to go when there are too many."""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from waitress.channel import HTTPChannel

from kyara.storage.client_hash import simplify_address
from kyara.web.serving.arrival import Arrival
from kyara.web.serving.tasks import Answer, Refusal

ARRIVAL_S = 60
"""In this time a request, from its first byte to its last, has to be here."""
IDLE_S = 75
"""So long a connection without a request stays open; longer than nginx keeps its own."""
STALL_S = 30
"""So long a client may read nothing of its answer."""
MAX_AHEAD_BYTES = 64 * 1024
"""Of what follows a message that is not answered yet; past it nothing more is read."""
DROP_S = 2
"""So long what a refused client still sends is read and dropped, so that it gets to read the answer."""
_STILL_THERE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(HTTPChannel):
    """A client's connection. The next message is read when the one before is answered.

    Attributes:
        source: the client's address as it is counted.
        ended: the client has ended its half of the connection; it may wait for an answer, or have gone.
        refused: the answer of the moment refuses a message that may not be here whole.
        answer_began: something of the answer to the message of the moment may have been sent.
    """

    request: Any
    requests: Any
    requests_lock: Any
    server: Any
    _fileno: Any
    parser_class = Arrival
    task_class = Answer
    error_task_class = Refusal

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        self._active_at = time.monotonic()
        self._ahead = b""
        self.source = simplify_address(str(addr[0]))
        self._drops_until = 0.0
        self.ended = self.refused = self.answer_began = False
        super().__init__(server, sock, addr, adj, map=map)

    def __repr__(self) -> str:
        return "<a client's connection>"

    __str__ = __repr__

    @property
    def last_activity(self) -> float:  # type: ignore[override]
        """When something was last read or written, by `time.monotonic()`."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, wall_clock: float) -> None:  # type: ignore[override]
        """Note that something was; waitress gives the clock's time, which may be set back."""
        self._active_at = time.monotonic()

    def readable(self) -> bool:
        """Tell whether to read: not while an answer waits for its reader."""
        if self._drops_until:
            return True
        full = self.total_outbufs_len or len(self._ahead) > MAX_AHEAD_BYTES
        return not (self.ended or full or self.is_over())

    def is_over(self) -> bool:
        """Tell whether the connection is to be closed, now or when the answer has been read."""
        return self.will_close or self.close_when_flushed or self._drops_until > 0

    def handle_read(self) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.handle_close()
            return
        if not data:
            self._end()
        elif not self._drops_until:
            self.received(data)

    def handle_write(self) -> None:
        """Write what can be, then go on with what came in meanwhile."""
        if self.refused and self.close_when_flushed and not (self.total_outbufs_len or self.ended):
            self._hear_out()
            return
        super().handle_write()
        if self.connected:
            with self.requests_lock:
                self._go_on()

    def _hear_out(self) -> None:
        """Send no more, and drop what comes: to close now could undo the answer that is on its way."""
        self.refused = self.close_when_flushed = False
        self._drops_until = time.monotonic() + DROP_S
        assert self.socket is not None
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:  # it has gone
            self.handle_close()

    def received(self, data: bytes) -> bool:
        self._active_at = time.monotonic()
        with self.requests_lock:
            self._ahead += data
            self._go_on()
        return True

    def service(self) -> None:
        """Answer one message, in a thread, then go on with the next."""
        super().service()
        with self.requests_lock:
            self._go_on()
        if self.ended:
            self.server.pull_trigger()  # the loop closes it

    def _go_on(self) -> None:
        """Take the next message, if the one before is answered; with `requests_lock`."""
        while self.connected and not (self.requests or self.total_outbufs_len or self.is_over()):
            if not self._ahead:
                self.close_when_flushed = self.ended  # what is missing of a message never comes
                return
            if self.request is None:
                self.request = Arrival(self.adj)
            request = self.request
            taken = request.received(self._ahead)
            self._ahead = self._ahead[taken:]
            if request.expect_continue and request.headers_finished:
                self.send_continue()
            if request.completed:
                self.request, self.sent_continue, self.answer_began = None, False, False
                self.requests.append(request)
                self.server.add_task(self)

    def _end(self) -> None:
        """Note that the client sends no more. It may have gone: then this write is answered by a reset.

        A client of HTTP/1.1 passes over an interim answer, asked for or not (RFC 9110, section 15.2).
        """
        if self._drops_until:
            self.handle_close()
            return
        self.ended = True
        with self.requests_lock, self.outbuf_lock:
            waits = self.requests and self.requests[0].version == "1.1"
            if waits and not self.answer_began and not self.total_outbufs_len:
                self.send(_STILL_THERE)
            self._go_on()

    def check_client_disconnected(self) -> bool:  # type: ignore[override]
        """Tell whether the client has gone, and not only ended its half; for threads that wait."""
        descriptor = self._fileno
        if not self.connected or descriptor is None:
            return True
        look = select.poll()
        look.register(descriptor, 0)
        return self.ended and bool(look.poll(0))

    def count_arriving_bytes(self) -> int:
        """Return how much is here of what is not complete."""
        arriving = 0 if self.request is None else self.request.body_bytes_received
        return arriving + len(self._ahead)

    def has_stalled(self, now: float) -> bool:
        """Tell whether the client is to be waited for no longer.

        Args:
            now: `time.monotonic()`.
        """
        if self._drops_until:
            return now > self._drops_until
        quiet_s = now - self.last_activity
        if self.request is not None:
            return now - self.request.began > ARRIVAL_S
        if self.total_outbufs_len:
            return quiet_s > STALL_S
        return not self.requests and quiet_s > IDLE_S

    def is_busy(self) -> bool:
        """Tell whether a request is coming or being answered, or an answer is being read."""
        return bool(self.requests or self.request is not None or self.total_outbufs_len)


def choose_who_goes(
    connections: Sequence[Connection], newcomer: Connection, most: int, most_of_one: int
) -> Connection | None:
    """Return the connection that gives way to a newcomer, who is among them; None while there is room.

    It is the newcomer if all others of its address are being worked for. `most` is of all addresses,
    `most_of_one` of one.
    """
    held = Counter(one.source for one in connections)
    if held[newcomer.source] > most_of_one:
        source = newcomer.source
    elif len(connections) > most:
        source = held.most_common(1)[0][0]
    else:
        return None
    candidates = [one for one in connections if one.source == source and not one.requests]
    return min(candidates, key=lambda one: one.last_activity, default=newcomer)
