"""Two hundred bodies that nobody should send, each with a name, and none of which may do harm."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from encoding import chunk, encode_image

JSON = "application/json"
FORM_TYPE = "multipart/form-data; boundary=x"


def encode(format_name: str, size: tuple[int, int] = (64, 64), **options) -> bytes:
    """Encode a picture of noise."""
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return encode_image(pixels, format_name, **options)


def as_url(data: bytes, claimed: str = "image/png") -> str:
    """Return bytes as a data URL."""
    return f"data:{claimed};base64,{base64.b64encode(data).decode()}"


def write_form(*parts: tuple[str, str, bytes]) -> bytes:
    """Return a form (`FORM_TYPE`) of parts: the field, the file's name or nothing, the content."""
    body = b""
    for field, name, content in parts:
        file = f'; filename="{name}"' if name else ""
        head = f'--x\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + b"--x--\r\n"


def png_of(width: int, height: int, *, bit_depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """Build a PNG whose header declares any size, whatever data follows."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND")


def bomb() -> bytes:
    """A small PNG of 13000 × 13000 pixels that really decodes to 169 Mpx."""
    return png_of(13000, 13000, bit_depth=1, colour=0, data=zlib.compress(bytes(13000 * 1626), 9))


def crops_of(*crops: object, **more: object) -> tuple[bytes, str]:
    """Return a JSON body with these crops."""
    return json.dumps({"crops": list(crops), **more}).encode(), JSON


def hostile_bodies() -> Iterator[tuple[str, bytes, str]]:
    """Yield (name, body, content type); every one deserves a 4xx."""
    yield from _broken_pictures()
    yield from _wrong_pictures()
    yield from _wrong_urls()
    yield from _wrong_json()
    yield from _wrong_fields()


def _broken_pictures() -> Iterator[tuple[str, bytes, str]]:
    good = {"PNG": encode("PNG"), "JPEG": encode("JPEG"), "WEBP": encode("WEBP")}
    for kind, data in good.items():
        for cut in (1, 2, 4, 8, 12, 16, 20, 24, 30, 40, 60, len(data) // 4, len(data) // 2):
            yield f"{kind} cut to {cut} bytes", *crops_of(as_url(data[:cut]))
        yield f"{kind} header then zeros", *crops_of(as_url(data[:24] + bytes(500)))
        yield f"{kind} header then 0xff", *crops_of(as_url(data[:24] + b"\xff" * 500))
        yield f"{kind} reversed", *crops_of(as_url(data[::-1]))
        yield f"{kind} behind a space", *crops_of(as_url(b" " + data))
    for at in (0, 1, 4, 8, 12, 16, 18, 20, 24, 25, 26, 29, 37, 41, 44):
        broken = bytearray(good["PNG"])
        broken[at] ^= 0xFF
        yield f"PNG with byte {at} flipped", *crops_of(as_url(bytes(broken)))
    sizes = [(0, 0), (0, 9), (9, 0), (2**31 - 1, 1), (1, 2**31 - 1), (65536, 65536), (2**31, 2**31)]
    sizes += [(4001, 4000), (16_000_001, 1), (1, 16_000_001), (13000, 13000), (100_000, 100_000)]
    for width, height in sizes:
        yield f"PNG declares {width}×{height}", *crops_of(as_url(png_of(width, height, data=b"\0")))
    yield "bomb of 13000²", *crops_of(as_url(bomb()))
    yield "PNG without data", *crops_of(as_url(png_of(64, 64)))
    yield "PNG with wrong deflate", *crops_of(as_url(png_of(64, 64, data=b"not deflate at all")))
    yield "PNG with too little data", *crops_of(as_url(png_of(64, 64, data=zlib.compress(b"\0" * 9))))
    for depth, colour in ((3, 2), (16, 3), (8, 1), (8, 5), (255, 255), (0, 0)):
        odd = png_of(64, 64, bit_depth=depth, colour=colour, data=zlib.compress(bytes(99)))
        yield f"PNG of depth {depth} and colour {colour}", *crops_of(as_url(odd))
    riff = good["WEBP"]
    yield "WEBP claims 4 GiB", *crops_of(as_url(riff[:4] + b"\xff\xff\xff\xff" + riff[8:30]))
    yield "JPEG of markers only", *crops_of(as_url(b"\xff\xd8" + b"\xff\xe1\xff\xff" * 50))
    yield "JPEG with size 0", *crops_of(as_url(_jpeg_of_size(good["JPEG"], 0, 0)))
    yield "JPEG declares 65500²", *crops_of(as_url(_jpeg_of_size(good["JPEG"], 65500, 65500)))


def _jpeg_of_size(data: bytes, width: int, height: int) -> bytes:
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _wrong_pictures() -> Iterator[tuple[str, bytes, str]]:
    for kind in (
        "GIF",
        "BMP",
        "TIFF",
        "ICO",
        "PPM",
        "TGA",
        "PCX",
        "AVIF",
        "DDS",
        "ICNS",
        "JPEG2000",
        "SGI",
    ):
        size = (32, 32)
        yield f"a {kind}", *crops_of(as_url(encode(kind, size)))
        yield f"a {kind} claiming PNG", *crops_of(as_url(encode(kind, size), "image/png"))
    pixels = encode("PNG")
    texts = {
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "SVG with script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "SVG with entity": b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "XML": b'<?xml version="1.0"?><a/>',
        "PDF": b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>",
        "ZIP": b"PK\x03\x04" + bytes(60),
        "gzip": zlib.compress(pixels, wbits=31),
        "ELF": b"\x7fELF" + bytes(60),
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "PHP": b"<?php system($_GET['c']); ?>",
        "shell": b"#!/bin/sh\nrm -rf /\n",
        "pickle": b"cos\nsystem\n(S'id'\ntR.",
        "GIF polyglot": b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)",
        "HTML then PNG": b"<html>" + pixels,
        "PDF then PNG": b"%PDF-1.4\n" + pixels,
        "ZIP then JPEG": b"PK\x03\x04" + encode("JPEG"),
        "BMP header only": b"BM" + bytes(12),
        "NUL": b"\0",
        "4 kB of NUL": bytes(4096),
        "MPO-like text": b"\xff\xd8\xff",
        "a path": b"/etc/passwd",
        "a URL": b"http://127.0.0.1/",
    }
    for name, data in texts.items():
        yield f"{name} claiming PNG", *crops_of(as_url(data))
        yield f"{name} claiming WebP", *crops_of(as_url(data, "image/webp"))


def _wrong_urls() -> Iterator[tuple[str, bytes, str]]:
    good = as_url(encode("PNG", (8, 8)))
    urls = [
        "",
        " ",
        "data:",
        "data:,",
        "data:;base64,",
        "data:image/png;base64,",
        "data:image/png,abc",
        "data:image/png;base64",
        "data:image/png;base64,%%%%",
        "data:image/png;base64,AAA",
        "data:image/png;base64,A",
        "data:image/png;base64,ＡＡＡＡ",
        "data:image/png;base64,====",
        "data:image/png;base64,AA==AA==",
        "data:image/png;base64,\u0000\u0000\u0000\u0000",
        "data:image/png;BASE64,iVBORw0KGgo=",
        "http://127.0.0.1/x.png",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "blob:http://127.0.0.1/1",
        "/etc/passwd",
        "../../etc/passwd",
        "iVBORw0KGgo=",
        good[5:],
        good.replace("data", "dåta"),
        good.replace(",", ",\t"),
        good.replace(",", ", "),
        good + "=",
        good + "!",
        good.replace("base64", "base32"),
        "data:" + "a" * 5000 + ";base64,AAAA",
        "\ud800",
        "🙂",
    ]
    for number, url in enumerate(urls):
        yield f"data URL {number}: {url[:30]!a}", *crops_of(url)
    yield "both of two crops", *crops_of(good[:60], good[:70])


def _wrong_json() -> Iterator[tuple[str, bytes, str]]:
    yield "no body", b"", JSON
    yield "no body and no type", b"", ""
    yield "not JSON", b"crops", JSON
    yield "cut JSON", b'{"crops": ["data:', JSON
    yield "JSON in latin-1", '{"crops": ["é"]}'.encode("latin-1"), JSON
    yield "JSON in UTF-16", '{"crops": []}'.encode("utf-16"), JSON
    yield "binary as JSON", bytes(range(256)), JSON
    for depth in (1_000, 50_000, 1_000_000):
        yield f"lists {depth} deep", b"[" * depth, JSON
        yield f"crops {depth} deep", b'{"crops":' + b"[" * depth + b"]" * depth + b"}", JSON
        yield f"objects {depth} deep", b'{"crops":' * depth + b"1" + b"}" * depth, JSON
    for text in (
        "null",
        "true",
        "1",
        '"x"',
        "[]",
        "[1]",
        "{}",
        "NaN",
        '{"crops":NaN}',
        '{"crops":1e999}',
    ):
        yield f"the JSON {text}", text.encode(), JSON
    yield "a number of 5000 digits", b'{"crops":[],"top_k":' + b"9" * 5000 + b"}", JSON
    yield "9 MB", b'{"crops":["' + b"A" * 9_000_000 + b'"]}', JSON
    yield "a form", b"crops=1", "application/x-www-form-urlencoded"
    yield "multipart", b"--x\r\n\r\n--x--", FORM_TYPE
    yield "plain text", b'{"crops":[]}', "text/plain"
    yield "XML body", b"<crops/>", "application/xml"
    yield "unknown charset", b'{"crops":[]}', "application/json; charset=klingon"


def _wrong_fields() -> Iterator[tuple[str, bytes, str]]:
    good = as_url(encode("PNG", (8, 8)))
    yield "no crops", *crops_of()
    yield "33 crops", *crops_of(*[good] * 33)
    for crop in (None, 1, 1.5, True, [], [good], {}, {"data": good}):
        yield f"a crop that is {str(crop)[:20]}", *crops_of(crop)
    for crops in (None, 1, "x", {}, {"0": good}, True):
        yield f"crops that are {crops!r:.20}", json.dumps({"crops": crops}).encode(), JSON
    for top_k in (0, -1, 51, 10**12, 1.5, "x", None, [], {}):
        yield f"top_k {top_k!r}", *crops_of(good, top_k=top_k)
    for language in ("", "fr", "xx" * 500, 1, None, [], "../en"):
        yield f"language {str(language)[:10]!r}", *crops_of(good, language=language)
    yield "an unknown field", *crops_of(good, admin=True)
    yield "a __proto__ field", *crops_of(good, __proto__={})
    big = as_url(png_of(4000, 4000, bit_depth=1, colour=0, data=zlib.compress(bytes(4000 * 501), 9)))
    yield "five crops of 16 Mpx", *crops_of(*[big] * 5)
