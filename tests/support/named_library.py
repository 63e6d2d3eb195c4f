"""A library of drawn faces of whom some have names: pictures of nobody, of one, and of two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from drawings import LABELS, draw_face
from libraries import open_new, write_rows
from PIL import Image
from sqlalchemy import Engine, insert

from kyara.dataset.library.tables import CharacterRow
from kyara.recognition.classifier import Classifier

SIDE_PX = 96
AKA, AO, MIDORI, KIIRO = LABELS
PICTURES: dict[str, list[tuple[int, float]]] = {
    "aka-faint.png": [(0, 0.6)],
    "aka.png": [(0, 0.99)],
    "ao.png": [(1, 0.95)],
    "both.png": [(0, 0.9), (1, 0.7)],
    "kiiro.png": [(3, 0.85)],
    "plain.png": [],
    "stranger.png": [(2, 0.0)],
}
"""Name → its faces from left to right: which drawing, and how confident; 0: nobody is named."""
WORKS = {AKA: "The Drawn Four", AO: "The Drawn Four", KIIRO: "Star Tales"}


def write_named(folder: Path, classifier: Classifier, more: int = 0) -> str:
    """Draw `PICTURES` into `pictures/` and write their rows.

    Args:
        folder: that gets the library and its pictures.
        classifier: makes the embeddings.
        more: pictures of one stranger beside them, for several pages.

    Returns:
        The library's file.
    """
    pictures, rng = folder / "pictures", np.random.default_rng(5)
    pictures.mkdir(parents=True, exist_ok=True)
    place = str(folder / "library.db")
    with open_new(place, pictures) as engine:
        for name, faces in PICTURES.items():
            _write(engine, pictures / name, faces, classifier, rng)
        for number in range(more):
            _write(engine, pictures / f"more-{number:03}.png", [(2, 0.0)], classifier, rng)
        rows = [
            {"label": label, "name": {"en": say(label), "ja": f"{label}さん"}, "work": {"en": work}}
            for label, work in WORKS.items()
        ]
        with engine.begin() as connection:
            connection.execute(insert(CharacterRow), rows)
    return place


def say(label: str) -> str:
    """Return the English name of a drawn character."""
    return label.replace("_", " ").title()


def _write(
    engine: Engine,
    path: Path,
    faces: list[tuple[int, float]],
    classifier: Classifier,
    rng: np.random.Generator,
) -> None:
    drawn = [draw_face(character, rng, SIDE_PX) for character, _ in faces]
    image = Image.new("RGB", (SIDE_PX * max(1, len(drawn)), SIDE_PX), "#dde")
    for place, face in enumerate(drawn):
        image.paste(face, (place * SIDE_PX, 0))
    image.save(path)
    network, rows = classifier.backbone.fingerprint, []
    for place, (character, confidence) in enumerate(faces):
        (embedding,) = classifier.backbone.extract([np.asarray(drawn[place])])
        row: dict[str, Any] = {"x": place * SIDE_PX, "y": 0, "width": SIDE_PX, "height": SIDE_PX}
        row |= {"embedding": embedding.astype("<f2").tobytes(), "network": network, "score": 1.0}
        row |= {"label": LABELS[character] if confidence else None, "confidence": confidence}
        row |= {"status": "known" if confidence > 0.65 else "probably" if confidence else "unknown"}
        rows.append(row | {"answered_by": classifier.bundle.version})
    write_rows(engine, path, rows, image.size, f"network-1/{network}")
