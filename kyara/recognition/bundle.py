"""A model on disk: save, load, verify. Nothing is ever unpickled.

    model/<name>/bundle.json      what it is: characters, preprocessing, calibration, SHA-256 of the rest
    model/<name>/backbone.tflite  pixels → features, quantised
    model/<name>/head.npz         features → scores: weight, bias, and the character of each column
    model/<name>/gallery.npz      reference features, the character and the name of each (optional)
    model/<name>/colourless.npz   features of drawings without colours → features in colours (optional)

Format 1, in which every character has its column and no reference has a name, is read too. A bundle
that is damaged, inconsistent or of another format is refused when it is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kyara.errors import BundleError
from kyara.recognition.bundle_parts import Bundle, Calibration, Preprocessing, Task, View, check_bundle
from kyara.recognition.characters import Character, check_anilist_id, check_mal_id
from kyara.recognition.colourless import ColourlessLayer

FORMAT = 2
READ_FORMATS = (1, 2)
MANIFEST_FILE = "bundle.json"
BACKBONE_FILE = "backbone.tflite"
HEAD_FILE = "head.npz"
GALLERY_FILE = "gallery.npz"
COLOURLESS_FILE = "colourless.npz"
METRICS_FILE = "metrics.json"
MAX_ARRAY_BYTES = 256 * 1024 * 1024
"""Of one file of arrays, unpacked; the gallery of 8,491 characters has 11 MB."""
MAX_MANIFEST_BYTES = 32 * 1024 * 1024
__all__ = [
    "Bundle",
    "Calibration",
    "Character",
    "Preprocessing",
    "Task",
    "View",
    "hash_file",
    "load_bundle",
    "save_bundle",
]


def save_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle: into a folder beside the target first, then renamed into place.

    Args:
        bundle: what to write; its backbone file is copied.
        folder: the target `model/<name>`; an existing bundle there is replaced whole.

    Returns:
        The bundle as `load_bundle` reads it back.

    Raises:
        BundleError: its parts do not fit each other; nothing is written.
    """
    check_bundle(bundle)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.copyfile(bundle.backbone, partial / BACKBONE_FILE)
    np.savez(
        partial / HEAD_FILE, weight=bundle.head_weight, bias=bundle.head_bias, rows=bundle.head_rows
    )
    if len(bundle.gallery_rows):
        stored = bundle.gallery_features.astype(np.float16)
        ids = np.array(bundle.gallery_ids, np.bytes_)
        np.savez(partial / GALLERY_FILE, features=stored, rows=bundle.gallery_rows, ids=ids)
    if bundle.colourless is not None:
        parts = {name: part.astype(np.float16) for name, part in vars(bundle.colourless).items()}
        np.savez(partial / COLOURLESS_FILE, **parts)
    manifest = {
        "format": FORMAT,
        "name": folder.name,
        "task": bundle.task,
        "characters": [_describe(character) for character in bundle.characters],
        "preprocessing": asdict(bundle.preprocessing),
        "calibration": asdict(bundle.calibration),
        "provenance": dict(bundle.provenance),
        "files": {path.name: hash_file(path) for path in sorted(partial.iterdir())},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    (partial / MANIFEST_FILE).write_text(text, encoding="utf-8")
    _replace_folder(partial, folder)
    return load_bundle(folder)


def _describe(character: Character) -> dict[str, Any]:
    return {name: value for name, value in asdict(character).items() if value is not None}


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
        with path.open("rb") as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
        if len(raw) > MAX_MANIFEST_BYTES:
            raise ValueError(f"it has more than {MAX_MANIFEST_BYTES:,} bytes")
        manifest = json.loads(raw)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"There is no readable model at {folder}: {error}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") not in READ_FORMATS:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise BundleError(f"{path} has the format {found!r}; this Kyara reads {READ_FORMATS}.")
    try:
        _verify_files(folder, manifest["files"])
        bundle = _assemble(folder, manifest, hashlib.sha256(raw).hexdigest()[:12])
        check_bundle(bundle)
    except BundleError:
        raise
    except Exception as error:  # on arrays of odd types NumPy raises its own, SystemError among them
        raise BundleError(f"{path} is not a complete bundle: {error!r}.") from error
    return bundle


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
    characters = tuple(
        Character(
            _read_text(entry["label"]),
            _read_texts(entry["name"]),
            _read_texts(entry["work"]),
            check_mal_id(entry.get("mal_id")),
            check_anilist_id(entry.get("anilist_id")),
        )
        for entry in manifest["characters"]
    )
    head = {"rows": np.arange(len(characters)), **_read_arrays(folder / HEAD_FILE)}
    weight = head["weight"].astype(np.float32)
    gallery = {"features": np.zeros((0, weight.shape[0]), np.float16), "rows": np.zeros(0, np.int64)}
    if GALLERY_FILE in manifest["files"]:
        gallery = _read_arrays(folder / GALLERY_FILE)
    colourless = None
    if COLOURLESS_FILE in manifest["files"]:
        parts = _read_arrays(folder / COLOURLESS_FILE)
        colourless = ColourlessLayer(**{name: part.astype(np.float32) for name, part in parts.items()})
    return Bundle(
        name=folder.name,
        version=version,
        characters=characters,
        preprocessing=Preprocessing.from_json(manifest["preprocessing"]),
        calibration=Calibration.from_json(manifest["calibration"]),
        backbone=folder / BACKBONE_FILE,
        head_weight=weight,
        head_bias=head["bias"].astype(np.float32),
        gallery_features=gallery["features"].astype(np.float16, copy=False),  # as it is written
        gallery_rows=gallery["rows"].astype(np.int64),
        provenance=manifest["provenance"],
        head_rows=head["rows"].astype(np.int64),
        gallery_ids=tuple(gallery["ids"].astype(np.str_).tolist()) if "ids" in gallery else (),
        task=manifest.get("task", "single"),
        colourless=colourless,
    )


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a label, a name and a work are text; received {value!r:.80}")
    return value


def _read_texts(texts: Mapping[str, Any]) -> dict[str, str]:
    return {language: _read_text(text) for language, text in texts.items()}


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read a `.npz` whole. A pickle inside is refused, never opened.

    Raises:
        BundleError: it cannot be read, or unpacks to more than `MAX_ARRAY_BYTES`.
    """
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as archive:  # which unpacks no more than it says here
                size_bytes = sum(entry.file_size for entry in archive.infolist())
            if size_bytes > MAX_ARRAY_BYTES:
                raise BundleError(
                    f"{path} unpacks to {size_bytes:,} bytes; at most {MAX_ARRAY_BYTES:,} are read."
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
    except BundleError:
        raise
    except Exception as error:  # zip, zlib, NumPy's header parser and the allocator raise their own each
        raise BundleError(
            f"{path} is not a file of plain arrays, or holds a pickle, which is never opened: {error}."
        ) from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):  # NumPy hands out its bytes
        raise BundleError(f"{path} is not a file of plain arrays.")
    return arrays


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
