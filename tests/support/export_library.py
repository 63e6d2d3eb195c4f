"""A library of five pictures that the tests draw: its folder, its database, and what is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from libraries import open_new, write_rows
from PIL import ExifTags, Image
from sqlalchemy import insert

from kyara.dataset.library.export.choosing import Choice
from kyara.dataset.library.export.formats import FORMATS
from kyara.dataset.library.export.target import Target
from kyara.dataset.library.export.writing import check_files, write_files
from kyara.dataset.library.reading import Library, LibraryPicture
from kyara.dataset.library.tables import CharacterRow

MIKU = "vocaloid/hatsune_miku"
SABER = "fate/saber"
CHARACTERS = {
    MIKU: (
        {"en": "Hatsune Miku", "ja": "初音ミク", "zh": "初音未来"},
        {"en": "Vocaloid", "ja": "ボーカロイド"},
    ),
    SABER: ({"en": "Saber", "ja": "セイバー"}, {"en": "Fate/stay night", "ja": "Fate／stay night"}),
    "bocchi": ({"en": '=HYPERLINK("x")', "ja": "ぼっち, ちゃん"}, {}),
}
Face = tuple[tuple[int, int, int, int], str | None, float, str]
PICTURES: dict[str, tuple[tuple[int, int], int, list[Face]]] = {
    "a/both 初音.jpg": (
        (200, 100),
        1,
        [((20, 10, 40, 30), MIKU, 0.75, "known"), ((100, 40, 50, 60), SABER, 0.9, "known")],
    ),
    "a/turned.jpg": ((60, 120), 6, [((10, 20, 30, 40), MIKU, 0.8, "known")]),
    "b/saber.png": ((90, 80), 1, [((0, 0, 90, 80), SABER, 0.7, "probably")]),
    "b/formula.png": ((64, 64), 1, [((8, 8, 16, 16), "bocchi", 0.95, "known")]),
    "b/stranger.png": ((64, 64), 1, [((8, 8, 16, 16), None, 0.3, "unknown")]),
}
"""Name -> sides upright, Exif orientation, faces: box, label, confidence, status."""


def write_library(folder: Path) -> Path:
    """Draw the pictures below `folder/pictures`, write the database; return its file."""
    file, pictures = folder / "library.db", folder / "pictures"
    pictures.mkdir(parents=True)
    names = ("x", "y", "width", "height", "label", "confidence", "status")
    same = {"score": 1.0, "embedding": b"", "network": "test", "answered_by": "test"}
    with open_new(str(file), pictures) as engine:
        rows = [{"label": one, "name": name, "work": work} for one, (name, work) in CHARACTERS.items()]
        with engine.begin() as connection:
            connection.execute(insert(CharacterRow), rows)
        for number, (name, (sides, turned, faces)) in enumerate(PICTURES.items()):
            _draw(pictures / name, sides, turned, number)
            seen = [{**same, **dict(zip(names, (*box, *who), strict=True))} for box, *who in faces]
            write_rows(engine, pictures / name, seen, sides, "test")
    return file


def read_library(file: Path) -> list[LibraryPicture]:
    """Return the pictures of the database, sorted by path."""
    with Library.open(str(file)) as library:
        return sorted(library.read_pictures(), key=lambda picture: picture.path)


def export(
    name: str, library: Path, out: Path | None = None, language: str = "ja", **choice: Any
) -> None:
    """Write what is chosen of a library as `kyara export` does."""
    chosen = list(Choice(**choice).choose(read_library(library)))

    def make() -> Any:
        return FORMATS[name](chosen, Target(library.parent / "pictures", out, language))

    check_files(make)
    write_files(make)


def hash_picture(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hash_all(folder: Path) -> dict[str, str]:
    """Return path below a folder -> SHA-256, of all pictures there."""
    found = (path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    return {str(path.relative_to(folder)): hash_picture(path) for path in found}


def _draw(path: Path, sides: tuple[int, int], turned: int, seed: int) -> None:
    """Draw noise; a picture that is turned is stored with its sides the other way round."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = sides if turned < 5 else sides[::-1]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(pixels)
    if turned != 1:
        image.getexif()[ExifTags.Base.Orientation] = turned
    image.save(path, exif=image.getexif())
