"""What can be wrong with a bundle on disk, and how to make it so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from paper_bundle import make_layer

from kyara.recognition.bundle import Bundle, Calibration, hash_file, load_bundle, save_bundle


def make_mixed_bundle(tiny_bundle: Path, folder: Path) -> Path:
    """The tiny model in which the first character has only references, and the last only its column."""
    bundle = load_bundle(tiny_bundle)
    last = len(bundle.characters) - 1
    kept = bundle.gallery_rows != last
    changed = replace(
        bundle,
        head_weight=bundle.head_weight[:, 1:],
        head_bias=bundle.head_bias[1:],
        head_rows=bundle.head_rows[1:],
        gallery_features=bundle.gallery_features[kept],
        gallery_rows=bundle.gallery_rows[kept],
        gallery_ids=tuple(f"drawn/{number}.png" for number in range(kept.sum())),
        calibration=Calibration(0.5, 1.5, similarity_scale=12, gallery_weight=0.4),
        colourless=make_layer(bundle.head_weight.shape[0]),
    )
    save_bundle(changed, folder)
    return folder


def change_arrays(folder: Path, name: str, **changes: np.ndarray) -> None:
    """Put other arrays into a file, with a SHA-256 that fits."""
    with np.load(folder / name) as stored:
        arrays = dict(stored)
    np.savez(folder / name, **{**arrays, **changes})
    trust_file(folder, name)


def trust_file(folder: Path, name: str) -> None:
    files = json.loads((folder / "bundle.json").read_text())["files"]
    change_manifest(folder, files={**files, name: hash_file(folder / name)})


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def flip_a_byte(folder: Path) -> None:
    data = bytearray((folder / "backbone.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "backbone.tflite").write_bytes(bytes(data))


def drop_a_label(folder: Path) -> None:
    characters = json.loads((folder / "bundle.json").read_text())["characters"]
    change_manifest(folder, characters=characters[:-1])


def add_a_label(folder: Path) -> None:
    characters = json.loads((folder / "bundle.json").read_text())["characters"]
    change_manifest(folder, characters=[*characters, {"label": "new", "name": {}, "work": {}}])


def shorten(bundle: Bundle) -> dict[str, np.ndarray]:
    return {"features": bundle.gallery_features[:, :-1]}


def spoil(values: np.ndarray) -> np.ndarray:
    spoiled = values.copy()
    spoiled[0] = np.nan
    return spoiled


DAMAGE = {
    "a flipped byte": (flip_a_byte, "backbone.tflite is damaged"),
    "a missing file": (lambda f: (f / "gallery.npz").unlink(), "lacks its file gallery.npz"),
    "a label too few": (drop_a_label, "of 3 characters"),
    "a label too many": (add_a_label, "new .1 of 5 characters. has neither"),
    "a row out of range": (
        lambda f: change_arrays(f, "gallery.npz", rows=load_bundle(f).gallery_rows + 2),
        "speaks of character 4 of 4",
    ),
    "a negative row": (
        lambda f: change_arrays(f, "head.npz", rows=load_bundle(f).head_rows - 2),
        "of 4 characters",
    ),
    "rows that do not fit": (
        lambda f: change_arrays(f, "gallery.npz", rows=load_bundle(f).gallery_rows[1:]),
        "its gallery has the shape",
    ),
    "names that do not fit": (
        lambda f: change_arrays(f, "gallery.npz", ids=np.array([b"one.png", b"two.png"])),
        "2 names for",
    ),
    "a head that does not fit": (
        lambda f: change_arrays(f, "head.npz", bias=load_bundle(f).head_bias[1:]),
        "its head has the shape",
    ),
    "two columns for one": (
        lambda f: change_arrays(f, "head.npz", rows=np.array([1, 1, 3])),
        "two columns of its head",
    ),
    "references of another length": (
        lambda f: change_arrays(f, "gallery.npz", **shorten(load_bundle(f))),
        "its gallery has the shape",
    ),
    "a layer that does not fit": (
        lambda f: change_arrays(f, "colourless.npz", hidden_bias=np.zeros(3)),
        "its layer for drawings without colours has the shapes",
    ),
    "references that are not finite": (
        lambda f: change_arrays(f, "gallery.npz", features=spoil(load_bundle(f).gallery_features)),
        "finite numbers of unit length",
    ),
    "references that are not of unit length": (
        lambda f: change_arrays(f, "gallery.npz", features=load_bundle(f).gallery_features * 2),
        "finite numbers of unit length",
    ),
    "a head that is not finite": (
        lambda f: change_arrays(f, "head.npz", weight=spoil(load_bundle(f).head_weight)),
        "head has numbers that are not finite",
    ),
    "a pickle in the head": (
        lambda f: change_arrays(f, "head.npz", rows=np.array([{"a": 1}, None, 2], object)),
        "holds a pickle, which is never opened",
    ),
    "a pickle in the gallery": (
        lambda f: change_arrays(f, "gallery.npz", ids=np.array([print], object)),
        "holds a pickle, which is never opened",
    ),
    "a pickle instead of the gallery": (
        lambda f: ((f / "gallery.npz").write_bytes(b"\x80\x04N."), trust_file(f, "gallery.npz")),
        "gallery.npz is not a file of plain arrays",
    ),
    "an archive cut short": (
        lambda f: (
            (f / "head.npz").write_bytes((f / "head.npz").read_bytes()[:-40]),
            trust_file(f, "head.npz"),
        ),
        "head.npz is not a file of plain arrays",
    ),
    "features of another network": (
        lambda f: (
            change_arrays(f, "head.npz", weight=load_bundle(f).head_weight[:-1]),
            change_arrays(f, "colourless.npz", **vars(make_layer(lose_a_dimension(f).shape[1]))),
            change_arrays(f, "gallery.npz", features=lose_a_dimension(f)),
        ),
        "its network gives features of length",
    ),
    "a network that is none": (
        lambda f: ((f / "backbone.tflite").write_bytes(b"TFL3" * 99), trust_file(f, "backbone.tflite")),
        "not a model that LiteRT can load",
    ),
}


def lose_a_dimension(folder: Path) -> np.ndarray:
    """Return the references, cut short and of unit length again."""
    with np.load(folder / "gallery.npz") as stored:
        short = stored["features"][:, :-1].astype(np.float32)
    return short / np.linalg.norm(short, axis=1, keepdims=True)
