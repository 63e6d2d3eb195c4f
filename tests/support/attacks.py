"""The worst inputs of each kind, for `make hostile`: one attacker sends one of them over and over.

To add one, add an `Attack` to `list_attacks`. Its name is the row of docs/reliability.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from costly import SQUARE, in_jpeg, in_png, png, save, segment
from encoding import chunk
from hostile import FORM_TYPE, as_url, encode, write_form
from hostile_requests import build


@dataclass(frozen=True)
class Attack:
    """One input.

    Attributes:
        name: what it is.
        kind: of KYARA_RATE_LIMITS: it is sent at half of that limit; empty: twice a second.
        make: number of the request -> the bytes of it.
        held: so many connections hold it and never read, instead of sending it over and over.
    """

    name: str
    kind: str
    make: Callable[[int], bytes]
    held: int = 0


def list_attacks() -> Iterator[Attack]:
    """Yield every attack."""
    for name, picture in _PICTURES.items():
        yield Attack(f"{name}, to identify", "identify", _fixed(lambda p=picture: _identify(p())))
    yield Attack(
        "four PNG of 880 × 14,080 px, to find faces in",
        "pictures",
        _fixed(lambda: _look(*[png((880, 14_080), 8, 6, filtered=4)] * 4)),
    )
    yield Attack(
        "eight JPEG of 2 Mpx, to find faces in",
        "pictures",
        _fixed(lambda: _look(*[encode("JPEG", (1_600, 1_250), quality=30)] * 8)),
    )
    yield Attack(
        "8 MB of parts of a form", "pictures", _fixed(lambda: _form(b"\r\n--x\r\n\r\n" * 700_000))
    )
    yield Attack("a WebP of 16 Mpx, explained", "explain", _fixed(lambda: _explain(_big_webp())))
    yield Attack(
        "four WebP of 16 Mpx in one request", "identify", _fixed(lambda: _identify(*[_big_webp()] * 4))
    )
    yield Attack(
        "8 MB of `[0,0,…]`",
        "identify",
        _fixed(lambda: _post(b'{"crops":[' + b"0," * 4_190_000 + b"0]}")),
    )
    yield Attack(
        "JSON 100,000 levels deep", "identify", _fixed(lambda: _post(b"[" * 100_000 + b"]" * 100_000))
    )
    yield Attack("32 crops", "identify", _fixed(lambda: _identify(*[encode("PNG", (160, 160))] * 32)))
    yield Attack("reports of 2 Mpx", "reports", _report)
    yield Attack(
        "a long name is searched", "characters", lambda n: _get(f"/api/characters?query={'a' * 90}{n}")
    )
    yield Attack("letters are searched", "characters", _fixed(lambda: _get("/api/characters?query=a+s")))
    yield Attack("names that log in nowhere", "login", _log_in)
    yield Attack("languages to choose from", "pages", _fixed(lambda: _get("/", _MANY_LANGUAGES)))
    yield Attack(
        "operators' pages without a session", "operator", _fixed(lambda: _get("/operator/reports"))
    )
    for name, raw in _WIRE.items():
        yield Attack(name, "", _fixed(lambda raw=raw: raw))
    yield Attack("1,000 connections that say nothing", "", _fixed(lambda: b""), held=1000)
    yield Attack("200 bodies that do not arrive", "", _fixed(lambda: _CHUNKED + b"5\r\n{"), held=200)
    yield Attack(
        "150 readers that do not read", "", _fixed(lambda: _get("/static/vendor/opencv.wasm")), held=150
    )


_MANY_LANGUAGES = "Accept-Language: " + ",".join(f"x{n};q=0.1" for n in range(50))
_CHUNKED = b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_CHUNKED += b"Transfer-Encoding: chunked\r\n\r\n"
_WIRE = {
    "8 MB in chunks of a byte": _CHUNKED + b"1\r\nx\r\n" * 1_300_000,
    "an extension of 7.8 MB": _CHUNKED + b"1;" + b"a" * 7_800_000,
    "a trailer of 7.8 MB": _CHUNKED + b"0\r\nX: " + b"a" * 7_800_000,
    "9,000 requests at once": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 9_000,
}


def _fixed(make: Callable[[], bytes]) -> Callable[[int], bytes]:
    """Return a maker that makes its bytes once, when they are first asked for."""
    made = cache(make)
    return lambda number: made()


def _post(body: bytes, path: str = "/api/identify") -> bytes:
    return build("POST", path, body)


def _get(path: str, *headers: str) -> bytes:
    return build("GET", path, b"", "", *headers)


def _identify(*pictures: bytes) -> bytes:
    return _post(json.dumps({"crops": [as_url(one) for one in pictures]}).encode())


def _look(*pictures: bytes) -> bytes:
    return _form(write_form(*[("picture", "a.png", picture) for picture in pictures]))


def _form(body: bytes) -> bytes:
    return build("POST", "/api/pictures", body, FORM_TYPE)


def _explain(picture: bytes) -> bytes:
    return _post(json.dumps({"crop": as_url(picture)}).encode(), "/api/explain")


def _report(number: int) -> bytes:
    body = {"crop": as_url(_big_report()), "label": f"somebody {number}"}
    return _post(json.dumps(body).encode(), "/api/reports")


def _log_in(number: int) -> bytes:
    """Return a login; the runner puts in the cookie and the token of a session."""
    form = f"name=nobody{number}&password=nine+lives+of+a+cat".encode()
    session = ("Cookie: SESSION", "X-CSRFToken: TOKEN")
    return build("POST", "/operator/login", form, "application/x-www-form-urlencoded", *session)


@cache
def _big_report() -> bytes:
    return encode("JPEG", (1600, 1250))


@cache
def _big_webp() -> bytes:
    return save(SQUARE, "WEBP", lossless=True)


def _progressive_jpeg() -> bytes:
    """Return a JPEG of 16 Mpx whose last scan, which changes nothing, comes 16,000 times."""
    data = save(SQUARE, "JPEG", "L", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * min(16_000, 5_900_000 // len(scan)) + b"\xff\xd9"


_PICTURES: dict[str, Callable[[], bytes]] = {
    "a JPEG of thousands of scans": _progressive_jpeg,
    "a JPEG of 1.4 million comments": lambda: in_jpeg(segment(0xFE) * 1_400_000),
    "a JPEG of fill bytes": lambda: in_jpeg(b"\xff" * 5_900_000),
    "a PNG of 450,000 empty IDAT": lambda: in_png(chunk(b"IDAT") * 450_000),
    "a PNG of 480,000 small chunks": lambda: in_png(chunk(b"teXt") * 480_000),
    "a PNG of 1 × 16,000,000 px": lambda: png((1, 16_000_000), 8, 0),
    "a PNG of 16-bit greys": lambda: png(SQUARE, 16, 0),
}
