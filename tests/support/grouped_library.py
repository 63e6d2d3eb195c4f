"""A library of drawn faces that nobody knows: pictures on disk, rows as a scan writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from drawings import LABELS, draw_face
from libraries import open_new, write_rows
from sqlalchemy import Engine, select

from kyara.dataset.library.groups.making import make_groups
from kyara.dataset.library.groups.reading import State, list_faces, list_groups
from kyara.dataset.library.opening import open_library
from kyara.dataset.library.tables import FaceRow, PictureRow
from kyara.recognition.classifier import Classifier
from kyara.recognition.pictures import cut_seen
from kyara.vision.boxes import Box, FoundFace
from kyara.vision.images import read_image

SIDE_PX = 96
CHARACTERS = (0, 1, 3, 2)
"""Drawn characters, the most different ones first: some machines' tiny model takes 1 and 2 for one."""


def write_unknown(folder: Path, classifier: Classifier, counts: Sequence[int] = (5, 4, 3)) -> str:
    """Draw so many faces of each drawn character, a picture each; in the library all are unknown.

    Returns:
        The library's file; the pictures are in `pictures/`, named after their characters.
    """
    pictures, rng = folder / "pictures", np.random.default_rng(1)
    pictures.mkdir(parents=True, exist_ok=True)
    place = str(folder / "library.db")
    with open_new(place, pictures) as engine:
        for character, count in zip(CHARACTERS, counts, strict=False):
            for number in range(count):
                path = pictures / f"{LABELS[character]}-1-{number}.png"
                draw_face(character, rng, SIDE_PX).save(path)
                add_face(engine, path, classifier)
    return place


def write_grouped(folder: Path, classifier: Classifier, counts: Sequence[int] = (5, 4, 3)) -> str:
    """Draw so many faces of each character, each character's in a group; return the library's file."""
    place = write_unknown(folder, classifier, counts)
    with open_library(place) as engine:
        make_groups(engine, classifier.backbone.fingerprint, 0.8)
    return place


def add_face(engine: Engine, path: Path, classifier: Classifier, **more: Any) -> int:
    """Write the rows of a picture that is one unknown face; return the face's id."""
    pixels, network = read_image(path), classifier.backbone.fingerprint
    height, width = pixels.shape[:2]
    box = Box(0, 0, width, height)
    window = classifier.bundle.preprocessing.find_window(FoundFace(box, 1.0), 1.0, width, height)
    (embedding,) = classifier.backbone.extract([cut_seen(pixels, window)])
    face = {"x": 0, "y": 0, "width": width, "height": height, "score": 1.0, "network": network}
    face |= {"embedding": embedding.astype("<f2").tobytes(), "label": None, "confidence": 0.1}
    face |= {"status": "unknown", "answered_by": classifier.bundle.version, **more}
    number = write_rows(engine, path, [face], (width, height), f"network-1/{network}")
    with engine.connect() as connection:
        face_id = connection.scalar(select(FaceRow.id).where(FaceRow.picture == number))
    assert face_id is not None
    return face_id


def name_faces(engine: Engine) -> dict[int, str]:
    """Return face → the name of its picture's character."""
    query = select(FaceRow.id, PictureRow.path).join(PictureRow, PictureRow.id == FaceRow.picture)
    with engine.connect() as connection:
        return {row.id: row.path.partition("-")[0] for row in connection.execute(query)}


def view(engine: Engine) -> dict[str, list[tuple[str | None, list[int]]]]:
    """Return what a person sees: state → groups, each its label and faces, whatever their numbers."""
    seen = {}
    for state in State:
        groups = list_groups(engine, state)
        faces = list_faces(engine, [group.id for group in groups])
        seen[str(state)] = sorted((one.label, sorted(faces[one.id])) for one in groups)
    return seen


def read_rows(engine: Engine) -> list[dict[str, Any]]:
    """Return who each face is, in order."""
    names = ("id", "label", "confidence", "status", "answered_by")
    columns = [getattr(FaceRow, name) for name in names]
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).order_by(FaceRow.id)).all()
    return [dict(row._mapping) for row in rows]
