"""What must hold for any bytes: a refusal is a `KyaraError`, an answer is whole, no pickle is opened."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from paper_bundle import make_layer, make_paper_bundle
from PIL import Image

from kyara import registry
from kyara.dataset import folder as dataset_folder
from kyara.dataset import manifest as dataset
from kyara.dataset import tagged
from kyara.dataset.review.reports.files import decode_report
from kyara.errors import KyaraError
from kyara.recognition import characters as names
from kyara.recognition.bundle import (
    COLOURLESS_FILE,
    GALLERY_FILE,
    HEAD_FILE,
    MANIFEST_FILE,
    hash_file,
    load_bundle,
    save_bundle,
)
from kyara.vision.images import decode_image, encode_png
from kyara.vision.picture_files import FILE_FORMATS
from kyara.web.crops import SentCrops
from kyara.web.serving.admission import Deadline

MAX_PIXELS = 1_000_000
"""Less than the site takes, so that an input costs milliseconds; the cap is the same code."""


def check_pixels(pixels: np.ndarray) -> None:
    """Check that pixels are what every other module expects, and that their PNG holds nothing else."""
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3 and pixels.shape[2] == 3 and min(pixels.shape) > 0
    if pixels.size > 200_000:
        return
    png = encode_png(pixels)
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        assert not image.info and not image.getexif()
    assert np.array_equal(decode_image(png), pixels)


def fuzz_image(data: bytes) -> None:
    """A picture file of any format that Kyara reads."""
    with suppress(KyaraError):
        pixels = decode_image(data, formats=FILE_FORMATS, max_pixels=MAX_PIXELS)
        assert pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
        check_pixels(pixels)
    with suppress(KyaraError):
        decode_report(data)


def fuzz_data_url(data: bytes) -> None:
    """A crop as it comes in JSON: any text, lone surrogates included."""
    with suppress(KyaraError):
        crops = SentCrops([data.decode("utf-8", "surrogateescape")])
        check_pixels(crops.decode_one(Deadline(60)))


ARRAY_FILES = {b"h": HEAD_FILE, b"g": GALLERY_FILE, b"c": COLOURLESS_FILE}


@cache
def make_folder() -> Path:
    """Return a folder of this process: a bundle in `model/paper`, a dataset in `data`."""
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="kyara-fuzz-", dir=memory if memory.is_dir() else None))
    backbone = root / "backbone.tflite"
    backbone.write_bytes(b"a network that nobody runs")
    save_bundle(make_paper_bundle(backbone=backbone, colourless=make_layer(3)), root / "model" / "paper")
    for below in ("inbox", "faces/a"):
        (root / "data" / below).mkdir(parents=True)
    (root / "data" / "faces" / "a" / "1.png").write_bytes(encode_png(np.zeros((2, 2, 3), np.uint8)))
    return root


@cache
def read_good_files() -> dict[str, bytes]:
    """Return the files of the bundle as they were saved."""
    folder = make_folder() / "model" / "paper"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pack_arrays(file: str, name: str, data: bytes) -> bytes:
    """Return an `.npz` of the bundle in which one array is these bytes; its CRC-32 fits."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(read_good_files()[file])) as good, zipfile.ZipFile(out, "w") as made:
        for each in good.namelist():
            made.writestr(each, data if each == f"{name}.npy" else good.read(each))
    return out.getvalue()


def fuzz_bundle(data: bytes) -> None:
    """A bundle with one damaged part, which the first byte names; its checksums fit."""
    good, folder = read_good_files(), make_folder() / "model" / "paper"
    files, manifest = dict(good), json.loads(good[MANIFEST_FILE])
    which, rest = data[:1], data[1:]
    if which == b"m":
        files[MANIFEST_FILE] = rest
    elif which == b"j":
        with suppress(ValueError, RecursionError):
            patch = json.loads(rest)
            manifest = {**manifest, **patch} if isinstance(patch, dict) else patch
    elif which in ARRAY_FILES:
        files[ARRAY_FILES[which]] = rest
    else:
        file, name = (HEAD_FILE, "weight") if which == b"w" else (GALLERY_FILE, "features")
        files[file] = pack_arrays(file, name, rest)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if which != b"m":
        if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict):
            changed = {name: hash_file(folder / name) for name in ARRAY_FILES.values()}
            manifest["files"] = {**manifest["files"], **changed}
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    with suppress(KyaraError):
        bundle = load_bundle(folder)
        assert bundle.head_weight.dtype == np.float32
        for character in bundle.characters:
            assert all(isinstance(text, str) for text in character.to_json("ja").values())
        assert len(bundle.gallery_rows) == len(bundle.gallery_features)


def _read(path: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        root = make_folder()
        (root / path).write_bytes(data)
        try:
            with suppress(KyaraError):
                read(root)
        finally:
            (root / path).unlink()

    return check


MANIFESTS: dict[bytes, Callable[[bytes], None]] = {
    b"i": _read("data/index.csv", lambda root: dataset.read_manifest(root / "data")),
    b"f": _read("data/faces/index.csv", lambda root: dataset_folder.read_index(root / "data")),
    b"r": _read("data/faces/index.csv", lambda root: dataset_folder.refresh_index(root / "data")),
    b"b": _read("data/inbox/manifest.jsonl", lambda root: dataset_folder.read_inbox(root / "data")),
    b"n": _read("names.json", lambda root: names.read_names(root / "names.json")),
    b"s": _read("model/registry.json", lambda root: registry.read_registry(root / "model")),
    b"S": _read("model/registry.json", lambda root: registry.find_serving(root / "model")),
    b"t": _read("data/tags.csv", lambda root: tagged.read_tagged(root / "data")),
}
"""First byte → which of the dataset's and the registry's files the rest of the bytes is."""


def fuzz_manifest(data: bytes) -> None:
    """A manifest, an index, a list of names or a registry."""
    check = MANIFESTS.get(data[:1]) or MANIFESTS[sorted(MANIFESTS)[len(data) % len(MANIFESTS)]]
    check(data[1:])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "image": fuzz_image,
    "data-url": fuzz_data_url,
    "bundle": fuzz_bundle,
    "manifest": fuzz_manifest,
}
