"""A model on disk: save, load, verify. Nothing is ever unpickled.

    model/<name>/bundle.json      what it is: characters, preprocessing, calibration, SHA-256 of the rest
    model/<name>/backbone.tflite  pixels → features, quantised
    model/<name>/head.npz         features → scores
    model/<name>/gallery.npz      reference features per character (optional)

A bundle that is damaged, or of another format, is refused when it is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BundleError

FORMAT = 1
MANIFEST_FILE = "bundle.json"
BACKBONE_FILE = "backbone.tflite"
HEAD_FILE = "head.npz"
GALLERY_FILE = "gallery.npz"
METRICS_FILE = "metrics.json"
LANGUAGES = ("en", "zh", "ja")


@dataclass(frozen=True)
class Character:
    """Somebody that the model knows.

    Attributes:
        label: stable ASCII id.
        name: language code → what people read.
        work: language code → the series.
    """

    label: str
    name: Mapping[str, str]
    work: Mapping[str, str]

    def name_in(self, language: str) -> str:
        """Return the name in a language, else in English, else the label."""
        return self.name.get(language) or self.name.get("en") or self.label

    def work_in(self, language: str) -> str:
        """Return the work's title in a language, else in English, else nothing."""
        return self.work.get(language) or self.work.get("en") or ""

    def to_json(self, language: str) -> dict[str, str]:
        """Return `{"label", "name", "work"}` in a language."""
        return {"label": self.label, "name": self.name_in(language), "work": self.work_in(language)}


@dataclass(frozen=True)
class View:
    """One way in which a crop is shown to the network.

    Attributes:
        inset: share of the crop's side cut off at each edge, 0 to 0.4.
        mirror: swap left and right.
    """

    inset: float = 0.0
    mirror: bool = False


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes the network's input: data that travels with the weights.

    Attributes:
        input_px: side of the square input.
        scale: values that bytes 0 and 255 become.
        views: the crop is shown in each of these; features are averaged.
    """

    input_px: int
    scale: tuple[float, float] = (0.0, 1.0)
    views: tuple[View, ...] = (View(),)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Read what `dataclasses.asdict` wrote."""
        low, high = data["scale"]
        return cls(int(data["input_px"]), (low, high), tuple(View(**view) for view in data["views"]))


@dataclass(frozen=True)
class Calibration:
    """What turns scores into honest confidence and tells known from unknown.

    Attributes:
        temperature: scores are divided by it before the softmax.
        familiarity_threshold: below it a face is called unknown; see `answers.measure_familiarity`.
    """

    temperature: float = 1.0
    familiarity_threshold: float = float("-inf")


@dataclass(frozen=True)
class Bundle:
    """Everything that serving needs, except the backbone's own bytes, which stay on disk.

    Attributes:
        name: folder name under `model/`.
        version: short content hash; changes whenever any part changes.
        characters: in the order of the head's columns.
        preprocessing: how crops become input.
        calibration: how scores become answers.
        backbone: path of the LiteRT file.
        head_weight: `float32 (features, classes)`.
        head_bias: `float32 (classes,)`.
        gallery_features: `float32 (R, features)`, unit length; R may be 0.
        gallery_rows: `int64 (R,)`, the character of each reference.
        provenance: how it was made.
    """

    name: str
    version: str
    characters: tuple[Character, ...]
    preprocessing: Preprocessing
    calibration: Calibration
    backbone: Path
    head_weight: np.ndarray
    head_bias: np.ndarray
    gallery_features: np.ndarray
    gallery_rows: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the head's columns."""
        return tuple(character.label for character in self.characters)


def save_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle: into a folder beside the target first, then renamed into place.

    Args:
        bundle: what to write; its backbone file is copied.
        folder: the target `model/<name>`; an existing bundle there is replaced whole.

    Returns:
        The bundle as `load_bundle` reads it back.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.copyfile(bundle.backbone, partial / BACKBONE_FILE)
    np.savez(partial / HEAD_FILE, weight=bundle.head_weight, bias=bundle.head_bias)
    if len(bundle.gallery_rows):
        stored = bundle.gallery_features.astype(np.float16)
        np.savez(partial / GALLERY_FILE, features=stored, rows=bundle.gallery_rows)
    manifest = {
        "format": FORMAT,
        "name": folder.name,
        "characters": [asdict(character) for character in bundle.characters],
        "preprocessing": asdict(bundle.preprocessing),
        "calibration": asdict(bundle.calibration),
        "provenance": dict(bundle.provenance),
        "files": {path.name: hash_file(path) for path in sorted(partial.iterdir())},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    (partial / MANIFEST_FILE).write_text(text, encoding="utf-8")
    _replace_folder(partial, folder)
    return load_bundle(folder)


def _replace_folder(partial: Path, folder: Path) -> None:
    """Swap folders so that a kill leaves either the old or the new bundle whole on disk."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(partial, folder)
    shutil.rmtree(old, ignore_errors=True)


def load_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleError: missing, damaged (a SHA-256 differs), of another format, or inconsistent.
    """
    path = folder / MANIFEST_FILE
    try:
        raw = path.read_bytes()
        manifest = json.loads(raw)
    except (OSError, ValueError) as error:
        raise BundleError(f"There is no readable model at {folder}: {error}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise BundleError(f"{path} has the format {found!r}; this Kyara reads format {FORMAT}.")
    try:
        _verify_files(folder, manifest["files"])
        return _assemble(folder, manifest, hashlib.sha256(raw).hexdigest()[:12])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BundleError(f"{path} is not a complete bundle: {error!r}.") from error


def _verify_files(folder: Path, files: Mapping[str, str]) -> None:
    for name in {BACKBONE_FILE, HEAD_FILE, *files}:
        if name not in files or Path(name).name != name:
            raise BundleError(f"{folder / MANIFEST_FILE} does not list {name} as one of its files.")
        if not (folder / name).is_file():
            raise BundleError(f"The model at {folder} lacks its file {name}.")
        if hash_file(folder / name) != files[name]:
            raise BundleError(
                f"{folder / name} is damaged: its SHA-256 is not the one in {MANIFEST_FILE}."
            )


def _assemble(folder: Path, manifest: Mapping[str, Any], version: str) -> Bundle:
    with np.load(folder / HEAD_FILE, allow_pickle=False) as head:
        weight, bias = head["weight"].astype(np.float32), head["bias"].astype(np.float32)
    characters = tuple(Character(**entry) for entry in manifest["characters"])
    if weight.ndim != 2 or weight.shape[1] != len(characters) or bias.shape != (len(characters),):
        raise BundleError(
            f"The head of {folder} has the shape {weight.shape} for {len(characters)} characters."
        )
    gallery = np.zeros((0, weight.shape[0]), np.float32), np.zeros(0, np.int64)
    if GALLERY_FILE in manifest["files"]:
        with np.load(folder / GALLERY_FILE, allow_pickle=False) as stored:
            gallery = stored["features"].astype(np.float32), stored["rows"].astype(np.int64)
    return Bundle(
        name=folder.name,
        version=version,
        characters=characters,
        preprocessing=Preprocessing.from_json(manifest["preprocessing"]),
        calibration=Calibration(**manifest["calibration"]),
        backbone=folder / BACKBONE_FILE,
        head_weight=weight,
        head_bias=bias,
        gallery_features=gallery[0],
        gallery_rows=gallery[1],
        provenance=manifest["provenance"],
    )


def write_whole(path: Path, text: str) -> None:
    """Write a text file beside its place, then rename it: a kill leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
