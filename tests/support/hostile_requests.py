"""Any number of hostile requests, each told by its number alone: bodies, damaged bodies, raw bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from fuzzing.seeds import SEEDS
from hostile import JSON, as_url, encode, hostile_bodies

PATHS = ("/api/identify",) * 4 + ("/api/explain",) + ("/api/reports",) * 2 + ("/api/gallery",)
MAX_SEED_BYTES = 20_000


@dataclass(frozen=True)
class Hostile:
    """One request.

    Attributes:
        name: what is wrong with it.
        raw: the bytes on the wire, headers included.
    """

    name: str
    raw: bytes


def build(method: str, path: str, body: bytes = b"", kind: str = JSON, *headers: str) -> bytes:
    """Return a whole request, whose own framing is right."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    if kind:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


@cache
def list_bodies() -> tuple[tuple[str, bytes, str], ...]:
    """Return the table of bodies, encoded once."""
    return tuple(hostile_bodies())


@cache
def list_pictures() -> tuple[bytes, ...]:
    """Return small pictures to damage."""
    seeds = [*SEEDS["image"](), *(encode(kind, (16, 16)) for kind in ("PNG", "JPEG", "WEBP"))]
    return tuple(seed for seed in seeds if len(seed) < MAX_SEED_BYTES)


@cache
def list_raw() -> tuple[Hostile, ...]:
    """Return requests that are wrong in their framing, their address or their headers."""
    found = [Hostile(f"framing: {name}", raw) for name, raw in _framings()]
    found += [Hostile(f"path {path!a}", build("GET", path, kind="")) for path in _paths()]
    found += [Hostile(f"method {method}", build(method, "/api/identify")) for method in _METHODS]
    found += [
        Hostile(f"header {line[:60]!a}", build("GET", "/api/characters", b"", "", line))
        for line in _headers()
    ]
    return tuple(found)


