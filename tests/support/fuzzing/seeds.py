"""The first inputs of each target, made by code: good ones of every kind, and known ways to be bad."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from encoding import encode_image
from hostile import as_url, bomb, encode, png_of
from PIL import Image

from fuzzing.targets import read_good_files
from kyara.recognition.bundle import COLOURLESS_FILE, GALLERY_FILE, HEAD_FILE, MANIFEST_FILE
from kyara.vision.picture_files import FILE_FORMATS

DEEP = b"[" * 100_000
FIRED: list[str] = []
"""What a pickle did that somebody opened; stays empty."""


class Trap:
    """Unpickled, it says so."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return spring_trap, ("opened",)


def spring_trap(word: str) -> str:
    """Note that a pickle was opened, and fail whoever did."""
    FIRED.append(word)
    raise AssertionError("A pickle was opened.")


def pack_pickle() -> bytes:
    """Return an `.npy` file that holds a pickle."""
    out = io.BytesIO()
    np.save(out, np.array([Trap()], dtype=object), allow_pickle=True)
    return out.getvalue()


def _pictures() -> Iterator[bytes]:
    for kind in (*FILE_FORMATS, "TIFF", "ICO"):
        yield encode(kind, (9, 7))
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8))
    for kind in ("PNG", "WEBP", "GIF"):
        yield encode_image(noise, kind, save_all=True, append_images=[noise.rotate(90)])
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        yield encode_image(Image.new(mode, (5, 5)), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    yield encode("JPEG", (8, 8), exif=exif, progressive=True)
    yield encode("WEBP", (8, 8), exif=exif.tobytes(), lossless=True)
    yield encode("PNG", (8, 8))[:-20]
    yield png_of(60_000, 60_000)
    yield png_of(3, 3, bit_depth=16, colour=6, data=zlib.compress(bytes(99)))
    yield bomb()
    yield b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield b"GIF89a/*" + struct.pack("<HH", 65535, 65535) + b"*/=1"


def _data_urls() -> Iterator[bytes]:
    for kind in ("PNG", "JPEG", "WEBP"):
        yield as_url(encode(kind, (4, 4))).encode()
    for text in ("data:;base64,", "data:image/png;base64,AA==AA", "data:a/b;base64,\ud800", "blob:x"):
        yield text.encode("utf-8", "surrogatepass")


def _bundles() -> Iterator[bytes]:
    good = read_good_files()
    yield b"m" + good[MANIFEST_FILE]
    yield b"m" + DEEP
    yield b"h" + good[HEAD_FILE]
    yield b"g" + good[GALLERY_FILE]
    yield b"c" + good[COLOURLESS_FILE]
    for array in (np.ones((3, 2), np.float16), np.full((3, 2), np.nan), np.zeros(0), np.array("x")):
        out = io.BytesIO()
        np.save(out, array)
        yield b"w" + out.getvalue()
        yield b"f" + out.getvalue()
    for which in (b"w", b"f"):
        yield which + pack_pickle()
        yield which + pickle.dumps(Trap())
    huge = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2)}
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, huge)
    yield b"w" + out.getvalue()
    for patch in _patches():
        yield b"j" + json.dumps(patch).encode()


def _patches() -> Iterator[object]:
    yield {"files": {"../../../etc/passwd": "0"}}
    yield {"files": None}
    yield {"characters": [{"label": 3, "name": [], "work": None}] * 3}
    yield {"preprocessing": {"input_px": -1, "scale": [0, 1, 2], "views": [{"inset": "x"}]}}
    yield {"calibration": {"temperature": 0, "threshold": "NaN"}}
    yield {"format": 1, "task": "multi", "provenance": 4}
    yield {"format": True}
    yield []


def _manifests() -> Iterator[bytes]:
    for which in (b"i", b"f", b"r", b"t"):
        yield which + b"path,label,split,group\nfaces/a/1.png,a,train,g\n"
        yield which + b"\xff\xfe\x00"
        yield which + b'path,label,split\n"' + b"x" * 200_000
        yield which + b"path,label,split\n../../etc/passwd,a,test\n/etc/passwd,b,test\n"
        yield which + b"path,label,split\na\0.png,a,test,too,many\n"
    yield b"fpath,label,split,group,source\na/1.png,a,train,g,s\n"
    yield b"tname,tag\n1,1\n"
    for which in (b"b", b"n", b"s", b"S"):
        yield which + DEEP
        yield which + b'{"serving": "..", "history": []}'
        yield which + b'{"file": "a.png", "group": null}\n{"file": []}\n[]\n1\n'
        yield which + b'{"a": {"name": {"en": "A"}, "same_as": "b"}, "b": {"same_as": "a"}}'
        yield which + b"9" * 5000


SEEDS = {"image": _pictures, "data-url": _data_urls, "bundle": _bundles, "manifest": _manifests}


def write_seeds(target: str, folder: Path) -> int:
    """Write the seeds of a target as files; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = list(SEEDS[target]())
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_bytes(seed)
    return len(seeds)
