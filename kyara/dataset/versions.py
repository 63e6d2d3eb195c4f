"""First stage of retraining: a dataset at one moment → `versions/<id>.json`, which never changes.

The id is a hash of what it holds (each picture's content, label, split and group), so the same content
has the same id wherever and whenever it is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kyara.dataset.folder import FACES_FOLDER, VERSIONS_FOLDER, list_faces_below, refresh_index
from kyara.dataset.manifest import Face, Manifest, read_manifests
from kyara.errors import BadInputError
from kyara.recognition.bundle import hash_file
from kyara.storage.atomic import replace_file

ID_CHARACTERS = 16


@dataclass(frozen=True)
class DatasetVersion:
    """What a bundle is made from.

    Attributes:
        id: hash of the content.
        manifest: the faces; `test` (and `val`) are held out for ever.
    """

    id: str
    manifest: Manifest


def make_version(
    dataset: Path, further: Sequence[Path] = (), same_as: Mapping[str, str] | None = None
) -> DatasetVersion:
    """Read a dataset folder, and others beside it, and write down what they hold.

    New faces get their split first: groups are dealt into `train`, `val` and `test`, and keep it for
    ever (see `kyara.dataset.folder`).

    Args:
        dataset: the folder with `faces/`; the version is written below it.
        further: dataset folders as `train` takes them.
        same_as: label → label of the same character in the serving bundle.

    Raises:
        BadInputError: nothing to learn from, or nothing held out.
    """
    roots = list(further)
    faces_folder = dataset / FACES_FOLDER
    if faces_folder.is_dir() and list_faces_below(faces_folder):
        refresh_index(dataset)
        roots.insert(0, faces_folder)
    if not roots:
        raise BadInputError(
            f"{dataset} has no labelled faces yet: label some, accept reports, or give a DATA folder."
        )
    manifest = _read(roots, same_as)
    order = sorted(manifest.faces, key=lambda face: (_find_root(manifest, face), manifest.locate(face)))
    manifest = replace(manifest, faces=tuple(order))
    hashes = {face.path: hash_file(face.path) for face in manifest.faces}
    content = _describe(manifest, hashes)
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
    version = hashlib.sha256(canonical).hexdigest()[:ID_CHARACTERS]
    path = dataset / VERSIONS_FOLDER / f"{version}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"id": version, "roots": [root.resolve().name for root in roots], "files": content}
        replace_file(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        path.chmod(0o444)
    return DatasetVersion(version, manifest)


def _read(roots: Sequence[Path], same_as: Mapping[str, str] | None) -> Manifest:
    manifest = read_manifests(roots, same_as)
    for split in ("train", "test"):
        if not any(face.split == split for face in manifest.faces):
            raise BadInputError(
                f"The dataset has no {split} drawings yet: one of ten sources of a character is held "
                "out, from the fifth source on. Label more, or give a DATA folder beside it. Without a "
                "training they can be known from now on: the switch of that name on the review page."
            )
    return manifest


def read_version(dataset: Path, version: str, further: Sequence[Path] = ()) -> DatasetVersion:
    """Read a version again, `further` folders as `make_version` took them; its files are what they were.

    Raises:
        BadInputError: there is no such version, or a file has changed since.
    """
    path = dataset / VERSIONS_FOLDER / f"{version}.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        roots = list(further)
        if len(document["roots"]) > len(roots):
            roots.insert(0, dataset / FACES_FOLDER)
        faces = tuple(
            Face(
                roots[entry["root"]] / entry["path"],
                entry["label"],
                entry["split"],
                entry["group"],
                entry.get("work", ""),
            )
            for entry in document["files"]
        )
        hashes = {
            face.path: str(entry["sha256"]) for face, entry in zip(faces, document["files"], strict=True)
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInputError(f"There is no dataset version {path}: {error!r}.") from error
    for face in faces:
        if not face.path.is_file() or hash_file(face.path) != hashes[face.path]:
            raise BadInputError(
                f"{face.path} is no longer what the dataset version {version} holds: somebody has "
                "labelled on. Start a new retraining."
            )
    return DatasetVersion(version, Manifest(tuple(roots), faces))


def _describe(manifest: Manifest, hashes: Mapping[Path, str]) -> list[dict[str, Any]]:
    def describe(face: Face) -> dict[str, Any]:
        return {
            "root": _find_root(manifest, face),
            "path": manifest.locate(face).as_posix(),
            "sha256": hashes[face.path],
            "label": face.label,
            "split": face.split,
            "group": face.group,
            **({"work": face.work} if face.work else {}),
        }

    return [describe(face) for face in manifest.faces]


def _find_root(manifest: Manifest, face: Face) -> int:
    return next(n for n, root in enumerate(manifest.roots) if face.path.is_relative_to(root))