_METHODS = ("TRACE", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get", "G" * 200, "CONNECT")


def _framings() -> Iterator[tuple[str, bytes]]:
    post, end = b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n", b"\r\n"
    inner = b"GET /operator/ HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n"
    yield "length and chunks", post + b"Content-Length: 4\r\n" + chunked + end + b"0\r\n\r\n" + inner
    yield "chunks and length", post + chunked + b"Content-Length: 60\r\n" + end + b"0\r\n\r\n" + inner
    yield "two lengths", post + b"Content-Length: 2\r\nContent-Length: 40\r\n" + end + b"{}" + inner
    yield "a list of lengths", post + b"Content-Length: 2, 40\r\n" + end + b"{}" + inner
    for length in (b"-1", b"+2", b"0x10", b"2 2", b"", b"99999999999999999999", b"1e3", b"\xb2"):
        yield f"length {length!r}", post + b"Content-Length: " + length + b"\r\n" + end + b"{}"
    for coding in (b"xchunked", b"chunked, identity", b" chunked", b"chunked\r\n gzip", b"Chunked\x0b"):
        yield f"coding {coding!r}", post + b"Transfer-Encoding: " + coding + b"\r\n" + end + b"0\r\n\r\n"
    for chunk in (
        b"-1\r\n",
        b"g\r\n",
        b"ffffffffffffffffff\r\n",
        b"2;x\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}",
    ):
        yield f"chunk {chunk!r}", post + chunked + end + chunk
    yield "a body cut short", post + b"Content-Length: 5000\r\n" + end + b'{"crops": ['
    yield "a body too long", post + b"Content-Length: 2\r\n" + end + b"{}{}{}{}"
    yield "9 GB announced", post + b"Content-Length: 9000000000\r\n" + end + b"{}"
    yield "no host", b"GET / HTTP/1.1\r\n\r\n"
    yield "two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
    yield "line feeds alone", b"GET / HTTP/1.1\nHost: x\n\n"
    yield "a space before the colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"
    yield "a folded header", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n 2\r\n\r\n"
    yield "a NUL in a header", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n\r\n"
    yield "an absolute address", b"GET http://elsewhere.example/ HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "no version", b"GET /\r\n\r\n"
    for version in (b"HTTP/9.9", b"HTTP/1.1.1", b"HTCPCP/1.0", b"HTTP/2.0"):
        yield f"version {version!r}", b"GET / " + version + b"\r\nHost: x\r\n\r\n"
    yield "a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)
    yield "a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "bytes", bytes(range(256)) * 4
    yield "20,000 headers", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 20_000 + b"\r\n"
    yield "a header of 100 kB", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n"


def _paths() -> Iterator[str]:
    for top in ("/static/", "/operator/reports/", "/operator/label/faces/", "/api/reports/", "/"):
        for step in ("../", "..%2f", "%2e%2e/", "....//", "..\\", "%252e%252e%252f", "..%c0%af", "./"):
            yield f"{top}{step * 6}etc/passwd"
    yield from (
        "/static/%00",
        "/static/js/page/main.js%00.png",
        "/static//etc/passwd",
        "/static/" + "a/" * 900,
    )
    yield from ("/?lang=ja%0d%0aSet-Cookie:%20a=b", "/?lang=%0d%0a%0d%0a<script>", "/?lang=../../etc")
    yield from (
        "/api/characters?query=%ff%fe",
        "/api/characters?limit=1e9",
        "/api/characters?query=" + "%25" * 900,
    )
    yield from (
        "/api/characters?limit=99999999999999999999",
        "/api/characters?language[]=en",
        "/?" + "a=1&" * 5000,
    )
    yield from (
        "/.git/config",
        "/.env",
        "/instance/secret_key",
        "/app.py",
        "/user_report/",
        "/model/registry.json",
    )
    yield from (
        "/operator/login?next=//evil.example",
        "/operator/login?next=%0d%0aLocation:x",
        "/" + "a" * 3000,
    )
    yield from (
        "/api/reports/' OR 1=1 --",
        "/api/reports/%27%3B%20DROP%20TABLE%20reports",
        "/%s%s%n",
        "/{{7*7}}",
    )


def _headers() -> Iterator[str]:
    yield "Cookie: operator_session=" + "A" * 4000
    yield "Cookie: operator_session=.eJw; language=\x80\xff; =; ;;"
    yield "Cookie: language=ja%0d%0aX: y"
    yield "Authorization: Bearer " + "A" * 4000
    yield "Authorization: Basic \xff"
    yield "Authorization: Negotiate"
    yield "Accept-Language: " + ",".join(f"x{n};q=0.{n}" for n in range(500))
    yield "Accept-Language: ja;q=NaN, en;q=1e999"
    yield "Accept: " + "text/html;q=" + "9" * 500
    yield "X-Forwarded-For: ' OR 1=1, <script>, ::::, 999.999.999.999"
    yield "X-Forwarded-Host: evil.example"
    yield "X-Forwarded-Proto: javascript"
    yield "X-Request-Id: a\tb<script>" + "z" * 2000
    yield "Range: bytes=0-0,1-1,2-2,-99999999999999999999"
    yield "If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT"
    yield "If-None-Match: " + '"a",' * 900
    yield "Expect: 100-continue"
    yield "Upgrade: h2c"
    yield "Referer: \xff\xfe"


def make_hostile(number: int) -> Hostile:
    """Return the hostile request of a number; the same one every time."""
    chance = random.Random(number)
    path = chance.choice(PATHS)
    turn = number % 3
    if turn == 0:
        name, body, kind = list_bodies()[number // 3 % len(list_bodies())]
        return Hostile(f"{name} to {path}", build("POST", path, _fit(body, path), kind))
    if turn == 1:
        raw = list_raw()
        return raw[number // 3 % len(raw)]
    return Hostile(f"damage {number} to {path}", build("POST", path, _damage(chance, path)))


def _fit(body: bytes, path: str) -> bytes:
    """Turn a body of identifying into one of another route, where it is JSON with crops."""
    if path == "/api/identify" or len(body) > MAX_SEED_BYTES or not body.startswith(b'{"crops": ["'):
        return body
    try:
        return _wrap(json.loads(body)["crops"][0], path)
    except (ValueError, KeyError, IndexError):
        return body


def _wrap(crop: object, path: str, **more: object) -> bytes:
    body: dict[str, object] = {"crop": crop}
    if path in ("/api/identify", "/api/gallery"):
        body = {"crops": [crop]}
    if path in ("/api/reports", "/api/gallery"):
        body["label"] = "a"
    return json.dumps({**body, **more}).encode()


def _damage(chance: random.Random, path: str) -> bytes:
    """Return a body that was good until bytes of its picture or of its text were changed."""
    picture = _edit(chance, chance.choice(list_pictures()), chance.randint(1, 6))
    keys = ("label", "note", "top_k", "language", "method", "box", "token", "x" * 300, "__class__")
    values = (None, -1, 10**30, 1e308, "", "\0", "\ud800", "a" * 2000, [], {}, [[[]]], True, "ja")
    more = {chance.choice(keys): chance.choice(values) for _ in range(chance.randint(0, 2))}
    body = _wrap(as_url(picture), path, **more)
    return _edit(chance, body, chance.randint(1, 4)) if chance.random() < 0.3 else body


def _edit(chance: random.Random, data: bytes, edits: int) -> bytes:
    for _ in range(edits):
        at = chance.randrange(len(data) + 1)
        new = chance.randbytes(chance.randint(0, 4))
        data = data[:at] + new + data[at + chance.randint(0, 8) :]
    return data
