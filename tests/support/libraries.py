"""Libraries of pictures: rows written as a scan writes them, and everything that a library holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert, select

from kyara.dataset.library.comparing import Comparison, SeenBy, Tally
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.parts import plan_parts
from kyara.dataset.library.reading import Library
from kyara.dataset.library.tables import CharacterRow, FaceRow, PictureRow, RootRow
from kyara.dataset.library.writing import put_faces, put_picture
from kyara.storage.clock import tell_time

NETWORK = "network"
SEEN_BY = f"cascade-1/{NETWORK}"
NOT_COMPARED = {"id", "scanned_at", "picture", "root", "path"}


@dataclass(frozen=True)
class Seen:
    """A face as a row has it."""

    label: str | None
    confidence: float = 0.9
    embedding: tuple[float, ...] = (1.0, 0.0)

    def to_row(self, place: int) -> dict[str, Any]:
        status = "unknown" if self.label is None else "known" if self.confidence >= 0.8 else "probably"
        box = {"x": 10 * place, "y": 1, "width": 9, "height": 8}
        who = {"label": self.label, "confidence": self.confidence, "status": status}
        made = {"embedding": np.array(self.embedding, "<f2").tobytes(), "network": NETWORK}
        return {**box, **who, **made, "score": 0.5, "answered_by": "model"}


PICTURES = {
    "1.png": [Seen("rem", 0.6), Seen("ram", 0.95)],
    "2.png": [Seen("rem", 0.99, (0.0, 1.0)), Seen(None, 0.3, (0.6, 0.8))],
    "3.png": [Seen("saber", 0.9, (-1.0, 0.0)), Seen("rem", 0.4), Seen("rem", 0.85)],
    "4.png": [Seen(None, 0.2, (0.8, 0.6))],
    "5.png": [],
}


def look(engine: Engine, path: Path, faces: Sequence[Seen] = (), *, error: str | None = None) -> None:
    """Write the rows of a picture file whose root is known, as if workers had looked at it."""
    rows = [face.to_row(index) for index, face in enumerate(faces)]
    write_rows(engine, path, rows, (30, 20), SEEN_BY, error)


def write_rows(
    engine: Engine,
    path: Path,
    faces: list[dict[str, Any]],
    size: tuple[int, int],
    seen_by: str,
    error: str | None = None,
) -> int:
    """Write the rows of a picture file whose root is known; return its id."""
    found, data = path.stat(), path.read_bytes()
    values: dict[str, Any] = {"size": found.st_size, "mtime_ns": found.st_mtime_ns}
    values |= {"seen_by": seen_by, "error": error}
    values |= {"sha256": hashlib.sha256(data).hexdigest(), "width": size[0], "height": size[1]}
    values |= {"scanned_at": tell_time(), "missing_since": None}
    with engine.begin() as connection:
        roots = connection.execute(select(RootRow.path, RootRow.id)).all()
        folder, root = max(
            (row for row in roots if os.fspath(path).startswith(f"{row.path}/")),
            key=lambda row: len(row.path),
        )
        place = PictureRow.root == root, PictureRow.path == os.path.relpath(path, folder)
        number = connection.scalar(select(PictureRow.id).where(*place))
        number = put_picture(connection, root, os.path.relpath(path, folder), values, number)
        put_faces(connection, number, faces)
    return number


def add_characters(engine: Engine, **works: str) -> None:
    """Write down characters: label → work."""
    rows = [
        {"label": label, "name": {"en": label.title(), "ja": f"{label}さん"}, "work": {"en": work}}
        for label, work in works.items()
    ]
    with engine.begin() as connection:
        connection.execute(insert(CharacterRow), rows)


def compare(
    engine: Engine, folder: Path, seen_by: str = SEEN_BY, reads: str = ""
) -> tuple[list[str], Tally, list[str]]:
    """Compare a folder with a library: paths to look at, below it; the counts; what cannot be read."""
    tally, failed = Tally(), []
    work, looks = [], SeenBy(seen_by, reads)
    for part in plan_parts(engine, os.fspath(folder)):
        comparison = Comparison(engine, part, looks, tally, lambda path, why: failed.append(path))
        work += [os.path.relpath(path, folder) for path in comparison.find_work()]
    return work, tally, failed


@contextmanager
def open_new(place: str, folder: Path) -> Iterator[Engine]:
    """Make a library with a folder as its root."""
    with open_library(place, new=True) as engine:
        plan_parts(engine, os.fspath(folder))
        yield engine


@contextmanager
def open_example(place: str, folder: Path, *, broken: bool = False) -> Iterator[Library]:
    """Make a library of `PICTURES`, a missing one and, where `broken`, one that cannot be read."""
    folder.mkdir()
    for name in (*PICTURES, "gone.png"):
        (folder / name).write_text(name)
    with open_new(place, folder) as engine:
        for name, faces in PICTURES.items():
            look(engine, folder / name, faces)
        if broken:
            (folder / "broken.png").write_text("broken.png")
            look(engine, folder / "broken.png", error="This is not a picture.")
        look(engine, folder / "gone.png", [Seen("rem", 1.0)])
        add_characters(engine, rem="Re:ZERO", ram="Re:ZERO", saber="Fate")
        (folder / "gone.png").unlink()
        compare(engine, folder)
        yield Library(engine)


def list_paths(engine: Engine) -> dict[str, bool]:
    """Return the paths of a library below their roots, and whether each is there."""
    with engine.connect() as connection:
        rows = connection.execute(select(PictureRow.path, PictureRow.missing_since))
        return {path: missing is None for path, missing in rows}


def dump(place: str) -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Return all that a library holds but times and numbers of rows: paths, columns, faces in order."""
    with open_library(place) as engine, engine.connect() as connection:
        query = select(RootRow.path.label("folder"), *PictureRow.__table__.columns)
        pictures = connection.execute(query.join(RootRow, RootRow.id == PictureRow.root)).all()
        faces: dict[int, list[dict[str, Any]]] = {}
        for row in connection.execute(select(*FaceRow.__table__.columns).order_by(FaceRow.id)):
            faces.setdefault(row.picture, []).append(_strip(row))
        found = [
            (os.path.join(row.folder, row.path), _strip(row), faces.get(row.id, [])) for row in pictures
        ]
    return sorted(found, key=lambda one: one[0])


def _strip(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in NOT_COMPARED}
