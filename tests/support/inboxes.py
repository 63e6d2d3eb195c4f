"""Inboxes that the tests draw, and the question whether a dataset folder equals its journal."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from drawings import draw_face

from kyara.dataset.manifest import read_manifest
from kyara.dataset.review.labelling import NOT_A_FACE


def fill_inbox(dataset: Path, faces: int, *, size_px: int = 32) -> list[str]:
    """Draw an inbox as `collect` leaves it: the four drawn characters in turn, and a manifest.

    Returns:
        The ids, sorted.
    """
    inbox = dataset / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(faces)
    ids = [f"face{number:04}" for number in range(faces)]
    with (inbox / "manifest.jsonl").open("a", encoding="utf-8") as manifest:
        for number, face in enumerate(ids):
            path = inbox / f"{face}.png"
            draw_face(number % 4, rng, size_px).save(path)
            source = f"video{number % 4}.webm"
            entry = {
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "source": source,
                "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
                "time_s": number / 2,
                "frame": number * 12,
                "box": {"x": 1, "y": 2, "width": size_px, "height": size_px},
                "detector": "cascade",
                "score": 0.9,
            }
            manifest.write(json.dumps(entry) + "\n")
    return ids


def read_all(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def read_labels(dataset: Path) -> dict[str, str]:
    """Read the labels from the journal's rows, by SQL of the test's own."""
    query = "SELECT report_id, after FROM reviews ORDER BY id"
    with closing(sqlite3.connect(dataset / "labels.db")) as connection:
        last = dict(connection.execute(query).fetchall())
    labels = {face: json.loads(after)["label"] for face, after in last.items()}
    return {face: label for face, label in labels.items() if label is not None}


def list_labelled(dataset: Path) -> dict[str, str]:
    """Read the labels from the folder: id → label, by where the files lie."""
    faces = dataset / "faces"
    found = {path.stem: path.parent.relative_to(faces).as_posix() for path in faces.rglob("*.png")}
    aside = {path.stem: NOT_A_FACE for path in (dataset / NOT_A_FACE).glob("*.png")}
    assert not found.keys() & aside.keys()
    return {**found, **aside}


def check_folder(dataset: Path, ids: Sequence[str]) -> None:
    """Assert that folder, index and journal tell the same, and that every face is there once."""
    labels = read_labels(dataset)
    assert list_labelled(dataset) == labels
    inbox = {path.stem for path in (dataset / "inbox").glob("*.png")}
    assert inbox == set(ids) - labels.keys()
    with (dataset / "faces" / "index.csv").open(newline="") as file:
        index = {Path(row["path"]).stem: row["label"] for row in csv.DictReader(file)}
    characters = {face: label for face, label in labels.items() if label != NOT_A_FACE}
    assert index == characters
    if characters:
        manifest = read_manifest(dataset / "faces")  # refuses a missing file and a divided group
        assert {face.path.stem: face.label for face in manifest.faces} == characters
