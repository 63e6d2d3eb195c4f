"""ICC profiles that the tests write themselves, and the colours that pixels have by them.

Source: ICC.1:2010, sections 7.2 (header), 10.5 (curve), 10.8 (lut8), 10.31 (XYZ); the matrix from XYZ
(D50) to linear sRGB is Bruce Lindbloom's, http://www.brucelindbloom.com/index.html?Eqn_RGB_XYZ_Matrix.html
"""

from __future__ import annotations

import struct

import numpy as np

DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
"""XYZ (D50) of red, green and blue."""
_D50 = (0.9642, 1.0, 0.8249)
_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


def write_rgb_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """Return a profile of a screen with these primaries."""
    tags = {b"wtpt": _xyz(_D50)}
    for name, primary in zip("rgb", primaries, strict=True):
        tags[f"{name}XYZ".encode()] = _xyz(primary)
        tags[f"{name}TRC".encode()] = _curve(gamma)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def write_grey_profile(gamma: float) -> bytes:
    """Return a profile of greys."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(_D50), b"kTRC": _curve(gamma)})


def write_cmyk_profile(cyan_lab: tuple[float, float, float]) -> bytes:
    """Return a profile of a press: no ink is white, black ink black, cyan alone this colour."""
    nodes = []
    for number in range(16):
        cyan, black = number >> 3 & 1, number & 1
        nodes.append((0.0, 0.0, 0.0) if black else cyan_lab if cyan else (100.0, 0.0, 0.0))
    table = b"".join(bytes((round(l * 2.55), round(a) + 128, round(b) + 128)) for l, a, b in nodes)  # noqa: E741
    identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    straight = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + straight * 4 + table + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(_D50), b"A2B0": lut})


def show_rgb(
    value: tuple[int, int, int], primaries: tuple[tuple[float, ...], ...], gamma: float
) -> list:
    """Return the sRGB colour of a value by a profile of `write_rgb_profile`."""
    linear = (np.array(value) / 255) ** gamma
    return _encode(np.array(primaries).T @ linear)


def show_lab(lab: tuple[float, float, float]) -> list[int]:
    """Return the sRGB colour of CIE Lab (D50)."""
    y = (lab[0] + 16) / 116
    x, z = y + lab[1] / 500, y - lab[2] / 200
    parts = [t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29) for t in (x, y, z)]
    return _encode(np.array(parts) * np.array(_D50))


def show_grey(value: int, gamma: float) -> list[int]:
    """Return the sRGB colour of a grey by a profile of `write_grey_profile`."""
    return _encode(np.array(_D50) * (value / 255) ** gamma)


def _encode(xyz: np.ndarray) -> list[int]:
    linear = np.clip(_TO_SRGB @ xyz, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [round(float(value)) for value in 255 * encoded]


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _text("a test"), b"cprt": _text("none"), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s12s4s", size, b"", 0x02400000, kind, space, pcs, bytes(12), b"acsp")
    head += bytes(68 - len(head)) + struct.pack(">3i", *(round(65536 * one) for one in _D50))
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))


def _text(words: str) -> bytes:
    """Return a text; where a description stands it is one of version 2 of the standard."""
    plain = words.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(plain)) + plain + bytes(78)
