"""Messages on the wire that are right, nearly right, or wrong; each told by its number alone.

gunicorn's own parser, which the site does not use, says how many messages there are in some bytes: two
parsers that count differently are what request smuggling is made of.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.http.errors import ParseException

_METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"get", b"G\x00T", b"", b"CONNECT", b"M-SEARCH")
_TARGETS = (b"/livez", b"/api/identify", b"/", b"/livez?a=%ff", b"//livez", b"http://x/livez", b"*")
_TARGETS += (
    b"http://[::1",
    b"http://[::1]:80/livez",
    b"http://x:99999999/",
    b"x:80",
    b"/\xff",
    b"/a b",
    b"",
)
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"")
_HOSTS = (b"Host: x",) * 8 + (
    b"Host: x\r\nHost: y",
    b"Host: a b",
    b"Host:",
    b"X: 1",
    b"Host: [::1",
    b"hOsT: x",
)
_FRAMINGS = (
    b"Content-Length: %d",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: %d",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked",
    b"Content-Length: 0\r\nContent-Length: %d",
    b"Content-Length: 1\r\nContent-Length: 1",
    b"Content-Length: +%d",
    b"Content-Length: " + b"9" * 5000,
    b"Content-Length : %d",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer_Encoding: chunked\r\nContent-Length: %d",
    b"X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: %d",
    b"X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: %d",
    b"Expect: 100-continue\r\nContent-Length: %d",
    b"Expect: 100-continue",
    b"",
)
_MORE = (
    b"",
    b"",
    b"",
    b"Connection: keep-alive",
    b"Connection: close",
    b"X: \x00",
    b"X",
    b": x",
    b"X: a\r\n b",
)
_MORE += (b"Accept: " + b"a" * 20_000, b"\r\n".join([b"X-A: 1"] * 150), b"Upgrade: h2c", b"X: \xff\xfe")
_SIZES = (
    b"%x",
    b"%x",
    b"%X;a=b",
    b"0%x",
    b" %x",
    b"%x ",
    b"0x%x",
    b"-%x",
    b"%x;\x00",
    b"%x\r",
    b"ffffffff%x",
)
_INNER = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
_BODIES = (b"{}", b'{"crops": []}', b"", _INNER, b"0\r\n\r\n" + _INNER, b"a" * 3000)


@dataclass(frozen=True)
class Message:
    """Bytes that one client sends.

    Attributes:
        parts: what it sends at once, one after the other.
        most_answers: one for every message in it, and one more to refuse the rest.
    """

    parts: tuple[bytes, ...]
    most_answers: int


def make_message(number: int) -> Message:
    """Return the message of a number; the same one every time."""
    chance = random.Random(number)

    def choose(right: int, options: tuple[bytes, ...]) -> bytes:
        """Choose one of the first ones, which are right, or now and then any."""
        return chance.choice(options[:right] if chance.random() < 0.85 else options)

    body = chance.choice(_BODIES)
    framing = choose(2, _FRAMINGS)
    if b"%d" in framing:
        framing %= max(0, len(body) + choose(1, (b"", b"a", b"a" * 40)).count(b"a"))
    if b"chunked" in framing.lower() or chance.random() < 0.05:
        body = _cut_into_chunks(chance, body)
    start = b" ".join((choose(4, _METHODS), choose(5, _TARGETS), choose(1, _VERSIONS)))
    fields = [choose(1, _HOSTS), framing, choose(3, _MORE), b"Content-Type: application/json"]
    chance.shuffle(fields)
    raw = b"\r\n".join((start, *filter(None, fields))) + b"\r\n\r\n" + body
    if chance.random() < 0.25:
        raw = _damage(chance, raw)
    if chance.random() < 0.2:
        raw += chance.choice((_INNER, b"\r\n" + _INNER, b"\r\n\r\n", b"0\r\n\r\n"))
    at = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
    parts = tuple(raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True))
    return Message(parts, count_messages(raw) + 1)


def _cut_into_chunks(chance: random.Random, body: bytes) -> bytes:
    """Return a chunked body, whose sizes, line ends and trailers may be wrong."""
    wrong = chance.random() < 0.3
    chunks = b""
    while body:
        piece, body = body[: (size := chance.randint(1, 40))], body[size:]
        written = chance.choice(_SIZES if wrong else _SIZES[:4]) % len(piece)
        chunks += (
            written
            + b"\r\n"
            + piece
            + (chance.choice((b"\r\n", b"\n", b"", b"x")) if wrong else b"\r\n")
        )
    trailer = chance.choice((b"", b"X: 1\r\n", b"X: 1\r\n Y", b"\x00\r\n", _INNER)) if wrong else b""
    return chunks + chance.choice((b"0\r\n", b"000;a\r\n")) + trailer + b"\r\n"


def _damage(chance: random.Random, raw: bytes) -> bytes:
    """Change some bytes; those that mean something here more often than others."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(raw) + 1)
        new = chance.choice((b"\r", b"\n", b"\r\n", b" ", b"\x00", b":", b"0", b"", chance.randbytes(2)))
        raw = raw[:at] + new + raw[at + chance.randint(0, 3) :]
    return raw


def count_messages(raw: bytes) -> int:
    """Return how many messages gunicorn's parser finds before it stops or refuses."""
    found = 0
    try:
        for message in RequestParser(Config(), iter([raw]), ("127.0.0.1", 1)):
            body: Any = message.body
            while body.read(65536):
                pass
            found += 1
    except (ParseException, StopIteration, OSError, ValueError):
        pass
    return found
