"""A request on its way in: what a message may look like, and how much of it may not be body.

In: bytes of one connection. Out: one message, or the error that it is refused with. Waitress takes a
message apart; what stands here in front of it is stricter than the standard allows, so that no proxy in
front can read a message in another way, and every part of it has a bound.

Source: RFC 9112, sections 3.2 (Host), 5.2 (folded lines), 6.1 (transfer codings), 6.3 (length of a
body) and 7.1 (chunks, extensions, trailers).
"""

from __future__ import annotations

import re
import time
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.utilities import BadRequest, RequestEntityTooLarge

MAX_HEADER_BYTES = 16 * 1024
MAX_FIELDS = 100
"""Header fields of one message."""
MAX_DROPPED_BYTES = 64 * 1024 * 1024
"""Up to this size a body that is too large is read to its end, and not kept."""
MAX_FRAMING_BYTES = 128 * 1024
"""Of a chunked body: sizes, extensions, line ends and trailers; chunks of 1 kB need half of it."""
MAX_FRAMING_LINE_BYTES = 1024
_HOST_PATTERN = rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_START = re.compile(
    rb"(?:OPTIONS \*|[!#$%&'*+.^_`|~0-9A-Z-]{3,20} "
    rb"(?:(?:https?://" + _HOST_PATTERN + rb")?/[\x21-\x7e]*|https?://" + _HOST_PATTERN + rb")) "
    rb"HTTP/(1\.[01])"
)
_HOST = re.compile(_HOST_PATTERN)
_LENGTH = re.compile(rb"[0-9]{1,19}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")


def check_header(header: bytes) -> None:
    """Refuse a header that two programs could read in two ways.

    Args:
        header: request line and fields, each line with its end.

    Raises:
        ParsingError: what is wrong with it.
    """
    start, *fields = header.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _START.fullmatch(start)
    if line is None:
        raise ParsingError("The request line is malformed")
    if len(fields) > MAX_FIELDS:
        raise ParsingError(f"There are more than {MAX_FIELDS} header fields")
    values: dict[bytes, list[bytes]] = {}
    for field in fields:
        if field[:1] in (b" ", b"\t"):
            raise ParsingError("A header field is folded")
        name, _, value = field.partition(b":")
        values.setdefault(name.lower(), []).append(value.strip(b" \t"))
    version = line[1]
    hosts = values.get(b"host", [])
    if len(hosts) > 1 or (version == b"1.1" and not hosts) or not all(map(_HOST.fullmatch, hosts)):
        raise ParsingError("Host has to name one host")
    lengths, codings = values.get(b"content-length", []), values.get(b"transfer-encoding", [])
    if lengths and (len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0])):
        raise ParsingError("Content-Length is not one length")
    if codings and (version != b"1.1" or lengths or [one.lower() for one in codings] != [b"chunked"]):
        raise ParsingError("Transfer-Encoding is not one coding, chunked, of HTTP/1.1, without a length")
    if [one.lower() for one in values.get(b"expect", [])] not in ([], [b"100-continue"]):
        raise ParsingError("Expect is not 100-continue")


class ChunkedBody:
    """Takes a chunked body apart. Extensions and trailers are passed over, and bounded.

    Attributes:
        completed: the last byte is here.
        error: why it is refused, if it is.
    """

    def __init__(self, body: OverflowableBuffer) -> None:
        """Take the buffer for what the chunks hold."""
        self.completed = False
        self.error: BadRequest | None = None
        self._body = body
        self._line = bytearray()
        self._left = 0
        self._framing_bytes = 0
        self._take_line = self._take_size

    def __len__(self) -> int:
        """Return the bytes of the body so far."""
        return len(self._body)

    def received(self, data: bytes) -> int:
        """Take bytes; return how many belonged to this body."""
        at = 0
        while at < len(data) and not self.completed and self.error is None:
            if self._left:
                part = data[at : at + self._left]
                self._body.append(part)
                self._left -= len(part)
                at += len(part)
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            self._framing_bytes += (end or len(data)) - at
            at = end or len(data)
            if len(self._line) > MAX_FRAMING_LINE_BYTES or self._framing_bytes > MAX_FRAMING_BYTES:
                self.error = BadRequest("The chunks' sizes, extensions and trailers are too long")
            elif end:
                self._take_line(bytes(self._line))
                self._line.clear()
        return at

    def _take_size(self, line: bytes) -> None:
        size = _CHUNK.fullmatch(line)
        if size is None:
            self.error = BadRequest("The size of a chunk is malformed")
            return
        self._left = int(size[1], 16)
        self._take_line = self._take_end if self._left else self._take_trailer

    def _take_end(self, line: bytes) -> None:
        if line != b"\r\n":
            self.error = BadRequest("A chunk does not end where it says")
        self._take_line = self._take_size

    def _take_trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.completed = True
        elif not _TRAILER.fullmatch(line):
            self.error = BadRequest("A trailer is malformed")

    def getfile(self) -> Any:
        return self._body.getfile()

    def getbuf(self) -> OverflowableBuffer:
        return self._body


class Arrival(HTTPRequestParser):
    """A request on its way in; knows when it began and when it was complete."""

    body_rcv: Any

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = self.arrived = time.monotonic()
        self._unread = 0
        self._begin = b""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header.

        Raises:
            ParsingError: it is refused, and the connection closed. The standard has 501 for an unknown
                transfer coding; here it is 400: whoever watches for 5xx sees only what the site did
                wrong, or cannot do now.
        """
        if self.header_bytes_received < self.adj.max_request_header_size:  # else waitress' own stand-in
            before_bytes = self.header_bytes_received - len(header_plus)
            if before_bytes and (before_bytes, self._begin) != (2, b"\r\n"):
                raise ParsingError("More than one empty line stands before the request line")
            check_header(header_plus)
        try:
            super().parse_header(header_plus)
        except (TransferEncodingNotImplemented, ValueError) as error:
            raise ParsingError(str(error)) from error
        if self.chunked:
            self.body_rcv = ChunkedBody(OverflowableBuffer(self.adj.inbuf_overflow))
        self.expect_continue = self.expect_continue and self.body_rcv is not None

    def received(self, data: bytes) -> int:
        """Take bytes. A body that is too large is dropped as it comes: its sender reads the answer."""
        if self._unread:
            taken = min(len(data), self._unread)
            self._unread -= taken
            self.completed = not self._unread
        else:
            self._begin += data[: 2 - len(self._begin)]
            taken = super().received(data)
            if self.empty:
                self.empty, self.error = False, BadRequest("There is no request line")
            elif self._is_to_be_dropped():
                self._unread, self.completed = self.content_length, False
            if self.error is not None:
                self.expect_continue = False  # who waits for leave to send gets the answer instead
        if self.completed:
            self.arrived = time.monotonic()
        return taken

    def _is_to_be_dropped(self) -> bool:
        too_large = isinstance(self.error, RequestEntityTooLarge)
        return too_large and not self.expect_continue and 0 < self.content_length <= MAX_DROPPED_BYTES
