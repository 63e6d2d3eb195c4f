"""Pictures of a library and their faces as JSON has them: on the command line, and in files."""

from __future__ import annotations

from typing import Any

from kyara.dataset.library.reading import LibraryFace, LibraryPicture
from kyara.recognition.characters import choose_text
from kyara.storage.paths import show_path
from kyara.vision.boxes import Box


def describe_picture(picture: LibraryPicture, language: str) -> dict[str, Any]:
    """Return a picture as JSON has it."""
    return {
        "path": show_path(picture.path),
        "sha256": picture.sha256,
        "width": picture.width,
        "height": picture.height,
        "faces": [describe_face(face, language) for face in picture.faces],
    }


def describe_face(face: LibraryFace, language: str) -> dict[str, Any]:
    """Return a face as JSON has it."""
    return {
        "box": Box(*face.box).to_json(),
        "verdict": face.status,
        "label": face.label,
        "name": choose_text(face.names, language) or None,
        "work": choose_text(face.work, language) or None,
        "confidence": round(face.confidence, 4),
    }
